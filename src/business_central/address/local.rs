//! Local addresses: parsing a client's request, and writing the links in its response.

use super::nav::{ANY_INSTANCE, parse};
use super::path_grammar::{ParsedPath, below_route, is_unambiguous};
use super::query::Query;
use super::resource::{Family, Location, NavSpelling, Resource};
use super::upstream::{BATCH, in_company};
use super::{AddressError, EnvironmentAddress};
use crate::business_central::path::{SafePath, encode_illegal};
use crate::business_central::{Company, Surface};

/// The address of a client's request, below the prefix of its route.
#[derive(Debug, Clone, Copy)]
pub struct LocalAddress<'r> {
    /// The rest of the path: empty or starting with a slash.
    pub remainder: SafePath<'r>,
    /// The raw query, without the question mark.
    pub query: Option<&'r str>,
    /// The values of `Company` headers.
    pub company_headers: &'r [String],
}

impl Resource {
    /// Parses a local address of this surface, for this environment.
    ///
    /// # Errors
    /// If the address has no counterpart at Business Central, selects a tenant, or names another environment.
    pub fn from_local(
        surface: &Surface,
        address: LocalAddress<'_>,
        environment: &EnvironmentAddress,
    ) -> Result<Self, AddressError> {
        let mut query = Query::new(address.query);
        let mut nav_spelling = None;
        let ParsedPath { location, extra_companies, company_list, subscription } = match surface {
            Surface::Environment => {
                let location = Location::Opaque(encode_illegal(address.remainder.as_str()));
                let ParsedPath { location, extra_companies, company_list, subscription } = location.into();
                return Ok(Self { location, query, extra_companies, company_list, subscription, nav_spelling });
            }
            Surface::Api(api) => below_route(&Family::Api(api.clone()), address.remainder)?,
            Surface::OData => below_route(&Family::OData, address.remainder)?,
            Surface::Soap => below_route(&Family::Soap, address.remainder)?,
            Surface::Nav => {
                if query.names_tenant() {
                    // On-premises, it selected a tenant of that server.
                    query = query.without("tenant");
                }
                let (spelling, parsed) = parse(address, &query, environment)?;
                nav_spelling = Some(spelling);
                parsed
            }
        };
        Self { location, query, extra_companies, company_list, subscription, nav_spelling }
            .by_client(address.company_headers, environment)
    }

    /// The `to:` of a route that would lead to a path below the environment.
    pub fn required_surface(path: SafePath<'_>) -> Surface {
        match Self::below_environment(path, None).family() {
            Some(Family::Api(api)) => Surface::Api(api.clone()),
            Some(Family::OData) => Surface::OData,
            Some(Family::Soap) => Surface::Soap,
            None => Surface::Environment,
        }
    }

    /// The company in the words of a client of the `nav` surface.
    pub fn nav_company(&self) -> Option<&str> {
        self.nav_spelling.as_ref()?.company.as_deref()
    }

    /// Replaces the name that a client of the `nav` surface gave this company by its current one.
    pub fn translate_company(&mut self, company: &Company) {
        if let Location::InCompany { named, .. } = &mut self.location
            && named.is_some()
        {
            *named = Some(company.name.to_string());
        }
        self.query = self.query.with_company(company.name.as_str());
        let old = self.nav_company().map(str::to_owned);
        for extra in self.extra_companies.iter_mut().filter(|extra| Some(extra.as_str()) == old.as_deref()) {
            *extra = company.name.to_string();
        }
    }

    /// The path below the prefix of a route to this surface and company; `None` if the route doesn't lead there.
    ///
    /// `request` is the resource of the request whose response contains the address. On the `nav` surface, the result
    /// repeats its spelling.
    pub fn to_local(&self, surface: &Surface, company: Option<&Company>, request: Option<&Resource>) -> Option<String> {
        match surface {
            Surface::Environment => Some(self.environment_path()),
            Surface::Nav => self.nav_path(company, request.and_then(|request| request.nav_spelling.as_ref())),
            Surface::Api(api) => self.below_family(&Family::Api(api.clone()), company),
            Surface::OData => self.below_family(&Family::OData, company),
            Surface::Soap => self.below_family(&Family::Soap, company),
        }
    }

    /// The local path of its service's root, below the prefix of a route to this surface; the base of relative
    /// addresses.
    pub fn local_service_root(&self, surface: &Surface) -> Option<String> {
        let family = self.family()?;
        Some(match surface {
            Surface::Nav => format!("{}/{}", self.nav_spelling.as_ref().map_or("", |nav| &nav.prefix), family.root()),
            _ => String::new(),
        })
    }

    fn below_family(&self, wanted: &Family, company: Option<&Company>) -> Option<String> {
        match &self.location {
            Location::Root { family, rest } if family == wanted => Some(rest.clone()),
            Location::Batch(family) if family == wanted => Some(BATCH.to_owned()),
            Location::InCompany { family, named, rest } if family == wanted => {
                let Some(named) = named else {
                    // Without a company in the path, it is the same resource only if the query names one.
                    return (self.query_selects(family) && is_unambiguous(family, rest)).then(|| rest.clone());
                };
                match company {
                    Some(company) if !company.is_named(named) => None,
                    Some(_) if is_unambiguous(family, rest) => Some(rest.clone()),
                    _ => Some(in_company(String::new(), family, named, rest)),
                }
            }
            _ => None,
        }
    }

    fn nav_path(&self, company: Option<&Company>, spelling: Option<&NavSpelling>) -> Option<String> {
        let prefix = spelling.map_or(ANY_INSTANCE, |spelling| spelling.prefix.as_str());
        let path = format!("{prefix}/{}", self.family()?.root());
        match &self.location {
            Location::Opaque(rest) | Location::Root { rest, .. } => Some(path + rest),
            Location::Batch(_) => Some(path + BATCH),
            Location::InCompany { family, named, rest } => {
                let Some(named) = named else { return self.query_selects(family).then(|| path + rest) };
                let old_name = spelling.and_then(|spelling| spelling.company.as_deref());
                let is_routes = company.is_some_and(|company| company.is_named(named));
                let is_api = matches!(family, Family::Api(_));
                let named = old_name.filter(|_| is_routes && !is_api).unwrap_or(named);
                Some(in_company(path, family, named, rest))
            }
        }
    }
}
