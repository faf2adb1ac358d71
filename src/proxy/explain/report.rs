//! What is told of a request: facts, in words where a number would not do.

use std::net::IpAddr;

use hyper::header::HeaderMap;
use serde::Serialize;

/// What would become of a request.
#[derive(Debug, Serialize)]
pub struct Explanation {
    pub request: ParsedRequest,
    /// `None` when no route was found.
    pub route: Option<ChosenRoute>,
    /// One; more where it depends on what only Business Central knows.
    pub cases: Vec<Case>,
    /// What was supposed, and what would be looked up first.
    pub notes: Vec<String>,
}

/// The request as the steps of the data path get it.
#[derive(Debug, Serialize)]
pub struct ParsedRequest {
    pub method: String,
    /// Path and query, or a whole address, after the repair of what old programs write raw.
    pub target: String,
    pub is_repaired: bool,
    pub client: IpAddr,
}

/// The route a request takes.
#[derive(Debug, Serialize)]
pub struct ChosenRoute {
    pub path: String,
    pub connector: String,
    /// The surface.
    pub to: String,
    pub environment: String,
    /// All of these in words.
    #[serde(skip)]
    pub target: String,
}

/// What becomes of a request, on a condition.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// What only Business Central knows; `None` when it happens in any case.
    #[serde(rename = "if")]
    pub condition: Option<String>,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Sent(Box<SentRequest>),
    Rejected(Rejected),
    /// It begins a Windows handshake, which is answered here; the request itself comes after it.
    Challenged(Challenged),
}

/// What Business Central gets, and what becomes of its answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct SentRequest {
    /// Where the company comes from.
    pub company: String,
    pub method: String,
    pub url: String,
    /// The outbound proxy it goes through; `None`: straight.
    pub through: Option<String>,
    pub headers: HeaderChanges,
    /// The body, where it was given and is not sent as it came.
    pub body: Option<String>,
    /// What the route's cache does, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<String>,
    pub response: ResponseChanges,
}

/// How headers change.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct HeaderChanges {
    pub added: Vec<Header>,
    pub changed: Vec<Header>,
    /// Names only: what a client shows of who it is stays with it.
    pub removed: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Header {
    pub name: String,
    pub value: String,
    /// The key of the configuration that wants it so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<&'static str>,
}

/// What becomes of the answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct ResponseChanges {
    /// What addresses that are there to be followed begin with.
    pub addresses_begin_with: String,
    /// Headers that hold such addresses.
    pub headers: Vec<String>,
    /// Bodies that hold such addresses; every other one passes as it is.
    pub bodies: Vec<BodyChange>,
    pub removed: Vec<String>,
    /// By the route's rules.
    pub set: Vec<Header>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct BodyChange {
    pub content_type: &'static str,
    pub changed: &'static str,
}

/// An answer of the proxy's own.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// As the client gets it.
    pub status: u16,
    /// What it means: a SOAP fault is always sent with 500.
    pub meant: u16,
    pub code: &'static str,
    pub message: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Challenged {
    pub status: u16,
    /// The scheme of the challenge.
    pub scheme: String,
}

impl HeaderChanges {
    /// From what a client sent to what is sent on. How long a body is, each side says for itself.
    pub fn between(before: &HeaderMap, after: &HeaderMap) -> Self {
        let is_framing = |name: &str| matches!(name, "content-length" | "transfer-encoding");
        let mut changes = Self::default();
        for name in after.keys().filter(|name| !is_framing(name.as_str())) {
            let values: Vec<_> = after.get_all(name).iter().collect();
            let target = match before.get_all(name).iter().collect::<Vec<_>>() {
                known if known == values => continue,
                known if known.is_empty() => &mut changes.added,
                _ => &mut changes.changed,
            };
            target.extend(values.into_iter().map(|value| Header::new(name.as_str(), value.as_bytes())));
        }
        let removed = before.keys().filter(|name| !after.contains_key(*name) && !is_framing(name.as_str()));
        changes.removed = removed.map(ToString::to_string).collect();
        changes
    }
}

impl Header {
    pub fn new(name: &str, value: &[u8]) -> Self {
        Self { name: name.to_owned(), value: String::from_utf8_lossy(value).into_owned(), by: None }
    }
}
