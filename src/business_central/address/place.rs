//! The families' grammars: the segments below a family's root, understood. Local and upstream addresses share them.

use super::super::path::{SafePath, Segment, join};
use super::super::surface::ApiPath;
use super::{AddressError, Family, Listing, Place};

/// A place, and what else its path says of companies.
#[derive(Debug)]
pub struct Understood {
    pub place: Place,
    /// Every further company it names.
    pub also_named: Vec<String>,
    pub listing: Listing,
}

impl Understood {
    /// `below`: the segments below the company, or below the family's root where the path names none.
    fn new(place: Place, below: &[Segment<'_>]) -> Self {
        let listing = match &place {
            Place::Root { family, .. } | Place::InCompany { family, .. } => Listing::of(family, below),
            Place::Batch(_) | Place::Anywhere(_) => Listing::None,
        };
        Self { place, also_named: companies_in(below), listing }
    }
}

impl From<Place> for Understood {
    /// A place whose path says nothing more.
    fn from(place: Place) -> Self {
        Self { place, also_named: Vec::new(), listing: Listing::None }
    }
}

/// What follows the prefix of a route that leads to this family.
pub fn below_route(family: &Family, path: SafePath<'_>) -> Result<Understood, AddressError> {
    match family {
        Family::Api(known) => match path.odata_segments()?.as_slice() {
            // Some clients repeat the version.
            [version, rest @ ..] if version.is(known.version()) => api(known, rest),
            segments => api(known, segments),
        },
        Family::OData => odata(&path.odata_segments()?),
        Family::Soap => soap(&path.plain_segments()),
    }
}

/// The segments below `api/{…}/{version}`.
pub fn api(api: &ApiPath, segments: &[Segment<'_>]) -> Result<Understood, AddressError> {
    let family = Family::Api(api.clone());
    let Some((first, rest)) = split_unless_batch(segments)? else {
        return Ok(root(family, segments).into());
    };
    if let Some(key) = key_of(first, "companies") {
        let named = Some(company_of_key(&key));
        return Ok(Understood::new(Place::InCompany { family, named, rest: join(rest) }, rest));
    }
    let place = if is_root_set(first) {
        Place::Root { family, rest: join(segments) }
    } else {
        Place::InCompany { family, named: None, rest: join(segments) }
    };
    Ok(Understood::new(place, segments))
}

/// The segments below `ODataV4`.
pub fn odata(segments: &[Segment<'_>]) -> Result<Understood, AddressError> {
    let family = Family::OData;
    let Some((first, rest)) = split_unless_batch(segments)? else {
        return Ok(root(family, segments).into());
    };
    if let Some(key) = key_of(first, "Company") {
        let named = Some(company_of_key(&key));
        return Ok(Understood::new(Place::InCompany { family, named, rest: join(rest) }, rest));
    }
    let place = if is_odata_root(first) {
        Place::Root { family, rest: join(segments) }
    } else {
        Place::InCompany { family, named: None, rest: join(segments) }
    };
    Ok(Understood::new(place, segments))
}

/// The first segment and the rest; `None` for a family's root and its `$batch`, which stands at the root only.
fn split_unless_batch<'s, 'r>(
    segments: &'s [Segment<'r>],
) -> Result<Option<(&'s Segment<'r>, &'s [Segment<'r>])>, AddressError> {
    let is_batch = |segment: &Segment<'_>| segment.is("$batch");
    match segments.split_first() {
        Some((first, [])) if is_batch(first) => Ok(None),
        _ if segments.iter().any(is_batch) => Err(AddressError::MisplacedBatch),
        split => Ok(split),
    }
}

/// The family's root, or its `$batch`.
fn root(family: Family, segments: &[Segment<'_>]) -> Place {
    if segments.is_empty() { Place::Root { family, rest: String::new() } } else { Place::Batch(family) }
}

/// The segments below `WS`.
pub fn soap(segments: &[Segment<'_>]) -> Result<Understood, AddressError> {
    let is_kind = |segment: &Segment<'_>| SOAP_KINDS.iter().any(|kind| segment.is(kind));
    let family = Family::Soap;
    let (named, rest) = match segments {
        [only] if only.is(SYSTEM_SERVICE) => return Ok(Place::Root { family, rest: join(segments) }.into()),
        // Which companies there are is the same question in each of them.
        [company, rest @ ..] if matches!(rest, [only] if only.is(SYSTEM_SERVICE)) => {
            let also_named = vec![company.decoded().into_owned()];
            return Ok(Understood { also_named, ..Place::Root { family, rest: join(rest) }.into() });
        }
        [only] if only.is(SERVICES) => (None, segments),
        [company, rest @ ..] if matches!(rest, [only] if only.is(SERVICES)) => (Some(company), rest),
        [company, rest @ ..] if matches!(rest, [kind, _, ..] if is_kind(kind)) => (Some(company), rest),
        [kind, _, ..] if is_kind(kind) => (None, segments),
        _ => return Err(AddressError::NotSoap),
    };
    for segment in rest {
        segment.without_hidden_separator()?;
    }
    let named = named.map(|company| company.decoded().into_owned());
    Ok(Place::InCompany { family, named, rest: join(rest) }.into())
}

/// Whether a local path below a company is read as the same one without the company before it.
pub fn stands_alone(family: &Family, rest: &str) -> bool {
    let Ok(path) = SafePath::check(rest) else { return false };
    matches!(
        below_route(family, path),
        Ok(Understood { place: Place::InCompany { named: None, rest: read, .. }, .. }) if read == rest
    )
}

/// An OData string literal's text; anything else as it is.
pub fn unquote(text: &str) -> String {
    match text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => text.to_owned(),
    }
}

/// Whether a segment is the version of an API: `v2.0`, `v1.0`, `beta`. Nothing else is: a publisher may well be called `v8media`.
pub fn is_version(segment: &Segment<'_>) -> bool {
    let word = segment.decoded().to_ascii_lowercase();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = word.strip_prefix('v').and_then(|numbers| numbers.split_once('.'));
    word == "beta" || numbers.is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

fn is_root_set(segment: &Segment<'_>) -> bool {
    let word = segment.decoded();
    let set = word.split('(').next().unwrap_or_default();
    API_ROOT_SETS.iter().any(|root| root.eq_ignore_ascii_case(set))
}

fn is_odata_root(segment: &Segment<'_>) -> bool {
    segment.is("$metadata") || segment.is("Company")
}

/// The companies named by keys further down a path.
fn companies_in(segments: &[Segment<'_>]) -> Vec<String> {
    let keys = segments.iter().filter_map(|segment| COMPANY_SETS.iter().find_map(|set| key_of(segment, set)));
    keys.map(|key| company_of_key(&key)).collect()
}

impl Listing {
    fn of(family: &Family, segments: &[Segment<'_>]) -> Self {
        let sets = match family {
            Family::Api(_) => &["companies", "automationCompanies"][..],
            Family::OData => &["Company"],
            Family::Soap => &[],
        };
        let is_set = |segment: &Segment<'_>| sets.iter().any(|set| segment.decoded().trim().eq_ignore_ascii_case(set));
        let Some(at) = segments.iter().position(is_set) else { return Self::None };
        match segments.get(at + 1..).unwrap_or_default() {
            [] => Self::Filterable,
            [only] if only.is("$count") || only.is("$ref") => Self::Filterable,
            _ => Self::Beyond,
        }
    }
}

/// The decoded text between the parentheses of `{set}(…)`.
fn key_of(segment: &Segment<'_>, set: &str) -> Option<String> {
    let decoded = segment.decoded();
    let (name, rest) = decoded.split_once('(')?;
    let key = rest.strip_suffix(')')?;
    name.trim().eq_ignore_ascii_case(set).then(|| key.trim().to_owned())
}

/// The company of a key: `{guid}`, `Id={guid}`, `'Name'`, `name='Name'`.
fn company_of_key(key: &str) -> String {
    let value = match key.split_once('=') {
        Some((field, value)) if ["id", "name"].iter().any(|known| field.trim().eq_ignore_ascii_case(known)) => value,
        _ => key,
    };
    unquote(value.trim())
}

/// Entity sets of an API that belong to the environment, not to a company.
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

/// What lists the services of a company, and the companies.
const SERVICES: &str = "Services";
const SYSTEM_SERVICE: &str = "SystemService";

const SOAP_KINDS: &[&str] = &["Page", "Codeunit", "Query"];
