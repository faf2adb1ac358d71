//! What happens to the body of a response on its way, as far as the response's head tells.

use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};

use crate::business_central::address::{Resource, SubscriptionKind, SubscriptionScope};
use crate::proxy::exchange::Exchange;
use crate::proxy::methods::only_reads;
use crate::proxy::request::target::Target;
use crate::proxy::rewrite::Document;

/// What happens to a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyPlan {
    /// Where links can stand in it; `None`: it holds none.
    pub document: Option<Document>,
    /// The list in it that is filtered to the route's companies.
    pub filtered: Option<List>,
    /// Whether it is decompressed.
    pub is_decoded: bool,
}

impl BodyPlan {
    pub fn of(exchange: &Exchange, target: &Target, status: StatusCode, headers: &HeaderMap) -> Self {
        let coding = Coding::of(headers);
        // A content coding that was not asked for can't be decoded.
        let document =
            document(&target.resource, &exchange.method, status, headers).filter(|_| coding != Coding::Other);
        let filtered = (status.is_success() && target.companies.within.is_some())
            .then(|| list_to_filter(&target.resource, &exchange.method))
            .flatten();
        let is_decoded = coding == Coding::Gzip && (document.is_some() || filtered.is_some() || !exchange.accepts_gzip);
        Self { document, filtered, is_decoded }
    }

    /// Whether the client gets another body than Business Central sent. The beginning of such a body is read ahead.
    pub fn changes_body(self) -> bool {
        self.is_decoded || self.filtered.is_some() || self.document.is_some()
    }
}

/// The content coding of a body (RFC 9110, section 8.4).
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

/// A list that spans companies and that no filter in the request can confine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// The response of the system service: SOAP calls support no filter.
    Companies,
    /// Subscriptions: no filter on their company is known to work.
    Subscriptions(SubscriptionKind),
}

/// The list in the response to a request on a confined route.
pub fn list_to_filter(asked: &Resource, method: &Method) -> Option<List> {
    match asked.subscription_scope() {
        Some((subscription, SubscriptionScope::All)) if *method == Method::GET => {
            Some(List::Subscriptions(subscription))
        }
        _ => (asked.is_system_service() && !only_reads(method)).then_some(List::Companies),
    }
}

/// Where links can stand in a response; `None` for one that holds none or must not be changed.
fn document(asked: &Resource, method: &Method, status: StatusCode, headers: &HeaderMap) -> Option<Document> {
    let has_body = !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT);
    document_of(asked, method, headers.get(CONTENT_TYPE).filter(|_| has_body)?.as_bytes())
}

/// Where links can stand in a response of this media type to a request for this resource.
pub fn document_of(asked: &Resource, method: &Method, kind: &[u8]) -> Option<Document> {
    if asked.is_media() {
        return None;
    }
    let kind = kind.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let is_any = |kinds: &[&str]| kinds.iter().any(|known| kind.eq_ignore_ascii_case(known.as_bytes()));
    if is_any(&["application/json"]) {
        return Some(if asked.is_batch() { Document::JsonBatch } else { Document::Json });
    }
    if is_any(&["application/atom+xml", "application/atomsvc+xml"]) {
        return Some(Document::Atom);
    }
    // The response to a SOAP call is data; the response to a GET describes the service.
    (only_reads(method) && is_any(&["text/xml", "application/xml", "application/wsdl+xml"])).then_some(Document::Wsdl)
}
