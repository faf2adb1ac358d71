//! Addresses that stand inside a request's body: the parts of a `$batch`, and the entities a body binds.

use super::super::{Company, Surface};
use super::{AddressError, Family, Place, Resource};

impl Resource {
    /// The local path of its service's root, below the prefix of a route to this surface: what relative addresses in its body begin at.
    pub fn local_root(&self, surface: &Surface) -> Option<String> {
        let family = self.family()?;
        Some(match surface {
            Surface::Nav => format!("{}/{}", self.old.as_ref().map_or("", |old| &old.prefix), family.root()),
            _ => String::new(),
        })
    }

    /// The same, beside which headers name a company; refused when its query chooses a tenant.
    pub fn named_by(mut self, company_headers: &[String]) -> Result<Self, AddressError> {
        if self.query.names_tenant() {
            return Err(AddressError::Tenant);
        }
        self.also_named.extend_from_slice(company_headers);
        Ok(self)
    }

    /// Whether both are of one service, so that one can stand in a batch of the other.
    pub fn is_served_with(&self, other: &Self) -> bool {
        self.family().is_some() && self.family() == other.family()
    }

    /// Whether its body is JSON with addresses that are there to be followed.
    pub fn takes_json(&self) -> bool {
        !self.is_media() && matches!(self.family(), Some(Family::Api(_) | Family::OData))
    }

    /// The address as a part of a batch names it: relative to the root of the service.
    ///
    /// Where the route has no company, a part's `Company` header may name one; it is not written here and has to stay.
    pub fn in_batch(&self, company: Option<&Company>) -> Result<String, AddressError> {
        let whole = match self.path_and_query("", company) {
            Err(AddressError::NoCompany) if self.also_named.iter().any(|name| !name.is_empty()) => {
                let query = self.query.as_str().map_or_else(String::new, |query| format!("?{query}"));
                self.path_below_environment() + &query
            }
            built => built?,
        };
        let root = self.family().map_or("", Family::root);
        let relative = whole.strip_prefix('/').and_then(|whole| whole.strip_prefix(root)).unwrap_or(&whole);
        let relative = relative.trim_start_matches('/');
        let end = relative.find(['/', '?']).unwrap_or(relative.len());
        let (first, rest) = relative.split_at_checked(end).unwrap_or((relative, ""));
        // A colon there would make a scheme of what stands before it (RFC 3986, section 4.2).
        Ok(first.replace(':', "%3A") + rest)
    }

    /// Whether the address itself says in which company it is.
    pub fn names_its_company(&self) -> bool {
        match &self.place {
            Place::InCompany { named: Some(_), .. } => true,
            Place::InCompany { family, .. } => self.query_selects(family),
            _ => false,
        }
    }

    fn family(&self) -> Option<&Family> {
        match &self.place {
            Place::Root { family, .. } | Place::InCompany { family, .. } | Place::Batch(family) => Some(family),
            Place::Anywhere(_) => None,
        }
    }
}

/// An address and its query, raw. An address is not cut at a `#`: what old clients write raw is part of a name.
pub fn split_query(address: &str) -> (&str, Option<&str>) {
    address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)))
}
