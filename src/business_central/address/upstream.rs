//! Addresses at Business Central: written from a resource, and recognised in an answer.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use super::super::path::{SafePath, Segment, encode_segment, fit};
use super::super::surface::{ApiPath, Surface};
use super::super::{Company, EnvironmentName};
use super::place::{self, Understood};
use super::query::Query;
use super::{AddressError, Family, Listing, Place, Resource};
use crate::entra::TenantId;
use crate::outbound::HttpsUrl;

/// The address of one environment: `{base_url}/v2.0/{tenant}/{environment}`.
#[derive(Debug, Clone)]
pub struct EnvironmentAddress {
    /// Scheme and authority of where requests go and, if it is another, of Business Central itself: links may name either.
    origins: Vec<HttpsUrl>,
    tenant: TenantId,
    environment: EnvironmentName,
    path: String,
}

impl EnvironmentAddress {
    pub fn new(base_url: &HttpsUrl, tenant: &TenantId, environment: &EnvironmentName) -> Self {
        let mut origins = vec![base_url.clone()];
        if let Ok(public) = super::super::PUBLIC_BASE_URL.parse::<HttpsUrl>()
            && public != *base_url
        {
            origins.push(public);
        }
        let path = format!("{}/v2.0/{tenant}/{environment}", base_url.path());
        Self { origins, tenant: tenant.clone(), environment: environment.clone(), path }
    }

    /// The path of the environment, without a slash at its end.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Scheme, authority and path of the environment.
    pub fn url(&self) -> String {
        format!("{}{}", self.origin(), self.path)
    }

    /// Scheme and authority of where requests go.
    pub fn origin(&self) -> &str {
        self.origins.first().map_or("", HttpsUrl::origin)
    }

    /// The `host[:port]` texts an address of this environment can hold.
    pub fn authorities(&self) -> impl Iterator<Item = &str> {
        self.origins.iter().map(HttpsUrl::authority)
    }

    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    pub fn environment(&self) -> &EnvironmentName {
        &self.environment
    }

    /// What an absolute address asks for, if it is one of this environment; `path` is the part before query and fragment.
    ///
    /// Links name the tenant by id or domain, or leave it out, whether or not the request named it.
    pub fn recognise(&self, path: &str, query: Option<&str>) -> Option<Resource> {
        self.recognise_path(self.path_at_origin(path)?, query)
    }

    /// What an address without scheme and host asks for, if it is one of this environment.
    pub fn recognise_path(&self, path: &str, query: Option<&str>) -> Option<Resource> {
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

    /// The path of an address at one of our origins, whichever environment it belongs to.
    pub fn path_at_origin<'a>(&self, address: &'a str) -> Option<&'a str> {
        self.origins.iter().find_map(|origin| below_origin(address, origin)).filter(|path| path.starts_with('/'))
    }

    fn is_environment(&self, segment: &str) -> bool {
        segment.eq_ignore_ascii_case(self.environment.as_str())
    }
}

impl Resource {
    /// Which `to:` of a route would lead to a path below the environment, and so could be added.
    pub fn surface_of(path: SafePath<'_>) -> String {
        match Self::below_environment(path, None).place {
            Place::Root { family, .. } | Place::InCompany { family, .. } | Place::Batch(family) => match family {
                Family::Api(api) => api.as_str().to_owned(),
                Family::OData => Surface::OData.to_string(),
                Family::Soap => Surface::Soap.to_string(),
            },
            Place::Anywhere(_) => Surface::Environment.to_string(),
        }
    }

    /// What a path below the environment asks for: one of the families, or just a place.
    pub(super) fn below_environment(path: SafePath<'_>, query: Option<&str>) -> Self {
        let understood = family_place(path).unwrap_or_else(|| Place::Anywhere(fit(path.as_str())).into());
        let Understood { place, also_named, listing } = understood;
        Self { place, query: Query::new(query), also_named, listing, old: None }
    }

    /// Whether the route's company must be known to judge or build the address.
    pub fn concerns_a_company(&self) -> bool {
        matches!(self.place, Place::InCompany { .. } | Place::Batch(_))
            || self.lists_companies()
            || self.is_system_service()
            || self.subscription().is_some()
            || !self.also_named.is_empty()
            || self.query.companies().next().is_some()
    }

