//! Routing: which route a request takes, whether it may, and which resource of Business Central it asks for.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::Method;
use hyper::http::request::Parts;

use super::destination::Route;
use super::headers;
use super::refusal::{Kind, Refusal};
use super::request_body::ClientBody;
use super::route_table::RouteTable;
use super::step::{Inbound, Routed};
use crate::business_central::SafePath;
use crate::business_central::address::{Asked, Resource};
use crate::config::UNROUTED;

/// The routes in service.
#[derive(Debug, Clone)]
pub struct Routes(Arc<RouteTable<Arc<Route>>>);

impl Routes {
    pub fn new(routes: Vec<Arc<Route>>) -> Self {
        let by_path = routes.into_iter().map(|route| (route.settings.path.as_str().to_owned(), route));
        Self(Arc::new(RouteTable::new(by_path)))
    }

    /// The step: finds the route, asks whether this client and method may take it, and understands the address.
    pub fn choose(&self, inbound: Inbound) -> Result<Routed<ClientBody>, Refusal> {
        let Inbound { exchange, head, body } = inbound;
        let path = SafePath::check(head.uri.path())?;
        if let Some(unrouted) = path.below(UNROUTED) {
            return Err(no_route_back(unrouted));
        }
        let (route, remainder) = self.0.find(path).ok_or_else(|| self.no_route())?;
        exchange.on_route(route);

        let client = exchange.client.ip();
        if !route.settings.allow_from.contains(client) {
            let message = format!(
                "Route `{}` is not open to {client}; if it should be, add the address to `allow_from` of the route in proxy.yaml.",
                route.settings.path
            );
            return Err(Refusal::new(Kind::NotAllowed, message));
        }
        may_use(route, &head)?;

        let company_headers =
            head.headers.get_all("company").iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let company_headers: Vec<String> = company_headers.map(Cow::into_owned).collect();
        let asked = Asked { remainder, query: head.uri.query(), company_headers: &company_headers };
        let resource = Resource::understand(&route.settings.surface, asked, &route.destination.address)?;
        if resource.is_soap() {
            exchange.is_soap();
        }
        let route = route.clone();
        Ok(Routed { exchange, route, resource, head, body })
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.0.values()
    }

    /// The route a path takes.
    pub fn taken_by(&self, path: SafePath<'_>) -> Option<&Arc<Route>> {
        self.0.find(path).map(|(route, _)| route)
    }

    fn no_route(&self) -> Refusal {
        let mut known: Vec<String> = self.0.values().map(|route| route.settings.path.to_string()).collect();
        known.sort_unstable();
        let more = if known.len() > SHOWN_ROUTES { ", …" } else { "" };
        known.truncate(SHOWN_ROUTES);
        let message = format!(
            "No route covers this path. Routes there are: {}{more}. Correct the program's base address or add a route to proxy.yaml.",
            known.join(", ")
        );
        Refusal::new(Kind::NoRoute, message)
    }
}

/// The answer to an address of Business Central that was in an answer and that no route covers.
fn no_route_back(path: SafePath<'_>) -> Refusal {
    let message = format!(
        "Business Central's answer named the address `{}`, and no route of this connector leads there. If programs need it, add a route to \
         proxy.yaml: {{ path: /NAME, to: {} }}.",
        path.as_str(),
        Resource::surface_of(path)
    );
    Refusal::new(Kind::NoRoute, message)
}

/// The method that counts: old OData clients hide theirs behind a POST.
fn may_use(route: &Route, head: &Parts) -> Result<(), Refusal> {
    allows(route, headers::methods(&head.method, &head.headers))
}

/// Refuses a method that is not among the route's.
pub fn allows(route: &Route, methods: impl IntoIterator<Item = Method>) -> Result<(), Refusal> {
    let Some(allowed) = &route.settings.methods else { return Ok(()) };
    match methods.into_iter().find(|method| !allowed.contains(method)) {
        None => Ok(()),
        Some(refused) => {
            let allowed: Vec<&str> = allowed.iter().map(Method::as_str).collect();
            let message = format!(
                "Route `{}` does not allow {refused}, only {}; see `methods` of the route in proxy.yaml.",
                route.settings.path,
                allowed.join(", ")
            );
            Err(Refusal::new(Kind::MethodNotAllowed, message))
        }
    }
}

const SHOWN_ROUTES: usize = 20;
