//! The page where a person signs in with the token, once for each browser, and the end of the session.

use hyper::body::Incoming;
use hyper::header::{HeaderValue, SET_COOKIE};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::form::Form;
use super::respond::{Service, see_other};
use super::text_response::TextResponse;
use crate::admin::access::{MAX_SESSION_AGE, Peer, Rejection, SessionId, cookie_name};
use crate::admin::page;

/// The path of the page.
pub const PATH: &str = "/sign-in";

/// The response to `GET /sign-in` and `POST /sign-in`.
pub async fn sign_in(service: &Service, head: &Parts, body: Incoming, peer: Peer) -> Result<TextResponse, Rejection> {
    match head.method {
        Method::GET | Method::HEAD => return Ok(page(StatusCode::OK, None)),
        Method::POST => {}
        _ => return Ok(TextResponse::method_not_allowed("GET, HEAD, POST", "Use GET or POST for this path.")),
    }
    let form = match Form::read(&head.headers, body).await {
        Ok(form) => form,
        Err(error) => return Ok(error.response()),
    };
    let Some(token) = form.field("token") else { return Ok(page(StatusCode::BAD_REQUEST, Some(EMPTY))) };
    let checked = service.access.check_token(token.expose().trim(), peer, &service.control.status().view).await;
    match checked {
        Ok(()) => {}
        Err(Rejection::WrongToken) => return Ok(page(StatusCode::UNAUTHORIZED, Some(WRONG))),
        Err(other) => return Err(other),
    }
    let cookie = service.access.begin_session().ok().and_then(|id| cookie(peer, &id));
    let Some(cookie) = cookie else { return Ok(page(StatusCode::INTERNAL_SERVER_ERROR, Some(NO_SESSION))) };
    tracing::info!(client = %peer.client, "signed in to the admin listener");
    Ok(see_other("/").with(SET_COOKIE, cookie))
}

/// The response to `POST /sign-out`.
pub fn sign_out(service: &Service, head: &Parts, peer: Peer) -> TextResponse {
    if head.method != Method::POST {
        return TextResponse::method_not_allowed("POST", "Use POST for this path.");
    }
    service.access.end_session(head, peer);
    let gone = HeaderValue::try_from(format!("{}=; {ATTRIBUTES}; Max-Age=0", cookie_name(peer)));
    match gone {
        Ok(gone) => see_other(PATH).with(SET_COOKIE, gone),
        Err(_) => see_other(PATH),
    }
}

/// The cookie of a session.
fn cookie(peer: Peer, id: &SessionId) -> Option<HeaderValue> {
    let age = MAX_SESSION_AGE.as_secs();
    let text = format!("{}={}; {ATTRIBUTES}; Max-Age={age}", cookie_name(peer), id.expose());
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn page(status: StatusCode, mistake: Option<&str>) -> TextResponse {
    TextResponse::page(status, page::sign_in(PATH, mistake, MAX_SESSION_AGE.as_secs() / 3600))
}

/// Scripts do not see the cookie, and other sites do not send it. Browsers count loopback as secure.
const ATTRIBUTES: &str = "Path=/; HttpOnly; Secure; SameSite=Strict";

const EMPTY: &str = "Enter the token.";
const WRONG: &str = "The token is wrong.";
const NO_SESSION: &str = "The system has no random numbers, so no session can begin.";