    /// The path and query at Business Central, below `base` (`/v2.0/{tenant}/{environment}`).
    ///
    /// `company` is the route's: the client can't name another one, and what needs one is not built without.
    pub fn path_and_query(&self, base: &str, company: Option<&Company>) -> Result<String, AddressError> {
        self.judge(company)?;
        let mut path = String::with_capacity(base.len() + 160);
        path.push_str(base);
        match &self.place {
            Place::Anywhere(rest) => path.push_str(rest),
            Place::Root { family, rest } => {
                path.push('/');
                path.push_str(family.root());
                path.push_str(rest);
            }
            Place::Batch(family) => {
                path.push('/');
                path.push_str(family.root());
                path.push_str("/$batch");
            }
            Place::InCompany { family, named, rest } => {
                path.push('/');
                path.push_str(family.root());
                match (company, named) {
                    // The query names the company already: a second selector could only contradict it.
                    _ if named.is_none() && self.query_selects(family) => {}
                    (Some(company), _) => push_company(&mut path, family, company),
                    (None, Some(name)) => push_named(&mut path, family, name),
                    (None, None) => return Err(AddressError::NoCompany),
                }
                path.push_str(rest);
            }
        }
        let query = match company.filter(|_| !matches!(self.place, Place::Anywhere(_))) {
            Some(company) => self.query_in(company)?,
            None => Cow::Borrowed(&self.query),
        };
        if let Some(query) = query.as_str() {
            path.push('?');
            path.push_str(query);
        }
        Ok(path)
    }

    /// Whether it is a set of all companies, or made from it.
    pub fn lists_companies(&self) -> bool {
        self.listing != Listing::None
    }

    /// Whether it is the SOAP service that names all companies.
    pub fn is_system_service(&self) -> bool {
        matches!(&self.place, Place::Root { family: Family::Soap, .. })
    }

    /// Whether it shows something of all companies at once.
    pub fn spans_companies(&self) -> bool {
        self.lists_companies() || self.is_system_service() || self.subscription().is_some()
    }

    /// Keeps what spans all companies to these: others it names are refused, and a list of companies is cut down to them.
    pub fn keep_to(&mut self, companies: &[Arc<Company>]) -> Result<(), AddressError> {
        let allowed = || names(companies);
        let is_allowed = |asked: &String| companies.iter().any(|company| is_named(company, asked));
        if let Some(asked) = self.companies_named().find(|asked| !is_allowed(asked)) {
            return Err(AddressError::OtherCompany { asked, allowed: allowed() });
        }
        match self.listing {
            Listing::None => {}
            Listing::Beyond => return Err(AddressError::BehindCompanies { allowed: allowed() }),
            Listing::Filterable => {
                let conditions: Vec<String> = companies.iter().map(|company| self.condition(company)).collect();
                self.query = self.query.with_condition(&format!("({})", conditions.join(" or ")))?;
            }
        }
        Ok(())
    }

    /// What is true of one company only, in the list its service has.
    fn condition(&self, company: &Company) -> String {
        match &self.place {
            Place::Root { family: Family::OData, .. } | Place::InCompany { family: Family::OData, .. } => {
                format!("Name eq '{}'", company.name.as_str().replace('\'', "''"))
            }
            _ => format!("id eq {}", company.id),
        }
    }

    pub(super) fn query_selects(&self, family: &Family) -> bool {
        *family != Family::Soap && self.query.companies().any(|name| !name.is_empty())
    }

    /// The query as it may be sent on behalf of a company: its name as Business Central spells it, and a list of companies cut down to it.
    fn query_in(&self, company: &Company) -> Result<Cow<'_, Query>, AddressError> {
        let mut query = Cow::Borrowed(&self.query);
        if query.companies().any(|name| is_misspelt(company, &name)) {
            query = Cow::Owned(query.with_company(company.name.as_str()));
        }
        if self.lists_companies() {
            query = Cow::Owned(query.with_condition(&self.condition(company))?);
        }
        Ok(query)
    }

    /// The companies its path, query and headers name, by name or id.
    pub fn companies_named(&self) -> impl Iterator<Item = String> + '_ {
        let in_path = match &self.place {
            Place::InCompany { named: Some(named), .. } => Some(named.clone()),
            _ => None,
        };
        in_path.into_iter().chain(self.query.companies()).chain(self.also_named.iter().cloned())
    }

    /// Refuses a company other than the route's, and two at once.
    pub fn judge(&self, company: Option<&Company>) -> Result<(), AddressError> {
        if matches!(self.place, Place::Anywhere(_)) {
            return Ok(());
        }
        let mut named = self.companies_named();
        match company {
            Some(company) => match named.find(|asked| !is_named(company, asked)) {
                Some(asked) => Err(AddressError::OtherCompany { asked, allowed: company.name.to_string() }),
                None if self.listing == Listing::Beyond => {
                    Err(AddressError::BehindCompanies { allowed: company.name.to_string() })
                }
                None => Ok(()),
            },
            None => {
                let Some(first) = named.next() else { return Ok(()) };
                match named.find(|next| *next != first) {
                    Some(second) => Err(AddressError::TwoCompanies { first, second }),
                    None => Ok(()),
                }
            }
        }
    }
}

