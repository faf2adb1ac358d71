//! Addresses of the `nav` surface: written for a server on-premises, or for Business Central online with a password.

use super::path_grammar::{ParsedPath, odata, soap, split_api};
use super::query::Query;
use super::resource::{Family, Location, NavSpelling};
use super::{AddressError, EnvironmentAddress, LocalAddress, split_query};
use crate::business_central::path::{SafePath, Segment, join_segments};

/// Parses an address of the `nav` surface, and keeps how the client wrote it.
pub fn parse(
    address: LocalAddress<'_>,
    query: &Query,
    environment: &EnvironmentAddress,
) -> Result<(NavSpelling, ParsedPath), AddressError> {
    let path = address.remainder;
    let plain = path.plain_segments();
    let before = prefix_length(&plain, environment)?;
    let (prefix, below) = plain.split_at_checked(before).ok_or(AddressError::NotNav)?;
    let (root, rest) = below.split_first().ok_or(AddressError::NotNav)?;
    let prefix = join_segments(prefix.iter().map(Segment::raw));
    let parsed = match root {
        root if root.is("WS") => soap(rest)?,
        root if root.is("ODataV4") => odata(Family::OData, &path.skip_segments(before + 1).odata_segments()?)?,
        root if root.is("api") => {
            let segments = path.skip_segments(before + 1).odata_segments()?;
            let (api, rest) = split_api(&segments).ok_or(AddressError::NotNav)?;
            odata(Family::Api(api), rest)?
        }
        _ => {
            return Err(AddressError::ODataV3 {
                v3: format!("{prefix}/{}", root.raw()),
                v4: format!("{prefix}/ODataV4{}", join_segments(rest.iter().map(Segment::raw))),
            });
        }
    };
    let in_path = match &parsed.location {
        Location::InCompany { named, .. } => named.clone(),
        Location::Root { family: Family::Soap, .. } => parsed.extra_companies.first().cloned(),
        _ => None,
    };
    let company = in_path.or_else(|| query.companies().next()).or_else(|| address.company_headers.first().cloned());
    Ok((NavSpelling { prefix, company }, parsed))
}

/// The number of segments before the family's root.
///
/// On-premises, they are the instance: `/BC140/WS/…`. Online, they were `/v2.0/[{tenant}/]{environment}/…` or
/// `/v1.0/[{tenant}/]…`.
fn prefix_length(segments: &[Segment<'_>], environment: &EnvironmentAddress) -> Result<usize, AddressError> {
    let is_root = |segment: &Segment<'_>| ["WS", "ODataV4", "OData", "api"].iter().any(|root| segment.is(root));
    match segments {
        [version, rest @ ..] if version.is("v2.0") || version.is("v1.0") => {
            let length = rest.iter().take(3).position(is_root).ok_or(AddressError::NotNav)?;
            let (tenant, name) = match rest.get(..length) {
                Some([]) if version.is("v1.0") => (None, None),
                Some([tenant]) if version.is("v1.0") => (Some(tenant), None),
                Some([name]) => (None, Some(name)),
                Some([tenant, name]) => (Some(tenant), Some(name)),
                _ => return Err(AddressError::NotNav),
            };
            check_target("tenant", tenant, environment.tenant.as_str())?;
            check_target("environment", name, environment.environment.as_str())?;
            Ok(length + 1)
        }
        [root, ..] if is_root(root) => Ok(0),
        [_, root, ..] if is_root(root) => Ok(1),
        _ => Err(AddressError::NotNav),
    }
}

impl EnvironmentAddress {
    /// Rejects an address in a body or query that names another tenant or environment, at whichever server. At one of
    /// the environment's own servers, it has to name the environment.
    pub fn check_target(&self, address: &str) -> Result<(), AddressError> {
        let address = address.replace('\\', "/");
        let segments = SafePath::check(split_query(&address).0)?.plain_segments();
        let mut rests = (0..segments.len()).filter_map(|start| segments.get(start..));
        let other = rests.find_map(|rest| match prefix_length(rest, self) {
            Err(other @ AddressError::OtherTarget { .. }) => Some(other),
            _ => None,
        });
        other.map_or_else(|| self.check_server(&address), Err)
    }
}

/// Rejects another tenant or environment than the connector's, where the address names one.
fn check_target(what: &'static str, segment: Option<&Segment<'_>>, allowed: &str) -> Result<(), AddressError> {
    match segment.filter(|segment| !segment.is(allowed)) {
        Some(other) => {
            Err(AddressError::OtherTarget { what, asked: other.decoded().into_owned(), allowed: allowed.to_owned() })
        }
        None => Ok(()),
    }
}

/// The instance in addresses that no client spelled.
pub const ANY_INSTANCE: &str = "/BC";
