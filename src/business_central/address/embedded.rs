//! Addresses inside a request body: the parts of a `$batch`, and the entities that a body refers to.

use super::AddressError;
use super::resource::{Family, Resource};
use crate::business_central::{Company, Surface};

impl Resource {
    /// The local path of its service's root, below the prefix of a route to this surface; the base of relative
    /// addresses.
    pub fn local_service_root(&self, surface: &Surface) -> Option<String> {
        let family = self.family()?;
        Some(match surface {
            Surface::Nav => format!("{}/{}", self.nav_spelling.as_ref().map_or("", |nav| &nav.prefix), family.root()),
            _ => String::new(),
        })
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
}

/// Splits an address into path and query, both raw.
///
/// A `#` doesn't end them: in the addresses of old clients, a raw `#` is part of a name.
pub fn split_query(address: &str) -> (&str, Option<&str>) {
    address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)))
}
