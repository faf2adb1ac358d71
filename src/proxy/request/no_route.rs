//! The rejection of a path that no route covers: it lists the routes, and names the one that is probably meant.

use std::sync::Arc;

use crate::business_central::{SafePath, Surface};
use crate::config::{self, closest_match};
use crate::proxy::environment::route::Route;
use crate::proxy::environment::route_table::RouteTable;
use crate::proxy::rejection::{Kind, Rejection};

/// An entry of a route table: a route, in service or as configured.
pub trait RouteEntry {
    /// The route as configured.
    fn settings(&self) -> &config::Route;
}

impl RouteEntry for Arc<Route> {
    fn settings(&self) -> &config::Route {
        &self.settings
    }
}

impl RouteEntry for &config::Route {
    fn settings(&self) -> &config::Route {
        self
    }
}

/// No route covers the path.
pub fn no_route<T: RouteEntry>(routes: &RouteTable<T>, path: SafePath<'_>) -> Rejection {
    rejection(routes, path, "")
}

/// Only the route `/` covers the path. It leads to `nav`, and the path is no address of a server on-premises.
pub fn only_root<T: RouteEntry>(routes: &RouteTable<T>, path: SafePath<'_>) -> Rejection {
    let root = " Directly below /, only /{instance}/WS/…, /{instance}/ODataV4/… and /{instance}/api/… of an on-premises \
         server work.";
    rejection(routes, path, root)
}

fn rejection<T: RouteEntry>(routes: &RouteTable<T>, path: SafePath<'_>, root: &str) -> Rejection {
    let first = routes.values_in_order().map(RouteEntry::settings).take(MAX_COMPARED + 1);
    let known: Vec<&config::Route> = first.collect();
    let is_all = known.len() <= MAX_COMPARED;
    let suggestion = suggested(&known, is_all, path).map_or_else(String::new, |path| format!(" Try {path}."));
    let more = if known.len() > MAX_LISTED { ", …" } else { "" };
    let listed: Vec<String> = known.iter().take(MAX_LISTED).map(|route| route.path.to_string()).collect();
    let message = format!(
        "No route covers this path.{suggestion} The routes are: {}{more}.{root} Correct the client's base address, or \
         add a route to proxy.yaml.",
        listed.join(", ")
    );
    Rejection::new(Kind::NoRoute, message)
}

/// The address that the client probably means. `is_all`: there are no other routes.
fn suggested(routes: &[&config::Route], is_all: bool, path: SafePath<'_>) -> Option<String> {
    let raw = path.as_str();
    if raw.len() > MAX_SUGGESTED {
        return None;
    }
    let added = || without_prefix(routes, path).filter(|_| is_all).map(|prefix| format!("{prefix}{raw}"));
    misspelled(routes, raw).or_else(added)
}

/// With the prefix that resembles the path's beginning.
fn misspelled(routes: &[&config::Route], path: &str) -> Option<String> {
    let prefixes = || routes.iter().map(|route| route.path.as_str()).filter(|prefix| !prefix.is_empty());
    let ends: Vec<usize> = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]).collect();
    ends.iter().enumerate().rev().find_map(|(index, &end)| {
        let (beginning, rest) = path.split_at_checked(end)?;
        let alike = prefixes().filter(|prefix| prefix.matches('/').count() == index + 1);
        Some(format!("{}{rest}", closest_match(beginning, alike)?))
    })
}

/// The prefix to put before a path that begins with a name: that of the only route to the surface the name belongs to.
fn without_prefix<'r>(routes: &[&'r config::Route], path: SafePath<'_>) -> Option<&'r str> {
    let segments = path.plain_segments();
    let first = segments.first().map(|segment| segment.decoded()).filter(|name| !name.is_empty())?;
    let is_soap = |word: &str| segments.iter().take(2).any(|segment| segment.is(word));
    let leads_there: fn(&Surface) -> bool = match first.chars().next()? {
        _ if ["Page", "Codeunit", "Services", "SystemService"].into_iter().any(is_soap) => {
            |surface| *surface == Surface::Soap
        }
        // An unknown prefix, rather than an entity set with a key or a property.
        _ if segments.len() > 2 && !first.contains('(') => return None,
        // Entity sets of the API begin with a lower-case letter, and web services are named after objects.
        letter if letter.is_lowercase() => |surface| matches!(surface, Surface::Api(_)),
        letter if letter.is_uppercase() => |surface| *surface == Surface::OData,
        _ => return None,
    };
    let mut fitting = routes.iter().filter(|route| leads_there(&route.surface));
    let only = fitting.next().filter(|_| fitting.next().is_none())?;
    Some(only.path.as_str())
}

/// How many routes a message lists.
const MAX_LISTED: usize = 20;

/// How many routes are compared with a path: it takes time, and anybody can cause it.
const MAX_COMPARED: usize = 40;

/// The longest path that is repeated with another prefix, in bytes.
const MAX_SUGGESTED: usize = 200;
