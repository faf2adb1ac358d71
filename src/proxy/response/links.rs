//! The way back: addresses of Business Central as this client may follow them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::header::{CONTENT_LOCATION, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION};
use hyper::http::uri::{Authority, Scheme};

use crate::business_central::address::Resource;
use crate::business_central::{Company, SafePath};
use crate::config::{PublicUrl, UNROUTED_PREFIX};
use crate::proxy::environment::connector::Route;
use crate::proxy::exchange::Exchange;
use crate::proxy::request::route::Routes;
use crate::proxy::rewrite::{Address, Known, Turn};

/// What turns the addresses in one answer into local ones.
#[derive(Debug, Clone)]
pub struct Links {
    exchange: Arc<Exchange>,
    route: Arc<Route>,
}

impl Links {
    pub fn new(exchange: Arc<Exchange>, route: Arc<Route>) -> Self {
        Self { exchange, route }
    }

    fn routes(&self) -> &Routes {
        &self.exchange.snapshot.routes
    }

    /// The `host[:port]` texts an address to be turned can begin with.
    pub fn authorities(&self) -> Vec<&str> {
        self.route.destination.address.authorities().collect()
    }

    /// The local form of an address: scheme to path, without query and fragment; `None` when it is not Business Central's.
    ///
    /// The request's own route comes first, then another one to the same environment that is open to this client. What no route covers
    /// becomes an address that says so when it is followed.
    pub fn local(&self, path: &str, query: Option<&str>) -> Option<String> {
        let (address, base) = (&self.route.destination.address, self.exchange.base());
        let Some(resource) = address.recognise(path, query) else {
            let elsewhere = address.path_at_origin(path)?;
            return Some(format!("{base}{UNROUTED_PREFIX}{elsewhere}"));
        };
        let own = || {
            let (asked, companies) = self.exchange.asked()?;
            self.below(&self.route, &resource, companies.company.as_deref(), Some(asked))
        };
        let others = || {
            let below = |route| self.below(route, &resource, route.known_company()?.as_deref(), None);
            // The shortest, so that it is the same one every time.
            let paths = self.routes().iter().filter(|route| self.may_follow(route)).filter_map(below);
            paths.min_by(|one, other| (one.len(), one).cmp(&(other.len(), other)))
        };
        let local =
            own().or_else(others).unwrap_or_else(|| format!("{UNROUTED_PREFIX}{}", resource.path_below_environment()));
        Some(format!("{base}{local}"))
    }

    /// How a local address goes on below these routes and no other: what follows an entity set does not change the route.
    fn stays_on_its_route(&self, local: &str) -> bool {
        let path = local.strip_prefix(self.exchange.base()).unwrap_or(local);
        let is_below = |route: &Arc<Route>| {
            let rest = route.settings.path.as_str().strip_prefix(path);
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        !self.routes().iter().any(is_below)
    }

    /// Turns the addresses that stand in headers.
    pub fn in_headers(&self, headers: &mut HeaderMap) {
        for name in ADDRESS_HEADERS {
            let Some(address) = headers.get(&name).and_then(|value| value.to_str().ok()) else { continue };
            let end = address.find(['?', '#']).unwrap_or(address.len());
            let Some((path, rest)) = address.split_at_checked(end) else { continue };
            let query = rest.strip_prefix('?').and_then(|rest| rest.split('#').next());
            let whole = path.starts_with('/').then(|| format!("{}{path}", self.route.destination.address.origin()));
            if let Some(Ok(local)) = self
                .local(whole.as_deref().unwrap_or(path), query)
                .map(|local| HeaderValue::try_from(format!("{local}{rest}")))
            {
                headers.insert(name, local);
            }
        }
    }

    fn may_follow(&self, route: &Arc<Route>) -> bool {
        Arc::ptr_eq(&route.destination, &self.route.destination)
            && !Arc::ptr_eq(route, &self.route)
            && route.settings.allow_from.contains(self.exchange.client.ip())
    }

    /// The path below a route, if following it leads to that route again.
    fn below(
        &self,
        route: &Arc<Route>,
        resource: &Resource,
        company: Option<&Company>,
        asked: Option<&Resource>,
    ) -> Option<String> {
        let local = resource.local(&route.settings.surface, company, asked)?;
        let path = format!("{}{local}", route.settings.path.as_str());
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let found = self.routes().taken_by(SafePath::check(&path).ok()?)?;
        Arc::ptr_eq(found, route).then_some(path)
    }
}

/// The headers of an answer whose values are addresses.
pub const ADDRESS_HEADERS: [HeaderName; 3] = [LOCATION, CONTENT_LOCATION, HeaderName::from_static("odata-entityid")];

/// What turns all addresses of one body. A page holds thousands that differ in their keys only, so the way up to an entity set is turned
/// once and kept.
pub struct LinkTurner {
    links: Links,
    /// Whether there was an address already. What would be kept of the first is of no use where it is the only one.
    is_underway: bool,
    /// At most [`KNOWN_SETS`]; the latest ones.
    known: VecDeque<KnownSet>,
}

/// An entity set's address, there and here.
struct KnownSet {
    upstream: String,
    local: String,
}

impl LinkTurner {
    pub fn new(links: Links) -> Self {
        Self { links, is_underway: false, known: VecDeque::new() }
    }

