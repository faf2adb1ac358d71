//! What is done with the body of Business Central's answer on its way, as far as its head shows.

use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};

use crate::business_central::address::{Resource, SubscriptionKind, SubscriptionScope};
use crate::proxy::exchange::Exchange;
use crate::proxy::methods::only_reads;
use crate::proxy::request::target::Target;
use crate::proxy::rewrite::Document;

/// What is done with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyPlan {
    /// Where addresses that are to be turned can stand in it.
    pub document: Option<Document>,
    /// What of it is narrowed down to the companies of the route.
    pub narrowed: Option<List>,
    /// Whether its compression is undone.
    pub is_decoded: bool,
}

impl BodyPlan {
    pub fn of(exchange: &Exchange, target: &Target, status: StatusCode, headers: &HeaderMap) -> Self {
        let coding = Coding::of(headers);
        // What is coded in a way nobody asked for can't be looked into.
        let document =
            document(&target.resource, &exchange.method, status, headers).filter(|_| coding != Coding::Other);
        let narrowed = (status.is_success() && target.companies.within.is_some())
            .then(|| narrowed_list(&target.resource, &exchange.method))
            .flatten();
        let is_decoded = coding == Coding::Gzip && (document.is_some() || narrowed.is_some() || !exchange.accepts_gzip);
        Self { document, narrowed, is_decoded }
    }

    /// Whether the client gets another body than Business Central sent; the beginning of such a one is read ahead.
    pub fn changes_body(self) -> bool {
        self.is_decoded || self.narrowed.is_some() || self.document.is_some()
    }
}

/// How a body is coded (RFC 9110, section 8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
    Other,
}

impl Coding {
    fn of(headers: &HeaderMap) -> Self {
        let mut codings = headers.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
        match (codings.next(), codings.next()) {
            (None, _) => Self::Identity,
            (Some(only), None) if only.eq_ignore_ascii_case(b"identity") => Self::Identity,
            (Some(only), None) if only.eq_ignore_ascii_case(b"gzip") => Self::Gzip,
            _ => Self::Other,
        }
    }
}

/// A list of something of all companies, which no condition sent along can narrow down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// The answer of the system service: a SOAP call knows no filter.
    Companies,
    /// By what each one is about no filter is known to work.
    Subscriptions(SubscriptionKind),
}

/// The list that such a request is answered with, on a route that leads to some companies only.
pub fn narrowed_list(asked: &Resource, method: &Method) -> Option<List> {
    match asked.subscription_scope() {
        Some((subscription, SubscriptionScope::All)) if *method == Method::GET => {
            Some(List::Subscriptions(subscription))
        }
        _ => (asked.is_system_service() && !only_reads(method)).then_some(List::Companies),
    }
}

/// Where addresses can stand in an answer; `None` for one that holds none or must not be touched.
fn document(asked: &Resource, method: &Method, status: StatusCode, headers: &HeaderMap) -> Option<Document> {
    let has_body = !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT);
    let kind = headers.get(CONTENT_TYPE).filter(|_| has_body)?.to_str().ok()?;
    document_of(asked, method, kind)
}

/// Where addresses can stand in an answer of this media type to a request for this resource.
pub fn document_of(asked: &Resource, method: &Method, kind: &str) -> Option<Document> {
    if asked.is_media() {
        return None;
    }
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => Some(if asked.is_batch() { Document::JsonBatch } else { Document::Json }),
        "application/atom+xml" | "application/atomsvc+xml" => Some(Document::Atom),
        // What a SOAP call answers is data; what a GET answers describes the service.
        "text/xml" | "application/xml" | "application/wsdl+xml" if only_reads(method) => Some(Document::Wsdl),
        _ => None,
    }
}
