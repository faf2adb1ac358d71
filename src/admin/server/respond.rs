//! What each request passes on its way to a response.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};

use super::router::route;
use super::text_response::TextResponse;
use crate::admin::control::Control;
use crate::proxy::Guard;

/// The response to a request.
pub async fn respond(
    request: Request<Incoming>,
    control: Control,
    guard: Arc<Guard>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    // Without this check, a web page in a browser on this machine could stop bcproxy or read its status.
    let response = match guard.check(&head) {
        Ok(()) => route(&head, body, &control).await,
        Err(reason) => TextResponse::plain(reason.status(), NOT_ALLOWED),
    };
    Ok(response.into_response())
}

const NOT_ALLOWED: &str = "The admin listener accepts requests from software on this machine, not from web pages. \
     Use its address, the machine's name or localhost.";
