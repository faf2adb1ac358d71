//! Which companies an address concerns, and how a route confines it to its own.

use std::borrow::Cow;
use std::sync::Arc;

use super::literal::double_apostrophes;
use super::path_grammar::companies_in;
use super::query::Query;
use super::resource::{CompanyList, Family, Location, Resource};
use super::{AddressError, EnvironmentAddress};
use crate::business_central::{Company, SafePath, join_names};

impl Resource {
    /// Whether the route's company is needed to check or build the address.
    pub fn depends_on_company(&self) -> bool {
        matches!(self.location, Location::InCompany { .. } | Location::Batch(_))
            || self.spans_companies()
            || !self.extra_companies.is_empty()
            || self.query.companies().next().is_some()
    }

    /// Whether it is a list of all companies, or derived from one.
    pub fn lists_companies(&self) -> bool {
        self.company_list != CompanyList::None
    }

    /// Whether it shows data of all companies at once.
    pub fn spans_companies(&self) -> bool {
        self.lists_companies() || self.is_system_service() || self.subscription.is_some()
    }

    /// Whether the address itself names the company.
    pub fn has_explicit_company(&self) -> bool {
        matches!(&self.location, Location::InCompany { family, named, .. } if named.is_some() || self.query_selects(family))
    }

    /// Whether the address names this company, and no other.
    pub fn is_explicitly_in(&self, company: &Company) -> bool {
        self.has_explicit_company() && self.check_company(Some(company)).is_ok()
    }

    /// The companies in its path, query and headers, by name or id.
    pub fn companies_named(&self) -> impl Iterator<Item = String> + '_ {
        let in_path = match &self.location {
            Location::InCompany { named, .. } => named.clone(),
            _ => None,
        };
        in_path.into_iter().chain(self.query.companies()).chain(self.extra_companies.iter().cloned())
    }

    /// The resource of an address that a client wrote, as target or in a body: with the companies of its `$id` and of
    /// `Company` headers.
    ///
    /// # Errors
    /// If the query selects a tenant, or its `$id` can't be read or leaves the environment.
    pub fn by_client(
        mut self,
        company_headers: &[String],
        environment: &EnvironmentAddress,
    ) -> Result<Self, AddressError> {
        if self.query.names_tenant() {
            return Err(AddressError::Tenant);
        }
        for id in self.query.ids() {
            environment.check_target(&id)?;
            // Whatever follows the path is read as segments, too, where it can name no company.
            let id = id.replace('?', "/");
            self.extra_companies.extend(companies_in(&SafePath::check(&id)?.odata_segments()?));
        }
        self.extra_companies.extend_from_slice(company_headers);
        Ok(self)
    }

    /// Rejects a company other than the route's. Without a company of the route, rejects two different ones.
    pub fn check_company(&self, company: Option<&Company>) -> Result<(), AddressError> {
        if matches!(self.location, Location::Opaque(_)) {
            return Ok(());
        }
        let Some(company) = company else {
            let mut named = self.companies_named();
            let Some(first) = named.next() else { return Ok(()) };
            let second = named.find(|next| *next != first);
            return second.map_or(Ok(()), |second| Err(AddressError::TwoCompanies { first, second }));
        };
        self.check_confined(|asked| company.is_named(asked), || company.name.to_string())
    }

    fn check_confined(
        &self,
        is_allowed: impl Fn(&str) -> bool,
        allowed: impl FnOnce() -> String,
    ) -> Result<(), AddressError> {
        match self.companies_named().find(|asked| !is_allowed(asked)) {
            Some(asked) => Err(AddressError::OtherCompany { asked, allowed: allowed() }),
            None if self.company_list == CompanyList::Unfilterable => {
                Err(AddressError::BelowCompanyList { allowed: allowed() })
            }
            None if self.query.refers_to_root() => Err(AddressError::RootExpression { allowed: allowed() }),
            None => Ok(()),
        }
    }

    /// Confines a resource that spans all companies to these, by a condition on the list.
    ///
    /// # Errors
    /// If it names another company, or continues after the list.
    pub fn restrict_to(&mut self, companies: &[Arc<Company>]) -> Result<(), AddressError> {
        let is_allowed = |asked: &str| companies.iter().any(|company| company.is_named(asked));
        self.check_confined(is_allowed, || join_names(companies))?;
        if self.lists_companies() {
            let conditions: Vec<String> = companies.iter().map(|company| self.condition(company)).collect();
            self.query = self.query.with_condition(&format!("({})", conditions.join(" or ")))?;
        }
        Ok(())
    }

    /// The query to send for a company: its name in Business Central's spelling, and a list of companies confined to
    /// it.
    pub(super) fn query_in(&self, company: &Company) -> Result<Cow<'_, Query>, AddressError> {
        let mut query = Cow::Borrowed(&self.query);
        if query.companies().any(|name| is_respelled(company, &name)) {
            query = Cow::Owned(query.with_company(company.name.as_str()));
        }
        if self.lists_companies() {
            query = Cow::Owned(query.with_condition(&self.condition(company))?);
        }
        Ok(query)
    }

    /// Whether the query names a company, in a family that reads it there.
    pub(super) fn query_selects(&self, family: &Family) -> bool {
        *family != Family::Soap && self.query.companies().any(|name| !name.is_empty())
    }

    /// A `$filter` condition that only this company meets, in the list of this resource's service.
    fn condition(&self, company: &Company) -> String {
        match self.family() {
            Some(Family::OData) => format!("Name eq '{}'", double_apostrophes(company.name.as_str())),
            _ => format!("id eq {}", company.id),
        }
    }
}

/// Whether this name of the company differs from Business Central's in case, which Business Central would not accept.
fn is_respelled(company: &Company, name: &str) -> bool {
    name != company.name.as_str() && name.parse() != Ok(company.id)
}
