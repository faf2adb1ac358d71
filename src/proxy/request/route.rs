//! Routing: the route of a request, whether its client may use it, and the resource it asks for.

use std::borrow::Cow;
use std::net::IpAddr;

use hyper::Method;
use hyper::http::request::Parts;

use super::authenticate::handshake::LocalResponse;
use super::company_choice::check_automation;
use super::no_route::{RouteEntry, no_route, only_root};
use super::odata_v3;
use super::read_only::ReadOnly;
use crate::business_central::SafePath;
use crate::business_central::address::{AddressError, EnvironmentAddress, LocalAddress, Resource};
use crate::config::{self, UNROUTED_PREFIX};
use crate::proxy::body::client_body::ClientBody;
use crate::proxy::dialect::dialect;
use crate::proxy::environment::route_table::RouteTable;
use crate::proxy::headers;
use crate::proxy::methods::methods;
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::step::{Inbound, Routed};

/// The step: finds the route, checks whether this client and method may use it, and reads the address.
pub fn choose_route(inbound: Inbound) -> Result<Routed<ClientBody>, LocalResponse> {
    let Inbound { exchange, head, body } = inbound;
    let (route, remainder) = find(&exchange.snapshot.routes, head.uri.path())?;
    let route = route.clone();
    let routes = &exchange.snapshot.routes;
    let admitted = admit(routes, &route, &route.connector.address, &head, remainder, exchange.ip);
    let speaks_soap = admitted.as_ref().is_ok_and(Resource::is_soap) || exchange.looks_like_soap;
    let dialect = dialect(Some(&route.settings.surface), speaks_soap, exchange.reads_atom);
    exchange.notes.set_route(route.clone(), dialect);
    let resource = Box::new(admitted?);
    let deadline = route.connector.deadline(exchange.started);
    Ok(Routed { exchange, route, known_as: None, resource, dialect, head, body, deadline })
}

/// The route of a raw path, and the rest of the path behind its prefix.
pub fn find<'t, 'r, T: RouteEntry>(
    routes: &'t RouteTable<T>,
    path: &'r str,
) -> Result<(&'t T, SafePath<'r>), Rejection> {
    let path = SafePath::check(path)?.without_leading_empty_segments();
    if let Some(unrouted) = path.below(UNROUTED_PREFIX) {
        return Err(unrouted_link(unrouted));
    }
    routes.find(path).ok_or_else(|| no_route(routes, path))
}

/// The resource a request asks for, if this client and method may use the route. `routes`: for errors.
pub fn admit<T: RouteEntry>(
    routes: &RouteTable<T>,
    route: &T,
    environment: &EnvironmentAddress,
    head: &Parts,
    remainder: SafePath<'_>,
    client: IpAddr,
) -> Result<Resource, Rejection> {
    let settings = route.settings();
    if !settings.allow_from.contains(client) {
        let message = format!(
            "Route `{}` is not open to {client}. To allow this client, add its address to `allow_from` in proxy.yaml: that of \
             the route, or else that of `access`.",
            settings.path
        );
        return Err(Rejection::new(Kind::NotAllowed, message));
    }
    // Old OData clients hide their method behind a POST.
    check_method(settings, methods(&head.method, &head.headers))?;

    let company_headers =
        head.headers.get_all(headers::COMPANY).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let company_headers: Vec<String> = company_headers.map(Cow::into_owned).collect();
    let asked = LocalAddress { remainder, query: head.uri.query(), company_headers: &company_headers };
    let resource = Resource::from_local(&settings.surface, asked, environment).map_err(|error| match error {
        AddressError::NotNav if settings.path.as_str().is_empty() => only_root(routes, remainder),
        AddressError::ODataV3 { v3, v4 } => odata_v3::old_address(&v3, &v4, settings, routes),
        error => error.into(),
    })?;
    check_automation(settings, &resource)?;
    ReadOnly::of(settings, None).check_request(&resource, methods(&head.method, &head.headers))?;
    if !resource.is_soap() {
        odata_v3::check(settings, head)?;
    }
    Ok(resource)
}

/// The rejection of a link that no route covers.
fn unrouted_link(path: SafePath<'_>) -> Rejection {
    let message = format!(
        "A response of Business Central linked to `{}`, and no route of this connector covers that address. If clients need it, add a route \
         to proxy.yaml: {{ path: /NAME, to: {} }}.",
        path.as_str(),
        Resource::required_surface(path)
    );
    Rejection::new(Kind::NoRoute, message)
}

/// Rejects a method that the route does not list.
pub fn check_method(settings: &config::Route, methods: impl IntoIterator<Item = Method>) -> Result<(), Rejection> {
    let Some(allowed) = &settings.methods else { return Ok(()) };
    let Some(rejected) = methods.into_iter().find(|method| !allowed.contains(method)) else { return Ok(()) };
    let allowed: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    let message = format!(
        "Route `{}` does not allow {rejected}, only {}. See `methods` of the route in proxy.yaml.",
        settings.path,
        allowed.join(", ")
    );
    Err(Rejection::new(Kind::MethodNotAllowed, message))
}