    /// The entity set of an address that was turned, if it can be told from its key.
    fn known_set(&self, path: &str, local: &str) -> Option<KnownSet> {
        let resource = self.links.route.destination.address.recognise(path, None)?;
        let key = resource.key_in_company().filter(|key| plain_key(key.as_bytes()) == Some(key.len()))?;
        let (upstream, local) = (path.strip_suffix(key)?.to_owned(), local.strip_suffix(key)?.to_owned());
        let is_plain = is_written_plainly(&upstream) && is_written_plainly(&local);
        (is_plain && self.links.stays_on_its_route(&local)).then_some(KnownSet { upstream, local })
    }
}

impl Turn for LinkTurner {
    fn turn(&mut self, Address { location, query, .. }: Address<'_>) -> Option<String> {
        if let Some(known) = self.known(location.as_bytes())
            && let Some(key) = location.get(known.beginning..).filter(|key| key.len() == known.rest)
        {
            return Some([known.replacement, key].concat());
        }
        let local = self.links.local(location, query)?;
        if std::mem::replace(&mut self.is_underway, true)
            && let Some(set) = self.known_set(location, &local)
        {
            self.known.truncate(KNOWN_SETS - 1);
            self.known.push_front(set);
        }
        Some(local)
    }

    fn known(&self, value: &[u8]) -> Option<Known<'_>> {
        self.known.iter().find_map(|KnownSet { upstream, local }| {
            let rest = plain_key(value.strip_prefix(upstream.as_bytes())?)?;
            Some(Known { beginning: upstream.len(), replacement: local, rest })
        })
    }
}

/// What an entry and the entries expanded in it need.
const KNOWN_SETS: usize = 4;

/// The length of what follows an entity set, if it is written alike on both sides and can't lead elsewhere: keys of plain characters, and
/// properties.
fn plain_key(text: &[u8]) -> Option<usize> {
    let length = text.iter().position(|byte| !IS_PLAIN[usize::from(*byte)]).unwrap_or(text.len());
    let key = text.get(..length)?;
    let begins = matches!(key.first(), None | Some(b'(' | b'/'));
    // Without a branch per byte: there is hardly ever one.
    let pairs = key.iter().zip(key.iter().skip(1));
    let is_doubled = pairs.fold(false, |found, (&one, &next)| found | ((one == b'/') & (next == b'/')));
    (begins && !is_doubled && key.last() != Some(&b'/')).then_some(length)
}

/// The characters of plain keys, by their byte: a page has a hundred thousand of them.
const IS_PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = (byte as u8).is_ascii_alphanumeric()
            || matches!(byte as u8, b'(' | b')' | b'-' | b'_' | b'=' | b',' | b'/');
        byte += 1;
    }
    table
};

/// Whether no document escapes anything in it.
fn is_written_plainly(text: &str) -> bool {
    !text.contains(|character: char| character.is_ascii_control() || "\"'\\&<>".contains(character))
}

/// What local addresses begin with: `public_url` or, where there is none, scheme and authority as this client wrote them. What it reached
/// us by, it can reach us by again.
///
/// Without a usable `Host`, as HTTP/1.0 has none, the address the connection came in on.
pub fn base(
    public_url: Option<&PublicUrl>,
    headers: &HeaderMap,
    scheme: &Scheme,
    local_address: Option<SocketAddr>,
) -> String {
    if let Some(public_url) = public_url {
        return public_url.as_str().to_owned();
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse::<Authority>().ok());
    match (host.filter(|host| !host.as_str().contains('@')), local_address) {
        (Some(host), _) => format!("{scheme}://{host}"),
        (None, Some(address)) => format!("{scheme}://{address}"),
        (None, None) => format!("{scheme}://localhost"),
    }
}
