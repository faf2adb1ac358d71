//! Addresses that a client writes into a body: read by the same grammar as the target of a request.

use super::{AddressError, EnvironmentAddress, LocalAddress, Resource, split_query};
use crate::business_central::{SafePath, Surface};

/// What the addresses in a client's body are read against.
#[derive(Debug, Clone, Copy)]
pub struct BodyBase<'a> {
    /// The surface of the request's route.
    pub surface: &'a Surface,
    /// The path of that route, without a slash at its end.
    pub route: &'a str,
    /// Scheme and authority by which the client reaches bcproxy.
    pub base_url: &'a str,
    /// The environment of the route.
    pub environment: &'a EnvironmentAddress,
    /// What the request itself asks for.
    pub request: &'a Resource,
}

/// What an address in a body asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyAddress {
    /// A resource, relative to the root of the request's service.
    Relative(Resource),
    /// A resource, by its address at bcproxy or at Business Central.
    Absolute(Resource),
    /// Something of another server.
    Elsewhere,
}

impl<'a> BodyBase<'a> {
    /// Reads an address.
    ///
    /// # Errors
    /// If it has no counterpart at Business Central, names another tenant or environment, or is at this server but not
    /// below the route.
    pub fn read(&self, address: &str, company_headers: &[String]) -> Result<BodyAddress, AddressError> {
        // `#` would begin a fragment, which no server sees; old clients write it into names.
        let address = address.trim().replace('#', "%23");
        let (path, query) = split_query(&address);
        if !path.starts_with(['/', '\\']) && !has_scheme(path) {
            return self.local(&format!("{}/{path}", self.root()), query, company_headers).map(BodyAddress::Relative);
        }
        let upstream = |resource: Resource| {
            self.environment.check_target(path)?;
            resource.by_client(company_headers, self.environment)
        };
        let resource = if let Some(from_root) = self.path_from_root(path) {
            let below = self.below_route(from_root)?;
            // On-premises servers had addresses that begin like those of the cloud.
            let may_be_upstream = below.is_none() || *self.surface != Surface::Nav;
            match may_be_upstream.then(|| self.environment.recognize_path(from_root, query)).flatten() {
                Some(resource) => upstream(resource)?,
                None => match below {
                    Some(below) => self.local(below.as_str(), query, company_headers)?,
                    None => return Err(AddressError::NotBelowRoute { address, route: self.route.to_owned() }),
                },
            }
        } else {
            match self.environment.recognize(path, query) {
                Some(resource) => upstream(resource)?,
                None => return Ok(BodyAddress::Elsewhere),
            }
        };
        Ok(BodyAddress::Absolute(resource))
    }

    /// Reads what follows a reference to another address, below the root of the request's service.
    pub fn read_reference(&self, rest: &str, company_headers: &[String]) -> Result<Resource, AddressError> {
        let address = format!("{}/reference{}", self.root(), rest.replace('#', "%23"));
        let (path, query) = split_query(&address);
        self.local(path, query, company_headers)
    }

    /// What follows the route's own path; `None` if the path is not below it.
    pub fn below_route<'p>(&self, from_root: &'p str) -> Result<Option<SafePath<'p>>, AddressError> {
        Ok(SafePath::check(from_root)?.without_leading_empty_segments().below(self.route))
    }

    /// The path of an address that begins with the client's own base address.
    pub fn path_at_base<'p>(&self, path: &'p str) -> Option<&'p str> {
        let authority = self.base_url.split_once("://").map_or(self.base_url, |(_, authority)| authority);
        let (scheme, rest) = path.split_once("://")?;
        let (head, rest) = rest.split_at_checked(authority.len())?;
        let is_ours = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
            && head.eq_ignore_ascii_case(authority);
        (is_ours && (rest.is_empty() || rest.starts_with('/'))).then_some(rest)
    }

    /// The path of an address that is this server's: one that begins at the root, or with the client's own base
    /// address. `//` and `/\` begin another server's address, but below the route they are empty segments.
    fn path_from_root<'p>(&self, path: &'p str) -> Option<&'p str> {
        let is_ours = |path: &&str| match path.strip_prefix('/') {
            Some(rest) if rest.starts_with('/') => self.below_route(path).is_ok_and(|below| below.is_some()),
            Some(rest) => !rest.starts_with('\\'),
            None => false,
        };
        self.path_at_base(path).or_else(|| Some(path).filter(is_ours))
    }

    /// The local path of the service's root, below the route's prefix.
    fn root(&self) -> String {
        self.request.local_service_root(self.surface).unwrap_or_default()
    }

    fn local(
        &self,
        remainder: &str,
        query: Option<&str>,
        company_headers: &[String],
    ) -> Result<Resource, AddressError> {
        let asked = LocalAddress { remainder: SafePath::check(remainder)?, query, company_headers };
        Resource::from_local(self.surface, asked, self.environment)
    }
}

/// Whether it begins with a scheme such as `https:` (RFC 3986, section 3.1).
fn has_scheme(path: &str) -> bool {
    path.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_in_a_key_makes_no_scheme() {
        for (path, has) in
            [("https://h/a", true), ("mailto:a", true), ("items('a:b')", false), ("a/b:c", false), ("1:2", false)]
        {
            assert_eq!(has_scheme(path), has, "{path}");
        }
    }
}
