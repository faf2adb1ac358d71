//! Addresses inside a request's body, read like those of requests of their own.

use crate::business_central::address::{EnvironmentAddress, LocalAddress, Resource, split_query};
use crate::business_central::{SafePath, Surface};
use crate::config;
use crate::proxy::environment::look_up::LookUp;
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::request::company_choice::{Companies, companies_of, is_confined};

/// What the addresses in a body are read against.
#[derive(Debug)]
pub struct BodyContext<'a, L> {
    pub settings: &'a config::Route,
    pub environment: &'a EnvironmentAddress,
    pub look_up: &'a L,
    /// Scheme and authority by which the client reaches bcproxy.
    pub base_url: &'a str,
    /// What the request itself asks for.
    pub request: &'a Resource,
}

/// An address inside a body.
#[derive(Debug)]
pub struct ResolvedAddress {
    pub resource: Resource,
    pub companies: Companies,
    pub is_relative: bool,
}

impl<L: LookUp> BodyContext<'_, L> {
    /// What an address asks for; `None` when it belongs to another server.
    pub async fn resolve(
        &self,
        address: &str,
        company_headers: &[String],
    ) -> Result<Option<ResolvedAddress>, Rejection> {
        // `#` would begin a fragment, which no server sees; old clients write it into names.
        let address = address.replace('#', "%23");
        let (path, query) = split_query(&address);
        let is_relative = !path.starts_with(['/', '\\']) && !has_scheme(path);
        let resource = if is_relative {
            self.local(&format!("{}/{path}", self.root()), query, company_headers)?
        } else if let Some(from_root) = self.path_from_root(path) {
            let below = self.below_route(from_root)?;
            // On-premises servers had addresses that begin like those of the cloud.
            let may_be_upstream = below.is_none() || self.settings.surface != Surface::Nav;
            let upstream = may_be_upstream.then(|| self.environment.recognize_path(from_root, query)).flatten();
            match (upstream, below) {
                (Some(resource), _) => resource.with_company_headers(company_headers)?,
                (None, Some(below)) => self.local(below.as_str(), query, company_headers)?,
                (None, None) => return Err(self.not_below_route(&address)),
            }
        } else {
            let Some(resource) = self.environment.recognize(path, query) else { return Ok(None) };
            resource.with_company_headers(company_headers)?
        };
        self.in_company(resource, is_relative).await.map(Some)
    }

    /// Checks what follows a reference to an earlier request of the batch: it must not leave what that request asks
    /// for.
    pub async fn check_reference(&self, rest: &str, company_headers: &[String]) -> Result<(), Rejection> {
        let address = format!("{}/reference{}", self.root(), rest.replace('#', "%23"));
        let (path, query) = split_query(&address);
        let understood = self.in_company(self.local(path, query, company_headers)?, true).await?;
        Ok(understood.resource.check_company(understood.companies.company.as_deref())?)
    }

    /// The local path of the service's root, below the route's prefix.
    fn root(&self) -> String {
        self.request.local_service_root(&self.settings.surface).unwrap_or_default()
    }

    fn local(&self, remainder: &str, query: Option<&str>, company_headers: &[String]) -> Result<Resource, Rejection> {
        let asked = LocalAddress { remainder: SafePath::check(remainder)?, query, company_headers };
        Ok(Resource::from_local(&self.settings.surface, asked, self.environment)?)
    }

    async fn in_company(&self, mut resource: Resource, is_relative: bool) -> Result<ResolvedAddress, Rejection> {
        let companies = companies_of(self.settings, self.look_up, &mut resource).await?;
        Ok(ResolvedAddress { resource, companies, is_relative })
    }

    /// Whether the route can't reach every company.
    pub fn is_confined(&self) -> bool {
        is_confined(self.settings)
    }

    /// What was read of a body. `None` where it can't be read and passes as it came: on a route that reaches any
    /// company, there is nothing to confine.
    pub fn readable<T>(&self, read: Result<T, serde_json::Error>) -> Result<Option<T>, Rejection> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(_) if !self.is_confined() => Ok(None),
            Err(error) => Err(not_json(&error)),
        }
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

    /// What follows the route's own path; `None` if the path is not below it.
    pub fn below_route<'p>(&self, from_root: &'p str) -> Result<Option<SafePath<'p>>, Rejection> {
        Ok(SafePath::check(from_root)?.without_leading_empty_segments().below(self.settings.path.as_str()))
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

    fn not_below_route(&self, address: &str) -> Rejection {
        let message = format!(
            "The address `{address}` in the body is not below the route `{}`. Write it relative to the root of the service, such as \
             customers(…).",
            self.settings.path
        );
        Rejection::new(Kind::BadRequest, message)
    }
}

/// The rejection of a body that is no JSON.
pub fn not_json(error: &serde_json::Error) -> Rejection {
    let message = format!("The body is not valid JSON ({error}), so its company is not known. Correct the body.");
    Rejection::new(Kind::BadRequest, message)
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
