//! Writing upstream addresses: path and query of a resource at Business Central, and the URL of a batch part.

use std::borrow::Cow;

use uuid::Uuid;

use super::AddressError;
use super::literal::double_apostrophes;
use super::resource::{Family, Location, Resource};
use crate::business_central::Company;
use crate::business_central::path::encode_segment;

impl Resource {
    /// The path and query at Business Central, below `base` (`/v2.0/{tenant}/{environment}`).
    ///
    /// `company` is the route's.
    ///
    /// # Errors
    /// If the address names another company, or needs one and there is none.
    pub fn path_and_query(&self, base: &str, company: Option<&Company>) -> Result<String, AddressError> {
        self.check_company(company)?;
        let mut path = String::with_capacity(base.len() + 160);
        path.push_str(base);
        if let Some(family) = self.family() {
            path.push('/');
            path.push_str(family.root());
        }
        match &self.location {
            Location::Opaque(rest) | Location::Root { rest, .. } => path.push_str(rest),
            Location::Batch(_) => path.push_str(BATCH),
            Location::InCompany { family, named, rest } => {
                match (company, named) {
                    // The query already names the company: a second selector could only contradict it.
                    _ if named.is_none() && self.query_selects(family) => {}
                    (Some(company), _) if matches!(family, Family::Api(_)) => {
                        push_id(&mut path, family, company.id.guid());
                    }
                    (Some(company), _) => push_named(&mut path, family, company.name.as_str()),
                    (None, Some(name)) => push_named(&mut path, family, name),
                    (None, None) => return Err(AddressError::NoCompany),
                }
                path.push_str(rest);
            }
        }
        let query = match company.filter(|_| !matches!(self.location, Location::Opaque(_))) {
            Some(company) => self.query_in(company)?,
            None => Cow::Borrowed(&self.query),
        };
        if let Some(query) = query.as_str() {
            path.push('?');
            path.push_str(query);
        }
        Ok(path)
    }

    /// The address as the URL of a batch part: relative to the root of the service.
    ///
    /// Without a company of the route, a part's `Company` header may select one. The URL then leaves it out, and the
    /// header must stay.
    pub fn batch_part_url(&self, company: Option<&Company>) -> Result<String, AddressError> {
        let whole = match self.path_and_query("", company) {
            Err(AddressError::NoCompany) if self.extra_companies.iter().any(|name| !name.is_empty()) => {
                let query = self.query.as_str().map_or_else(String::new, |query| format!("?{query}"));
                self.environment_path() + &query
            }
            built => built?,
        };
        let root = self.family().map_or("", Family::root);
        let relative = whole.strip_prefix('/').and_then(|whole| whole.strip_prefix(root)).unwrap_or(&whole);
        let relative = relative.trim_start_matches('/');
        let end = relative.find(['/', '?']).unwrap_or(relative.len());
        let (first, rest) = relative.split_at_checked(end).unwrap_or((relative, ""));
        // A colon in the first segment would make the text before it a scheme (RFC 3986, section 4.2).
        Ok(first.replace(':', "%3A") + rest)
    }

    /// The path below the environment, as Business Central writes it.
    pub fn environment_path(&self) -> String {
        let root = self.family().map_or_else(String::new, |family| format!("/{}", family.root()));
        match &self.location {
            Location::Opaque(rest) | Location::Root { rest, .. } | Location::InCompany { named: None, rest, .. } => {
                root + rest
            }
            Location::Batch(_) => root + BATCH,
            Location::InCompany { family, named: Some(named), rest } => in_company(root, family, named, rest),
        }
    }
}

/// A family's path, continued with a company and the rest.
pub fn in_company(mut path: String, family: &Family, named: &str, rest: &str) -> String {
    push_named(&mut path, family, named);
    path + rest
}

/// Appends a company by its name or id.
pub fn push_named(path: &mut String, family: &Family, name: &str) {
    match (family, Uuid::try_parse(name)) {
        (Family::Api(_) | Family::OData, Ok(id)) => push_id(path, family, id),
        (Family::Api(_), Err(_)) => push_literal(path, "/companies(name='", name),
        (Family::OData, Err(_)) => push_literal(path, "/Company('", name),
        (Family::Soap, _) => {
            path.push('/');
            path.extend(encode_segment(name));
        }
    }
}

fn push_id(path: &mut String, family: &Family, id: Uuid) {
    path.push_str(if matches!(family, Family::OData) { "/Company(Id=" } else { "/companies(" });
    path.push_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    path.push(')');
}

fn push_literal(path: &mut String, begin: &str, name: &str) {
    path.push_str(begin);
    path.extend(encode_segment(&double_apostrophes(name)));
    path.push_str("')");
}

/// The path of a service's batch endpoint, below its root.
pub const BATCH: &str = "/$batch";
