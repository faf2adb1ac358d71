//! Local addresses: understood on the way in, written on the way back.

use super::super::path::{SafePath, Segment, join};
use super::super::{Company, Surface};
use super::place::{self, Understood};
use super::query::Query;
use super::upstream::{is_named, push_named, split_api};
use super::{AddressError, EnvironmentAddress, Family, Listing, OldSpelling, Place, Resource};

/// What a client asks for, below a route's prefix.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'r> {
    /// The rest of the path: empty or starting with a slash.
    pub remainder: SafePath<'r>,
    /// Raw, without the question mark.
    pub query: Option<&'r str>,
    /// The values of `Company` headers.
    pub company_headers: &'r [String],
}

impl Resource {
    /// What a local address of this surface asks for in this environment.
    pub fn understand(
        surface: &Surface,
        asked: Asked<'_>,
        environment: &EnvironmentAddress,
    ) -> Result<Self, AddressError> {
        let mut query = Query::new(asked.query);
        let mut old = None;
        let Understood { place, mut also_named, listing } = match surface {
            Surface::Environment => {
                let place = Place::Anywhere(super::super::path::fit(asked.remainder.as_str()));
                return Ok(Self { place, query, also_named: Vec::new(), listing: Listing::None, old });
            }
            Surface::Api(api) => place::below_route(&Family::Api(api.clone()), asked.remainder)?,
            Surface::OData => place::below_route(&Family::OData, asked.remainder)?,
            Surface::Soap => place::below_route(&Family::Soap, asked.remainder)?,
            Surface::Nav => {
                if query.names_tenant() {
                    // On the premises it chose a tenant of that server.
                    query = query.without("tenant");
                }
                let (spelling, understood) = nav(asked, &query, environment)?;
                old = Some(spelling);
                understood
            }
        };
        if query.names_tenant() {
            return Err(AddressError::Tenant);
        }
        also_named.extend_from_slice(asked.company_headers);
        Ok(Self { place, query, also_named, listing, old })
    }

    /// The company as a client of the `nav` surface calls it.
    pub fn old_company(&self) -> Option<&str> {
        self.old.as_ref()?.company.as_deref()
    }

    /// Has the resource be in the company that a client of the `nav` surface calls by its old name.
    pub fn translate_company(&mut self, company: &Company) {
        if let Place::InCompany { named, .. } = &mut self.place
            && named.is_some()
        {
            *named = Some(company.name.to_string());
        }
        self.query = self.query.with_company(company.name.as_str());
        let old = self.old_company().map(str::to_owned);
        for also in self.also_named.iter_mut().filter(|also| Some(also.as_str()) == old.as_deref()) {
            *also = company.name.to_string();
        }
    }

    /// The path below the prefix of a route to this surface and company; `None` when that route does not lead there.
    ///
    /// `asked` is the request's own resource, when the address stands in its answer: the `nav` surface repeats its spelling.
    pub fn local(&self, surface: &Surface, company: Option<&Company>, asked: Option<&Resource>) -> Option<String> {
        match surface {
            Surface::Environment => Some(self.path_below_environment()),
            Surface::Nav => self.old_address(company, asked.and_then(|asked| asked.old.as_ref())),
            Surface::Api(api) => self.below_family(&Family::Api(api.clone()), company),
            Surface::OData => self.below_family(&Family::OData, company),
            Surface::Soap => self.below_family(&Family::Soap, company),
        }
    }

    fn below_family(&self, wanted: &Family, company: Option<&Company>) -> Option<String> {
        match &self.place {
            Place::Root { family, rest } if family == wanted => Some(rest.clone()),
            Place::Batch(family) if family == wanted => Some(BATCH.to_owned()),
            Place::InCompany { family, named, rest } if family == wanted => {
                let Some(named) = named else {
                    // Without a company of its own it is only the same resource if the query names one.
                    return (self.query_selects(family) && place::stands_alone(family, rest)).then(|| rest.clone());
                };
                match company {
                    Some(company) if !is_named(company, named) => None,
                    Some(_) if place::stands_alone(family, rest) => Some(rest.clone()),
                    _ => Some(in_company(String::new(), family, named, rest)),
                }
            }
            _ => None,
        }
    }

    /// The path below the environment, as Business Central writes it.
    pub fn path_below_environment(&self) -> String {
        match &self.place {
            Place::Anywhere(rest) => rest.clone(),
            Place::Root { family, rest } => format!("/{}{rest}", family.root()),
            Place::Batch(family) => format!("/{}{BATCH}", family.root()),
            Place::InCompany { family, named: Some(named), rest } => {
                in_company(format!("/{}", family.root()), family, named, rest)
            }
            Place::InCompany { family, named: None, rest } => format!("/{}{rest}", family.root()),
        }
    }

