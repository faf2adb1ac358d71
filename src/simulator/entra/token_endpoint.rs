//! The token endpoint: it checks a token request as Entra does, and issues a token or an error.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, DATE, HOST, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::discovery;
use super::errors::TokenRejection;
use super::faults::Fault;
use super::response::{html_response, json_response};
use super::service::{Concurrency, Entra};
use crate::simulator::breakage;
use crate::simulator::listener::{Break, ConnectionHandle, Handler};
use crate::simulator::lock::lock;

/// The only scope that Entra issues tokens for.
const SCOPE: &str = "https://api.businesscentral.dynamics.com/.default";

/// The `client_assertion_type` of a client assertion (RFC 7523).
const JWT_BEARER_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The limit of a token request's body, in bytes.
const MAX_BODY_BYTES: usize = 64 << 10;

impl Entra {
    /// Checks address, form, application, credential and scope, in Entra's order, and issues a token.
    fn issue(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Response<Bytes>, TokenRejection> {
        let (tenant, endpoint) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
        if !endpoint.eq_ignore_ascii_case("oauth2/v2.0/token") {
            return Err(TokenRejection::Endpoint);
        }
        if method != Method::POST {
            return Err(TokenRejection::Method(method.to_string()));
        }
        if !is_form(headers) {
            return Err(TokenRejection::ContentType);
        }
        if !self.has_tenant(tenant) {
            return Err(TokenRejection::Tenant(tenant.to_owned()));
        }
        let form: HashMap<Cow<str>, Cow<str>> = form_urlencoded::parse(body).collect();
        let parameter = |name: &'static str| match form.get(name) {
            Some(value) if !value.is_empty() => Ok(value.as_ref()),
            _ => Err(TokenRejection::Missing(name)),
        };
        let grant_type = parameter("grant_type")?;
        if grant_type != "client_credentials" {
            return Err(TokenRejection::GrantType(grant_type.to_owned()));
        }
        let client_id = parameter("client_id")?;
        let scope = parameter("scope")?;
        if scope != SCOPE {
            return Err(TokenRejection::Scope(scope.to_owned()));
        }
        let mut directory = lock(&self.directory);
        let directory = &mut *directory;
        let now = directory.now();
        let unknown = || TokenRejection::Application { client_id: client_id.to_owned(), tenant: tenant.to_owned() };
        let id = Uuid::try_parse(client_id).map_err(|_| unknown())?;
        let registration = directory.applications.get_mut(&id).ok_or_else(unknown)?;
        let credential = |name: &'static str| parameter(name).map_err(|_| TokenRejection::MissingCredential);
        match form.get("client_assertion_type") {
            None => registration.check_secret(id, credential("client_secret")?)?,
            Some(kind) if kind == JWT_BEARER_ASSERTION => {
                // The audience of an assertion is the endpoint under the host name that the client used.
                let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
                let endpoint = format!("https://{host}{path}");
                let assertion = credential("client_assertion")?;
                registration
                    .check_assertion(id, assertion, &endpoint, &self.tokens, now)
                    .map_err(TokenRejection::Assertion)?;
            }
            Some(_) => return Err(TokenRejection::MissingCredential),
        }
        let required = directory.required_claims.as_deref();
        if required.is_some_and(|required| form.get("claims").is_none_or(|claims| claims != required)) {
            return Err(TokenRejection::Missing("claims"));
        }
        if let Some(rejection) = self.broken.and_then(TokenRejection::of) {
            return Err(rejection);
        }
        let token = self.tokens.issue(self.tenant_id, id, directory.roles.clone(), directory.lifetime);
        let lifetime = directory.lifetime.as_secs();
        let mut grant = json!({"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime});
        if let Some(refresh_in) = directory.refresh_in {
            grant["refresh_in"] = json!(refresh_in.as_secs());
        }
        grant["access_token"] = json!(token);
        Ok(json_response(StatusCode::OK, &grant))
    }

    /// The response to a request that no fault replaces: `discovered` is the tenant of a discovery request.
    fn ordinary_response(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
        discovered: Option<&str>,
    ) -> Response<Bytes> {
        match discovered {
            Some(tenant) if self.has_tenant(tenant) => discovery::document(&self.authority, self.tenant_id),
            Some(tenant) => discovery::unknown(tenant),
            None => self
                .issue(method, path, headers, body)
                .unwrap_or_else(|rejection| json_response(rejection.status(), &rejection.body())),
        }
    }
}

impl Handler for Entra {
    type Body = Full<Bytes>;

    fn admits_connection(&self) -> bool {
        let is_unreachable = self.faults.take(|fault| matches!(fault, Fault::Unreachable)).is_some();
        if is_unreachable {
            self.rejected_connections.fetch_add(1, Ordering::Relaxed);
        }
        !is_unreachable
    }

    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
        connection: ConnectionHandle,
    ) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let discovered = discovery::tenant_of(head.uri.path()).map(ToOwned::to_owned);
        if discovered.is_none() {
            self.requests.send_modify(|requests| *requests += 1);
        }
        let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
            return never(connection.break_off(Break::Cut).await);
        };
        let _in_progress = InProgress::new(&self.concurrency);
        let (mut replacement, mut change) = (None, None);
        match self.faults.take(|_| true) {
            None => {}
            Some(Fault::Changed(how)) => change = Some(how),
            Some(Fault::Response { status, headers, body }) => {
                let mut response = Response::new(body);
                *response.status_mut() = status;
                response.headers_mut().extend(headers);
                replacement = Some(response);
            }
            Some(Fault::Unreachable) => return never(connection.break_off(Break::Cut).await),
            Some(Fault::Held(latch)) => latch.opened().await,
            Some(Fault::Html(status)) => replacement = Some(html_response(status)),
            Some(Fault::Error { status, error, code, retry_after }) => {
                let message = "The simulator fails on purpose.".to_owned();
                let rejection = TokenRejection::Scripted { status, error, code, message };
                let mut response = json_response(status, &rejection.body());
                if let Some(seconds) = retry_after {
                    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
                }
                replacement = Some(response);
            }
        }
        let (path, body) = (head.uri.path(), body.to_bytes());
        let mut response = replacement
            .unwrap_or_else(|| self.ordinary_response(&head.method, path, &head.headers, &body, discovered.as_deref()));
        if let Some(change) = change
            && let Ok(mut json) = serde_json::from_slice::<Value>(response.body())
        {
            change(&mut json);
            *response.body_mut() = Bytes::from(json.to_string());
        }
        let (offset, now) = {
            let directory = lock(&self.directory);
            (directory.clock_offset, directory.now())
        };
        if offset != 0
            && let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(now))
        {
            response.headers_mut().insert(DATE, date);
        }
        breakage::misdate(self.broken, response.headers_mut());
        tracing::debug!(target: "bcproxy::simulator", path, status = response.status().as_u16(), "Entra");
        response.map(Full::new)
    }
}

/// A request in progress, counted until it is dropped.
struct InProgress<'c>(&'c Mutex<Concurrency>);

impl<'c> InProgress<'c> {
    fn new(counter: &'c Mutex<Concurrency>) -> Self {
        let mut concurrency = lock(counter);
        concurrency.current += 1;
        concurrency.peak = concurrency.peak.max(concurrency.current);
        Self(counter)
    }
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        lock(self.0).current -= 1;
    }
}

fn never(never: Infallible) -> Response<Full<Bytes>> {
    match never {}
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
