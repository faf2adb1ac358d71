//! The address of an environment, and recognizing its addresses in what Business Central sends.

use std::sync::Arc;

use super::path_grammar::ParsedPath;
use super::query::Query;
use super::resource::Resource;
use super::{AddressError, split_query};
use crate::business_central::path::SafePath;
use crate::business_central::{EnvironmentName, PUBLIC_BASE_URL};
use crate::entra::TenantId;
use crate::outbound::HttpsUrl;

/// The address of one environment: `{base_url}/v2.0/{tenant}/{environment}`.
#[derive(Debug, Clone)]
pub struct EnvironmentAddress {
    /// The base URL that requests go to and, if different, the public one of Business Central: links may contain
    /// either.
    origins: Vec<HttpsUrl>,
    /// What a link can begin with: each origin as `https://host[:port]`.
    pub link_origins: Arc<[String]>,
    /// The tenant's id or domain, as configured.
    pub(crate) tenant: TenantId,
    /// The name of the environment, as configured.
    pub(crate) environment: EnvironmentName,
    /// The path of the environment, without a slash at its end.
    pub path: String,
}

impl EnvironmentAddress {
    /// The address of an environment at this base URL.
    pub fn new(base_url: &HttpsUrl, tenant: &TenantId, environment: &EnvironmentName) -> Self {
        let mut origins = vec![base_url.clone()];
        if let Ok(public) = PUBLIC_BASE_URL.parse::<HttpsUrl>()
            && public != *base_url
        {
            origins.push(public);
        }
        let path = format!("{}/v2.0/{tenant}/{environment}", base_url.path());
        let link_origins = origins.iter().map(|url| url.origin.as_str().to_owned()).collect();
        Self { origins, link_origins, tenant: tenant.clone(), environment: environment.clone(), path }
    }

    /// Scheme, authority and path of the environment.
    pub fn url(&self) -> String {
        format!("{}{}", self.origin(), self.path)
    }

    /// Scheme and authority of the server that requests go to.
    pub fn origin(&self) -> &str {
        self.origins.first().map_or("", |url| url.origin.as_str())
    }

    /// Each `host[:port]` that an address of this environment can contain.
    pub fn authorities(&self) -> impl Iterator<Item = &str> {
        self.origins.iter().map(HttpsUrl::authority)
    }

    /// The resource of an absolute address without query and fragment; `None` if it is outside this environment.
    ///
    /// Links name the tenant by id or by domain, or leave it out, whether or not the request named it.
    pub fn recognize(&self, path: &str, query: Option<&str>) -> Option<Resource> {
        self.recognize_path(self.path_at_origin(path)?, query)
    }

    /// The resource of an address without scheme and host; `None` if it is outside this environment.
    pub fn recognize_path(&self, path: &str, query: Option<&str>) -> Option<Resource> {
        let below = strip_prefix_ignoring_case(path, "/v2.0/")?;
        let (first, rest) = split_segment(below);
        let rest = if self.is_environment(first) {
            rest
        } else {
            let (second, rest) = split_segment(rest.strip_prefix('/')?);
            first.parse::<TenantId>().ok()?;
            self.is_environment(second).then_some(rest)?
        };
        Some(Resource::below_environment(SafePath::check(rest).ok()?, query))
    }

    /// The path of an address at one of this environment's servers, whichever environment it names.
    pub fn path_at_origin<'a>(&self, address: &'a str) -> Option<&'a str> {
        self.origins.iter().find_map(|origin| below_origin(address, origin)).filter(|path| path.starts_with('/'))
    }

    /// Rejects an address at one of this environment's servers that does not lead to the environment. Scheme, port and
    /// case of the server may be others than in its own addresses.
    pub(super) fn check_server(&self, address: &str) -> Result<(), AddressError> {
        let (path, query) = split_query(address);
        let after_scheme = path.split_once(':').filter(|(scheme, _)| !scheme.contains('/'));
        let authority = after_scheme.map_or(path, |(_, rest)| rest).trim_start_matches('/');
        let authority =
            authority.split('/').next().and_then(|authority| authority.rsplit('@').next()).unwrap_or_default();
        let (host, port) = split_port(authority);
        let is_there = |own: &str| {
            let (own_host, own_port) = split_port(own);
            host.trim_end_matches('.').eq_ignore_ascii_case(own_host) && ["", "80", "443", own_port].contains(&port)
        };
        if self.authorities().any(is_there) && self.recognize(path, query).is_none() {
            let allowed = self.environment.to_string();
            return Err(AddressError::OtherTarget { what: "environment", asked: path.to_owned(), allowed });
        }
        Ok(())
    }

    fn is_environment(&self, segment: &str) -> bool {
        segment.eq_ignore_ascii_case(self.environment.as_str())
    }
}

impl Resource {
    /// The resource of a path below the environment; an opaque one if the path is in none of the families.
    pub(super) fn below_environment(path: SafePath<'_>, query: Option<&str>) -> Self {
        let ParsedPath { location, extra_companies, company_list, subscription } = ParsedPath::below_environment(path);
        let query = Query::new(query);
        Self { location, query, extra_companies, company_list, subscription, nav_spelling: None }
    }
}

fn below_origin<'a>(address: &'a str, origin: &HttpsUrl) -> Option<&'a str> {
    let rest = strip_prefix_ignoring_case(address, origin.origin.as_str())?;
    // The default port may be written out.
    let rest = if origin.origin.port == 443 { rest.strip_prefix(":443").unwrap_or(rest) } else { rest };
    rest.strip_prefix(origin.path())
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Host and port of an authority; an empty port if there is none.
fn split_port(authority: &str) -> (&str, &str) {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
        _ => (authority, ""),
    }
}

/// The first segment and what follows it, slash included.
fn split_segment(path: &str) -> (&str, &str) {
    path.find('/').and_then(|end| path.split_at_checked(end)).unwrap_or((path, ""))
}
