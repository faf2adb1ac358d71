//! An OData service: an API or the web services.

use serde_json::{Map, Value, json};

use crate::simulator::breakage::Breakage;
use crate::simulator::business_central::data::schema::ODataSurface;
use crate::simulator::business_central::data::views::{STANDARD_API, WAREHOUSE_API, WEB_SERVICES};
use crate::simulator::business_central::environment::Environment;
use crate::simulator::business_central::request::MetadataLevel;

/// A service at the URL that a request used.
pub struct ODataService<'a> {
    pub surface: &'static ODataSurface,
    pub environment: &'a Environment<'a>,
    /// The amount of control information in the response.
    pub level: MetadataLevel,
}

/// The service at `segments` below the environment, and the segments below the service.
pub fn find<'a, 'b>(
    environment: &'a Environment<'a>,
    segments: &'b [&'b str],
    level: MetadataLevel,
) -> Option<(ODataService<'a>, &'b [&'b str])> {
    let (surface, rest) = match segments {
        [api, "v2.0", rest @ ..] if api.eq_ignore_ascii_case("api") => (&STANDARD_API, rest),
        [api, "cronus", "warehouse", "v1.0", rest @ ..]
            if api.eq_ignore_ascii_case("api") && environment.settings.broken != Some(Breakage::Route) =>
        {
            (&WAREHOUSE_API, rest)
        }
        [odata, rest @ ..] if odata.eq_ignore_ascii_case("ODataV4") => (&WEB_SERVICES, rest),
        _ => return None,
    };
    Some((ODataService { surface, environment, level }, rest))
}

impl ODataService<'_> {
    /// The absolute URL of a path below the service.
    pub fn absolute(&self, path: &str) -> String {
        format!("{}/{}/{path}", self.environment.root, self.surface.path)
    }

    /// The `@odata.context` annotation, unless the level is [`MetadataLevel::None`].
    pub fn context(&self, fragment: &str) -> Map<String, Value> {
        let context = json!(format!("{}{fragment}", self.absolute("$metadata")));
        let member = (self.level != MetadataLevel::None).then(|| ("@odata.context".to_owned(), context));
        member.into_iter().collect()
    }
}