/// The names of some companies, in a sentence.
pub fn names(companies: &[Arc<Company>]) -> String {
    let names: Vec<&str> = companies.iter().map(|company| company.name.as_str()).collect();
    names.join("`, `")
}

/// Whether a text names this company, by its id or by its name in any case.
///
/// Business Central tells names apart by their case, but the address that is built holds the company's own spelling whichever was used.
pub fn is_named(company: &Company, text: &str) -> bool {
    let name = company.name.as_str();
    name == text || text.parse() == Ok(company.id) || name.to_lowercase() == text.to_lowercase()
}

fn family_place(path: SafePath<'_>) -> Option<Understood> {
    let plain = path.plain_segments();
    let (root, rest) = plain.split_first()?;
    // A company's name in a SOAP address knows no quoting.
    if root.is("WS") {
        return place::soap(rest).ok();
    }
    let segments = path.odata_segments().ok()?;
    let (root, rest) = segments.split_first()?;
    if root.is("ODataV4") {
        return place::odata(rest).ok();
    }
    let (api, rest) = split_api(rest).filter(|_| root.is("api"))?;
    place::api(&api, rest).ok()
}

/// Whether a name of this company is written in another case, which Business Central would not know it by.
fn is_misspelt(company: &Company, name: &str) -> bool {
    name != company.name.as_str() && name.parse() != Ok(company.id)
}

// A String takes everything that is written to it, so the results of `write!` below say nothing.

fn push_company(path: &mut String, family: &Family, company: &Company) {
    match family {
        Family::Api(_) => {
            let _ = write!(path, "/companies({})", company.id);
        }
        Family::OData | Family::Soap => push_named(path, family, company.name.as_str()),
    }
}

/// Appends a company by the name or id somebody gave it.
pub fn push_named(path: &mut String, family: &Family, name: &str) {
    let literal = || encode_segment(&name.replace('\'', "''")).to_string();
    let _ = match (family, uuid::Uuid::try_parse(name)) {
        (Family::Api(_), Ok(id)) => write!(path, "/companies({id})"),
        (Family::Api(_), Err(_)) => write!(path, "/companies(name='{}')", literal()),
        (Family::OData, Ok(id)) => write!(path, "/Company(Id={id})"),
        (Family::OData, Err(_)) => write!(path, "/Company('{}')", literal()),
        (Family::Soap, _) => write!(path, "/{}", encode_segment(name)),
    };
}

/// The API a path below `api` leads to, and what follows: `v2.0/…` or `{publisher}/{group}/{version}/…`.
pub fn split_api<'s, 'r>(segments: &'s [Segment<'r>]) -> Option<(ApiPath, &'s [Segment<'r>])> {
    let (name, rest) = match segments {
        [version, rest @ ..] if place::is_version(version) => (format!("api/{}", version.raw()), rest),
        [publisher, group, version, rest @ ..] => {
            (format!("api/{}/{}/{}", publisher.raw(), group.raw(), version.raw()), rest)
        }
        _ => return None,
    };
    match name.parse() {
        Ok(Surface::Api(api)) => Some((api, rest)),
        _ => None,
    }
}

fn below_origin<'a>(address: &'a str, origin: &HttpsUrl) -> Option<&'a str> {
    let rest = strip_prefix_ignoring_case(address, origin.origin())?;
    // The port everybody knows may be written or not.
    let rest = if origin.authority().contains(':') { rest } else { rest.strip_prefix(":443").unwrap_or(rest) };
    rest.strip_prefix(origin.path())
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The first segment and what follows it, slash included.
fn split_segment(path: &str) -> (&str, &str) {
    path.find('/').and_then(|end| path.split_at_checked(end)).unwrap_or((path, ""))
}
