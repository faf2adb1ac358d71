//! Mapping addresses of Business Central to addresses that this client can follow.

use std::sync::Arc;

use hyper::header::{CONTENT_LOCATION, HeaderMap, HeaderName, HeaderValue, LOCATION};

use crate::business_central::address::Resource;
use crate::business_central::{Company, SafePath, Surface};
use crate::config::UNROUTED_PREFIX;
use crate::proxy::environment::route::{MetadataLink, Route};
use crate::proxy::environment::route_table::RouteTable;
use crate::proxy::exchange::Exchange;
use crate::proxy::request::target::Target;

/// Maps the links in one response to local ones.
#[derive(Debug, Clone)]
pub struct Links {
    pub exchange: Arc<Exchange>,
    pub target: Arc<Target>,
}

impl Links {
    fn routes(&self) -> &RouteTable<Arc<Route>> {
        &self.exchange.snapshot.routes
    }

    /// What an upstream address without query asks for.
    pub fn recognize(&self, path: &str) -> Option<Resource> {
        self.target.route.connector.address.recognize(path, None)
    }

    /// The origins that a link to rewrite can begin with.
    pub fn origins(&self) -> Arc<[String]> {
        self.target.route.connector.address.link_origins.clone()
    }

    /// The local form of an address from scheme to path, without query and fragment. `None` when it is not Business
    /// Central's.
    ///
    /// The request's own route comes first, then another route to the same environment that is open to this client. An
    /// address that no
    /// route covers becomes one that says so when it is followed.
    pub fn local(&self, path: &str, query: Option<&str>) -> Option<String> {
        let (address, base) = (&self.target.route.connector.address, self.exchange.base_url.as_str());
        if query.is_none()
            && let Some(known) = self.target.route.metadata_link.load().as_deref()
            && known.snapshot == self.exchange.snapshot.number
            && known.upstream == path
        {
            return Some([base, &known.local].concat());
        }
        let Some(resource) = address.recognize(path, query) else {
            let path_at_origin = address.path_at_origin(path)?;
            return Some([base, UNROUTED_PREFIX, path_at_origin].concat());
        };
        let own = || {
            let Target { route, resource: asked, companies } = &*self.target;
            let local = self.below(route, &resource, companies.company.as_deref(), Some(asked))?;
            if query.is_none() && resource.is_metadata() && route.settings.surface != Surface::Nav {
                let (snapshot, upstream) = (self.exchange.snapshot.number, path.to_owned());
                let known = MetadataLink { snapshot, upstream, local: local.clone() };
                route.metadata_link.store(Some(Arc::new(known)));
            }
            Some(local)
        };
        let others = || {
            let below = |route| self.below(route, &resource, route.known_company()?.as_deref(), None);
            // The shortest, so that the choice is stable.
            let paths = self.routes().values().filter(|route| self.may_follow(route)).filter_map(below);
            paths.min_by(|one, other| (one.len(), one).cmp(&(other.len(), other)))
        };
        let local = own().or_else(others).unwrap_or_else(|| [UNROUTED_PREFIX, &resource.environment_path()].concat());
        Some([base, &local].concat())
    }

    /// Whether whatever follows this local address stays on the same route.
    pub fn stays_on_its_route(&self, local: &str) -> bool {
        let path = local.strip_prefix(&self.exchange.base_url).unwrap_or(local);
        let is_below = |route: &Arc<Route>| {
            let rest = route.settings.path.as_str().strip_prefix(path);
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        !self.routes().values().any(is_below)
    }

    /// Rewrites the links in headers.
    pub fn in_headers(&self, headers: &mut HeaderMap) {
        for name in ADDRESS_HEADERS {
            let Some(address) = headers.get(&name).and_then(|value| value.to_str().ok()) else { continue };
            let end = address.find(['?', '#']).unwrap_or(address.len());
            let Some((path, rest)) = address.split_at_checked(end) else { continue };
            let query = rest.strip_prefix('?').and_then(|rest| rest.split('#').next());
            let whole =
                path.starts_with('/').then(|| format!("{}{path}", self.target.route.connector.address.origin()));
            if let Some(Ok(local)) = self
                .local(whole.as_deref().unwrap_or(path), query)
                .map(|local| HeaderValue::try_from(format!("{local}{rest}")))
            {
                headers.insert(name, local);
            }
        }
    }

    fn may_follow(&self, route: &Arc<Route>) -> bool {
        Arc::ptr_eq(&route.connector, &self.target.route.connector)
            && !Arc::ptr_eq(route, &self.target.route)
            && route.settings.allow_from.contains(self.exchange.ip)
    }

    /// The path below a route, if following it leads to that route again.
    fn below(
        &self,
        route: &Arc<Route>,
        resource: &Resource,
        company: Option<&Company>,
        asked: Option<&Resource>,
    ) -> Option<String> {
        let local = resource.to_local(&route.settings.surface, company, asked)?;
        let path = [route.settings.path.as_str(), &local].concat();
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let (found, _) = self.routes().find(SafePath::check(&path).ok()?)?;
        Arc::ptr_eq(found, route).then_some(path)
    }
}

/// Response headers whose values are links.
pub const ADDRESS_HEADERS: [HeaderName; 3] = [LOCATION, CONTENT_LOCATION, HeaderName::from_static("odata-entityid")];
