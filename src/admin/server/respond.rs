//! What each request passes on its way to a response.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};

use super::router::route;
use super::sign_in;
use super::text_response::TextResponse;
use crate::admin::access::{Access, Peer, Rejection};
use crate::admin::control::Control;

/// What requests are answered with. Clones share it.
#[derive(Debug, Clone)]
pub struct Service {
    /// The service and its state.
    pub control: Control,
    /// Who may use it.
    pub access: Arc<Access>,
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP, within TLS where the address has a certificate.
    AsExpected,
    /// Plain HTTP on an address for HTTPS.
    HttpOnHttps,
}

impl Service {
    /// The response to a request.
    pub async fn respond(
        self,
        request: Request<Incoming>,
        peer: Peer,
        speaks: Speaks,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let response = match speaks {
            Speaks::AsExpected => {
                self.handle(&head, body, peer).await.unwrap_or_else(|reason| rejection(&reason, &head))
            }
            Speaks::HttpOnHttps => rejection(&Rejection::PlainHttp, &head),
        };
        Ok(response.into_response())
    }

    /// The response of the page or the order that is asked for, if the rules permit it.
    async fn handle(&self, head: &Parts, body: Incoming, peer: Peer) -> Result<TextResponse, Rejection> {
        self.access.check(head, peer)?;
        if self.access.has_sign_in(peer.scope) {
            match head.uri.path() {
                "/sign-in" => return sign_in::sign_in(self, head, body, peer).await,
                "/sign-out" => return Ok(sign_in::sign_out(self, head, peer)),
                _ => {}
            }
        }
        let caller = self.access.authorize(head, peer, &self.control.status().view).await?;
        Ok(route(head, body, &self.control, caller).await)
    }

    /// Logs that a client was rejected, unless clients cause too many lines.
    pub fn log_rejected(&self, client: IpAddr, reason: &str) {
        if self.control.status().view.records.problems.line_limit.admits_rejection(client) {
            tracing::warn!(%client, "rejected a connection to the admin listener: {reason}");
        }
    }
}

/// The response to a rejected request. A person is led to the sign-in page.
fn rejection(reason: &Rejection, head: &Parts) -> TextResponse {
    if *reason == Rejection::NoToken && wants_page(head) {
        return see_other(sign_in::PATH);
    }
    let response = TextResponse::plain(reason.status(), reason.to_string());
    match reason {
        Rejection::NoToken | Rejection::WrongToken => {
            response.with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"bcproxy\""))
        }
        Rejection::Busy => response.with(RETRY_AFTER, HeaderValue::from_static("1")),
        _ => response,
    }
}

/// A redirect that is followed with GET.
pub fn see_other(path: &'static str) -> TextResponse {
    TextResponse::plain(StatusCode::SEE_OTHER, format!("See {path}.")).with(LOCATION, HeaderValue::from_static(path))
}

/// Whether a browser asks for a page.
pub fn wants_page(head: &Parts) -> bool {
    let accepted = head.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    head.method != Method::HEAD
        && accepted.flat_map(|value| value.split(',')).any(|kind| kind.trim().starts_with("text/html"))
}