    fn old_address(&self, company: Option<&Company>, asked: Option<&OldSpelling>) -> Option<String> {
        let prefix = asked.map_or(ANY_INSTANCE, |old| old.prefix.as_str());
        match &self.place {
            Place::Anywhere(_) => None,
            Place::Root { family, rest } => Some(format!("{prefix}/{}{rest}", family.root())),
            Place::Batch(family) => Some(format!("{prefix}/{}{BATCH}", family.root())),
            Place::InCompany { family, named, rest } => {
                let path = format!("{prefix}/{}", family.root());
                let Some(named) = named else { return self.query_selects(family).then(|| path + rest) };
                let spelled = asked.and_then(|old| old.company.as_deref());
                let is_asked = company.is_some_and(|company| is_named(company, named));
                let is_api = matches!(family, Family::Api(_));
                let named = spelled.filter(|_| is_asked && !is_api).unwrap_or(named);
                Some(in_company(path, family, named, rest))
            }
        }
    }
}

fn in_company(mut path: String, family: &Family, named: &str, rest: &str) -> String {
    push_named(&mut path, family, named);
    path + rest
}

/// An address as it was written against a server on the premises, or online with a password.
fn nav(
    asked: Asked<'_>,
    query: &Query,
    environment: &EnvironmentAddress,
) -> Result<(OldSpelling, Understood), AddressError> {
    let path = asked.remainder;
    let plain = path.plain_segments();
    let before = prefix_length(&plain, environment)?;
    let (prefix, below) = plain.split_at_checked(before).ok_or(AddressError::NotNav)?;
    let (root, rest) = below.split_first().ok_or(AddressError::NotNav)?;
    let prefix = join(prefix);
    let understood = match root {
        root if root.is("WS") => place::soap(rest)?,
        root if root.is("ODataV4") => place::odata(&path.behind(before + 1).odata_segments()?)?,
        root if root.is("api") => {
            let segments = path.behind(before + 1).odata_segments()?;
            let (api, rest) = split_api(&segments).ok_or(AddressError::NotNav)?;
            place::api(&api, rest)?
        }
        _ => return Err(AddressError::OldOData { v4: format!("{prefix}/ODataV4{}", join(rest)) }),
    };
    let in_path = match &understood.place {
        Place::InCompany { named, .. } => named.clone(),
        Place::Root { family: Family::Soap, .. } => understood.also_named.first().cloned(),
        _ => None,
    };
    let company = in_path.or_else(|| query.companies().next()).or_else(|| asked.company_headers.first().cloned());
    Ok((OldSpelling { prefix, company }, understood))
}

/// How many segments stand before the family's root.
///
/// On the premises that is the instance, `/BC140/WS/…`; online it was `/v2.0/[{tenant}/]{environment}/…` or `/v1.0/[{tenant}/]…`.
fn prefix_length(segments: &[Segment<'_>], environment: &EnvironmentAddress) -> Result<usize, AddressError> {
    let is_root = |segment: &Segment<'_>| ["WS", "ODataV4", "OData", "api"].iter().any(|root| segment.is(root));
    match segments {
        [version, rest @ ..] if version.is("v2.0") || version.is("v1.0") => {
            let length = rest.iter().take(3).position(is_root).ok_or(AddressError::NotNav)?;
            match rest.get(..length) {
                Some([]) if version.is("v1.0") => {}
                Some([only]) if version.is("v1.0") => must_be_tenant(only, environment)?,
                Some([only]) => must_be_environment(only, environment)?,
                Some([tenant, only]) => {
                    must_be_tenant(tenant, environment)?;
                    must_be_environment(only, environment)?;
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

fn must_be_tenant(segment: &Segment<'_>, environment: &EnvironmentAddress) -> Result<(), AddressError> {
    must_be("tenant", segment, environment.tenant().as_str())
}

fn must_be_environment(segment: &Segment<'_>, environment: &EnvironmentAddress) -> Result<(), AddressError> {
    must_be("environment", segment, environment.environment().as_str())
}

fn must_be(what: &'static str, segment: &Segment<'_>, allowed: &str) -> Result<(), AddressError> {
    if segment.is(allowed) {
        return Ok(());
    }
    Err(AddressError::OtherPlace { what, asked: segment.decoded().into_owned(), allowed: allowed.to_owned() })
}

const BATCH: &str = "/$batch";

/// What stands for the instance where no client has named one.
const ANY_INSTANCE: &str = "/BC";
