//! Addresses of the `nav` surface: written for a server on-premises, or for Business Central online with a password.

use super::path_grammar::{ParsedPath, api, odata, soap, split_api};
use super::query::Query;
use super::resource::{Family, Location, NavSpelling};
use super::{AddressError, EnvironmentAddress, LocalAddress};
use crate::business_central::path::{Segment, join_segments};

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
    let prefix = join_segments(prefix);
    let parsed = match root {
        root if root.is("WS") => soap(rest)?,
        root if root.is("ODataV4") => odata(&path.skip_segments(before + 1).odata_segments()?)?,
        root if root.is("api") => {
            let segments = path.skip_segments(before + 1).odata_segments()?;
            let (name, rest) = split_api(&segments).ok_or(AddressError::NotNav)?;
            api(&name, rest)?
        }
        _ => return Err(AddressError::ODataV3 { v4: format!("{prefix}/ODataV4{}", join_segments(rest)) }),
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
            match rest.get(..length) {
                Some([]) if version.is("v1.0") => {}
                Some([only]) if version.is("v1.0") => check_tenant(only, environment)?,
                Some([only]) => check_environment(only, environment)?,
                Some([tenant, only]) => {
                    check_tenant(tenant, environment)?;
                    check_environment(only, environment)?;
                }
                _ => return Err(AddressError::NotNav),
            }
            Ok(length + 1)
        }
        [root, ..] if is_root(root) => Ok(0),
        [_, root, ..] if is_root(root) => Ok(1),
        _ => Err(AddressError::NotNav),
    }
}

fn check_tenant(segment: &Segment<'_>, environment: &EnvironmentAddress) -> Result<(), AddressError> {
    check_target("tenant", segment, environment.tenant().as_str())
}

fn check_environment(segment: &Segment<'_>, environment: &EnvironmentAddress) -> Result<(), AddressError> {
    check_target("environment", segment, environment.environment().as_str())
}

fn check_target(what: &'static str, segment: &Segment<'_>, allowed: &str) -> Result<(), AddressError> {
    if segment.is(allowed) {
        return Ok(());
    }
    Err(AddressError::OtherTarget { what, asked: segment.decoded().into_owned(), allowed: allowed.to_owned() })
}

/// The instance in addresses that no client spelled.
pub const ANY_INSTANCE: &str = "/BC";
