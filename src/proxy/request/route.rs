//! Routing: which route a request takes, whether it may, and which resource of Business Central it asks for.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use hyper::Method;
use hyper::http::request::Parts;

use super::odata_v3;
use crate::business_central::SafePath;
use crate::business_central::address::{Asked, EnvironmentAddress, Resource};
use crate::config::{self, UNROUTED_PREFIX};
use crate::proxy::body::request_body::ClientBody;
use crate::proxy::environment::connector::Route;
use crate::proxy::environment::route_table::RouteTable;
use crate::proxy::headers;
use crate::proxy::rejection::{Kind, Refusal};
use crate::proxy::step::{Inbound, Routed};

/// The routes in service.
#[derive(Debug, Clone)]
pub struct Routes(Arc<RouteTable<Arc<Route>>>);

impl Routes {
    pub fn new(routes: Vec<Arc<Route>>) -> Self {
        let by_path = routes.into_iter().map(|route| (route.settings.path.as_str().to_owned(), route));
        Self(Arc::new(RouteTable::new(by_path)))
    }

    /// The step: finds the route, asks whether this client and method may take it, and understands the address.
    pub fn choose(inbound: Inbound) -> Result<Routed<ClientBody>, Refusal> {
        let Inbound { exchange, head, body } = inbound;
        let (route, remainder) = find(&exchange.snapshot.routes.0, head.uri.path())?;
        exchange.on_route(route);
        let resource = admit(&route.settings, &route.destination.address, &head, remainder, exchange.client.ip())?;
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
}

/// The route a raw path takes, and what of the path follows its prefix.
pub fn find<'t, 'r, T>(routes: &'t RouteTable<T>, path: &'r str) -> Result<(&'t T, SafePath<'r>), Refusal> {
    let path = SafePath::check(path)?;
    if let Some(unrouted) = path.below(UNROUTED_PREFIX) {
        return Err(no_route_back(unrouted));
    }
    routes.find(path).ok_or_else(|| no_route(routes))
}

/// What a request asks for, if this client and method may take the route.
pub fn admit(
    settings: &config::Route,
    environment: &EnvironmentAddress,
    head: &Parts,
    remainder: SafePath<'_>,
    client: IpAddr,
) -> Result<Resource, Refusal> {
    if !settings.allow_from.contains(client) {
        let message = format!(
            "Route `{}` is not open to {client}; if it should be, add the address to `allow_from` of the route in proxy.yaml.",
            settings.path
        );
        return Err(Refusal::new(Kind::NotAllowed, message));
    }
    // The method that counts: old OData clients hide theirs behind a POST.
    allows(settings, headers::methods(&head.method, &head.headers))?;

    let company_headers = head.headers.get_all("company").iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let company_headers: Vec<String> = company_headers.map(Cow::into_owned).collect();
    let asked = Asked { remainder, query: head.uri.query(), company_headers: &company_headers };
    let resource = Resource::understand(&settings.surface, asked, environment)
        .map_err(|error| odata_v3::below_route(error, settings))?;
    if !resource.is_soap() {
        odata_v3::refuse(settings, head)?;
    }
    Ok(resource)
}

fn no_route<T>(routes: &RouteTable<T>) -> Refusal {
    let mut known: Vec<&str> = routes.prefixes().map(|prefix| if prefix.is_empty() { "/" } else { prefix }).collect();
    known.sort_unstable();
    let more = if known.len() > SHOWN_ROUTES { ", …" } else { "" };
    known.truncate(SHOWN_ROUTES);
    let message = format!(
        "No route covers this path. Routes there are: {}{more}. Correct the program's base address or add a route to proxy.yaml.",
        known.join(", ")
    );
    Refusal::new(Kind::NoRoute, message)
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

/// Refuses a method that is not among the route's.
pub fn allows(settings: &config::Route, methods: impl IntoIterator<Item = Method>) -> Result<(), Refusal> {
    let Some(allowed) = &settings.methods else { return Ok(()) };
    match methods.into_iter().find(|method| !allowed.contains(method)) {
        None => Ok(()),
        Some(refused) => {
            let allowed: Vec<&str> = allowed.iter().map(Method::as_str).collect();
            let message = format!(
                "Route `{}` does not allow {refused}, only {}; see `methods` of the route in proxy.yaml.",
                settings.path,
                allowed.join(", ")
            );
            Err(Refusal::new(Kind::MethodNotAllowed, message))
        }
    }
}

const SHOWN_ROUTES: usize = 20;
