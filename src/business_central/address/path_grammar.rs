//! The path grammar of each family, below its root. Local and upstream addresses share it.

use super::AddressError;
use super::literal::unquote;
use super::resource::{CompanyList, Family, Location};
use super::subscription_kind::SubscriptionKind;
use crate::business_central::ApiPath;
use crate::business_central::odata_segment::ODataSegment;
use crate::business_central::path::{SafePath, Segment, encode_illegal, join_segments};

/// The location that a path leads to, and what else the path says about companies.
#[derive(Debug)]
pub struct ParsedPath {
    pub location: Location,
    /// Every further company in the path.
    pub extra_companies: Vec<String>,
    pub company_list: CompanyList,
    /// The kind of subscription at this path.
    pub subscription: Option<SubscriptionKind>,
}

impl ParsedPath {
    /// Parses a path below the environment; in none of the families, it is opaque.
    pub fn below_environment(path: SafePath<'_>) -> Self {
        below_family_root(path).unwrap_or_else(|| Location::Opaque(encode_illegal(path.as_str())).into())
    }

    /// `below`: the segments below the company, or below the family's root if the path names no company.
    fn new(location: Location, below: &[ODataSegment<'_>]) -> Self {
        let (company_list, subscription) = match &location {
            Location::Root { family, .. } | Location::InCompany { family, .. } => {
                let is_api = matches!(family, Family::Api(_));
                let kind = below.first().filter(|_| is_api).and_then(SubscriptionKind::of_set);
                (CompanyList::of(family, below), kind)
            }
            Location::Batch(_) | Location::Opaque(_) => (CompanyList::None, None),
        };
        Self { location, extra_companies: companies_in(below), company_list, subscription }
    }
}

impl From<Location> for ParsedPath {
    /// A location without further companies.
    fn from(location: Location) -> Self {
        Self { location, extra_companies: Vec::new(), company_list: CompanyList::None, subscription: None }
    }
}

/// Parses what follows the prefix of a route to this family.
pub fn below_route(family: &Family, path: SafePath<'_>) -> Result<ParsedPath, AddressError> {
    match family {
        Family::Api(api) => match path.odata_segments()?.as_slice() {
            // Some clients repeat the version.
            [version, rest @ ..] if version.is(api.version()) => odata(family.clone(), rest),
            segments => odata(family.clone(), segments),
        },
        Family::OData => odata(Family::OData, &path.odata_segments()?),
        Family::Soap => soap(&path.plain_segments()),
    }
}

/// Parses the segments below `api/{…}/{version}` or `ODataV4`. `$batch` is valid only at this root.
pub fn odata(family: Family, segments: &[ODataSegment<'_>]) -> Result<ParsedPath, AddressError> {
    let is_batch = |segment: &ODataSegment<'_>| segment.is_named("$batch");
    let join = |segments: &[ODataSegment<'_>]| join_segments(segments.iter().map(ODataSegment::raw));
    let (first, rest) = match segments {
        [] => return Ok(Location::Root { family, rest: String::new() }.into()),
        [only] if only.is("$batch") => return Ok(Location::Batch(family).into()),
        _ if segments.iter().any(is_batch) => return Err(AddressError::MisplacedBatch),
        [first, rest @ ..] => (first, rest),
    };
    let (companies, is_outside) = match family {
        Family::Api(_) => ("companies", is_root_set(first)),
        _ => ("Company", first.is("$metadata") || first.is("Company")),
    };
    if let Some(key) = key_of(first, companies) {
        let named = Some(company_of_key(key));
        return Ok(ParsedPath::new(Location::InCompany { family, named, rest: join(rest) }, rest));
    }
    let rest = join(segments);
    let location =
        if is_outside { Location::Root { family, rest } } else { Location::InCompany { family, named: None, rest } };
    Ok(ParsedPath::new(location, segments))
}

/// Parses the segments below `WS`.
pub fn soap(segments: &[Segment<'_>]) -> Result<ParsedPath, AddressError> {
    let is_kind = |segment: &Segment<'_>| SOAP_KINDS.iter().any(|kind| segment.is(kind));
    let join = |segments: &[Segment<'_>]| join_segments(segments.iter().map(Segment::raw));
    let family = Family::Soap;
    let (named, rest) = match segments {
        [only] if only.is(SYSTEM_SERVICE) => return Ok(Location::Root { family, rest: join(segments) }.into()),
        // The list of companies is the same in each of them.
        [company, rest @ ..] if matches!(rest, [only] if only.is(SYSTEM_SERVICE)) => {
            let extra_companies = vec![company.decoded().into_owned()];
            return Ok(ParsedPath { extra_companies, ..Location::Root { family, rest: join(rest) }.into() });
        }
        [only] if only.is(SERVICES) => (None, segments),
        [company, rest @ ..] if matches!(rest, [only] if only.is(SERVICES)) => (Some(company), rest),
        [company, rest @ ..] if matches!(rest, [kind, _, ..] if is_kind(kind)) => (Some(company), rest),
        [kind, _, ..] if is_kind(kind) => (None, segments),
        _ => return Err(AddressError::NotSoap),
    };
    for segment in rest {
        segment.reject_encoded_separator()?;
    }
    let named = named.map(|company| company.decoded().into_owned());
    Ok(Location::InCompany { family, named, rest: join(rest) }.into())
}

/// Whether a local path below a company parses to the same path without the company before it.
pub fn is_unambiguous(family: &Family, rest: &str) -> bool {
    let Ok(path) = SafePath::check(rest) else { return false };
    matches!(
        below_route(family, path),
        Ok(ParsedPath { location: Location::InCompany { named: None, rest: read, .. }, .. }) if read == rest
    )
}

/// Splits off the API at the start of a path below `api`: `v2.0` or `{publisher}/{group}/{version}`.
pub fn split_api<'s, 'r>(segments: &'s [ODataSegment<'r>]) -> Option<(ApiPath, &'s [ODataSegment<'r>])> {
    match segments {
        [version, rest @ ..] if is_version(version) => Some((ApiPath::below_api(&[version.raw()])?, rest)),
        [publisher, group, version, rest @ ..] => {
            Some((ApiPath::below_api(&[publisher.raw(), group.raw(), version.raw()])?, rest))
        }
        _ => None,
    }
}

fn below_family_root(path: SafePath<'_>) -> Option<ParsedPath> {
    // SOAP addresses have no quoting: an apostrophe in a company's name is a plain character.
    if path.first_segment()?.is("WS") {
        return soap(path.plain_segments().get(1..)?).ok();
    }
    let segments = path.odata_segments().ok()?;
    let (root, rest) = segments.split_first()?;
    if root.is("ODataV4") {
        return odata(Family::OData, rest).ok();
    }
    let (api, rest) = split_api(rest).filter(|_| root.is("api"))?;
    odata(Family::Api(api), rest).ok()
}

/// Whether a segment is an API version: `v2.0`, `v1.0`, `beta`. The form is strict, since a publisher may be named
/// `v8media`.
fn is_version(segment: &ODataSegment<'_>) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = segment.name().strip_prefix(['v', 'V']).and_then(|numbers| numbers.split_once('.'));
    segment.is("beta")
        || segment.key().is_none() && numbers.is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

fn is_root_set(segment: &ODataSegment<'_>) -> bool {
    API_ROOT_SETS.iter().any(|root| segment.is_named(root))
}

/// The companies in the keys of segments.
pub fn companies_in(segments: &[ODataSegment<'_>]) -> Vec<String> {
    let keys = segments.iter().filter_map(|segment| COMPANY_SETS.iter().find_map(|set| key_of(segment, set)));
    keys.map(company_of_key).collect()
}

impl CompanyList {
    fn of(family: &Family, segments: &[ODataSegment<'_>]) -> Self {
        let sets = match family {
            Family::Api(_) => &["companies", "automationCompanies"][..],
            Family::OData => &["Company"],
            Family::Soap => &[],
        };
        let is_set = |segment: &ODataSegment<'_>| sets.iter().any(|set| segment.is(set));
        let Some(at) = segments.iter().position(is_set) else { return Self::None };
        match segments.get(at + 1..).unwrap_or_default() {
            [] => Self::Filterable,
            [only] if only.is("$count") || only.is("$ref") => Self::Filterable,
            _ => Self::Unfilterable,
        }
    }
}

/// The key of a segment of this set.
fn key_of<'s>(segment: &'s ODataSegment<'_>, set: &str) -> Option<&'s str> {
    segment.key().filter(|_| segment.is_named(set))
}

/// The company of a key: `{guid}`, `Id={guid}`, `'Name'`, `name='Name'`.
fn company_of_key(key: &str) -> String {
    let value = match key.split_once('=') {
        Some((field, value)) if ["id", "name"].iter().any(|known| field.trim().eq_ignore_ascii_case(known)) => value,
        _ => key,
    };
    unquote(value.trim())
}

/// Entity sets of an API outside any company.
pub const API_ROOT_SETS: &[&str] = &[
    "$metadata",
    "companies",
    "subscriptions",
    "externaleventsubscriptions",
    "externalbusinesseventdefinitions",
    "entityDefinitions",
];

/// Entity sets whose keys are companies.
const COMPANY_SETS: &[&str] = &["companies", "automationCompanies", "Company"];

/// The lists of a company's services, and of companies.
const SERVICES: &str = "Services";
const SYSTEM_SERVICE: &str = "SystemService";

const SOAP_KINDS: &[&str] = &["Page", "Codeunit", "Query"];
