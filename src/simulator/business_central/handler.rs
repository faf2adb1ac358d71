//! The path of a request: token, limits, script, body, response.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue, SET_COOKIE};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use uuid::Uuid;

use super::address::Address;
use super::encoding;
use super::environment::Environment;
use super::errors::BusinessCentralError;
use super::odata;
use super::request::{MAX_BODY_BYTES, ServiceRequest};
use super::request_log::LogEntry;
use super::scripting::{Script, ScriptedBody, ScriptedResponse, play};
use super::service::BusinessCentral;
use super::soap;
use super::throttle::ThrottleScope;
use crate::simulator::breakage::{self, Breakage};
use crate::simulator::entra::TokenFacts;
use crate::simulator::listener::{Break, ConnectionHandle, Handler};
use crate::simulator::lock::lock;

impl BusinessCentral {
    /// The facts of the token in a request, if Business Central accepts it.
    fn token(&self, headers: &HeaderMap) -> Option<TokenFacts> {
        let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        let token = self.tokens.accepted(token).filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
        (!lock(&self.disabled).contains(&token.client_id)).then_some(token)
    }

    /// Acquires a slot for a request; `false` if it exceeds the limits. Requests without a token are not limited.
    fn admit(&self, head: &Parts, token: Option<&TokenFacts>, entry: &mut LogEntry) -> bool {
        let Some(token) = token else { return true };
        let is_soap = Address::parse(head.uri.path())
            .is_ok_and(|address| address.segments.first().is_some_and(|family| family.eq_ignore_ascii_case("WS")));
        match self.throttle.begin(ThrottleScope { application: token.client_id, is_soap }) {
            Some(slot) => {
                entry.hold_slot(slot);
                true
            }
            None => false,
        }
    }

    /// The response that no script replaces.
    async fn ordinary_response(
        &self,
        head: &Parts,
        token: Option<&TokenFacts>,
        body: Option<&Bytes>,
    ) -> Response<Bytes> {
        let mut result = self.attempt(head, token, body, None);
        if let Err(BusinessCentralError::NotValidated(receiver)) = &result
            && odata::is_valid(receiver).await
        {
            let receiver = receiver.clone();
            result = self.attempt(head, token, body, Some(&receiver));
        }
        let response = result.unwrap_or_else(|error| error.envelope());
        let mut response = encoding::encode(response, head, &self.settings);
        let headers = response.headers_mut();
        breakage::misdate(self.settings.broken, headers);
        headers.insert(SET_COOKIE, HeaderValue::from_static("ARRAffinity=simulator; Path=/; HttpOnly; Secure"));
        response
    }

    /// Executes a request. `validated` is the webhook receiver that has just answered the validation request.
    fn attempt(
        &self,
        head: &Parts,
        token: Option<&TokenFacts>,
        body: Option<&Bytes>,
        validated: Option<&str>,
    ) -> Result<Response<Bytes>, BusinessCentralError> {
        let token = token
            .filter(|_| self.settings.broken != Some(Breakage::Card))
            .ok_or(BusinessCentralError::InvalidCredentials)?;
        let address = Address::parse(head.uri.path())?;
        Environment::check(&self.settings, token.tenant_id, &address)?;
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or(&self.host);
        let environment = Environment::new(&self.settings, host, &address);
        let query = head.uri.query().unwrap_or_default();
        let request = ServiceRequest { method: &head.method, headers: &head.headers, query, body, validated };
        let segments: Vec<&str> = address.segments.iter().map(String::as_str).collect();
        let mut database = lock(&self.database);
        if let Some((service, rest)) = odata::find(&environment, &segments, request.level()) {
            return odata::respond(&service, &mut database, rest, &request);
        }
        match segments.as_slice() {
            [family, rest @ ..] if family.eq_ignore_ascii_case("WS") => {
                soap::respond(&mut database, &environment, rest, &request)
            }
            segments => Err(BusinessCentralError::UnknownSegment(segments.join("/"))),
        }
    }
}

impl Handler for BusinessCentral {
    type Body = ScriptedBody;

    fn admits_connection(&self) -> bool {
        !lock(&self.connection_rejections).take()
    }

    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
        connection: ConnectionHandle,
    ) -> Response<ScriptedBody> {
        let (head, body) = request.into_parts();
        let token = self.token(&head.headers);
        let application = token.as_ref().map(|token| token.client_id);
        let mut entry = self.request_log.begin(&head, connection.number, application);
        let script = match self.admit(&head, token.as_ref(), &mut entry) {
            true => self.scripts.take(&head, token.is_some()).unwrap_or_else(Script::ordinary),
            false => Script::busy(StatusCode::TOO_MANY_REQUESTS, None),
        };

        let mut whole_body = None;
        if script.reads_request {
            match read(body, &mut entry).await {
                Ok(body) => whole_body = body,
                Err(_) => return never(connection.break_off(Break::Cut).await),
            }
        }
        let mut scripted = match script.scripted {
            Some(scripted) => scripted,
            None => {
                let response = self.ordinary_response(&head, token.as_ref(), whole_body.as_ref()).await;
                ScriptedResponse::ordinary(response, script.cut_after)
            }
        };
        identify(&mut scripted.headers);
        if let Some(latch) = script.latch {
            latch.opened().await;
        }
        if !script.delay.is_zero() {
            tokio::time::sleep(script.delay).await;
        }
        if let Some(how) = script.breaks {
            return never(connection.break_off(how).await);
        }
        let (path, status) = (head.uri.path(), scripted.status.as_u16());
        tracing::debug!(target: "bcproxy::simulator", method = %head.method, path, status, "Business Central");
        let has_no_body = matches!(scripted.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        play(scripted, has_no_body || head.method == Method::HEAD, connection, entry)
    }
}

/// Adds the identifiers that Business Central gives each response, where a script has none.
fn identify(headers: &mut HeaderMap) {
    for name in ["request-id", "ms-correlation-x"] {
        if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
            headers.entry(name).or_insert(id);
        }
    }
}

/// Reads a body to its end in bounded memory. Returns the whole body, or `None` if it is larger than
/// [`MAX_BODY_BYTES`].
async fn read(mut body: Incoming, entry: &mut LogEntry) -> Result<Option<Bytes>, hyper::Error> {
    let (mut whole, mut fits) = (BytesMut::new(), true);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            entry.body_data(&data);
            fits &= whole.len() + data.len() <= MAX_BODY_BYTES;
            if fits {
                whole.extend_from_slice(&data);
            }
        }
    }
    entry.body_complete();
    Ok(fits.then(|| whole.freeze()))
}

fn never(never: Infallible) -> Response<ScriptedBody> {
    match never {}
}
