//! The stand-in for Microsoft Entra: one token endpoint, as strict as the real one.

mod discovery;
mod errors;
mod faults;
mod identity;
mod registration;
mod tokens;

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, DATE, HOST, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::json;
use tokio::sync::watch;
use uuid::Uuid;

use self::errors::Refusal;
pub use self::faults::Fault;
use self::faults::Faults;
pub use self::identity::{IDENTITY_HEADER, IdentityService};
pub use self::registration::FederatedCredential;
use self::registration::{Registration, SecretState};
pub use self::tokens::API_READ_WRITE_ALL;
pub(super) use self::tokens::{Issued, Tokens};

use super::Settings;
use super::breakage::{self, Breakage};
use super::listener::{Break, Connection, Service};
use super::sync::lock;
use super::times::Times;

/// The only scope a token is issued for.
const SCOPE: &str = "https://api.businesscentral.dynamics.com/.default";

/// Larger token requests are refused, in bytes.
const BODY_LIMIT: usize = 64 << 10;

/// Entra's switches and counters.
pub struct Entra {
    tenant_id: Uuid,
    tenant_domain: String,
    authority: String,
    broken: Option<Breakage>,
    tokens: Arc<Tokens>,
    faults: Faults,
    directory: Mutex<Directory>,
    requests: watch::Sender<u64>,
    /// Under way, and the most there ever were.
    at_once: Mutex<(u64, u64)>,
    rejected_connections: AtomicU64,
}

/// What the directory knows and a test can change.
struct Directory {
    applications: HashMap<Uuid, Registration>,
    roles: Vec<String>,
    lifetime: Duration,
    refresh_in: Option<Duration>,
    /// How far Entra's clock is ahead of this machine's, in seconds.
    clock_ahead: i64,
    /// The claims a token must have been asked for with.
    demanded: Option<String>,
}

impl Entra {
    pub(super) fn new(settings: &Settings, authority: &str, tokens: Arc<Tokens>) -> Self {
        let is_expired = settings.broken == Some(Breakage::ExpiredSecret);
        let state = if is_expired { SecretState::Expired } else { SecretState::Valid };
        let secrets = HashMap::from([(settings.client_secret.clone(), state)]);
        let is_consented = settings.broken != Some(Breakage::Consent);
        let faults = Faults::default();
        if settings.broken == Some(Breakage::WebPage) {
            faults.set(Some((Fault::Html(StatusCode::OK), Times::Always)));
        }
        let registration = Registration::with(secrets);
        Self {
            tenant_id: settings.tenant_id,
            tenant_domain: settings.tenant_domain.clone(),
            authority: authority.to_owned(),
            broken: settings.broken,
            tokens,
            faults,
            directory: Mutex::new(Directory {
                applications: HashMap::from([(settings.client_id, registration)]),
                roles: is_consented.then(|| API_READ_WRITE_ALL.to_owned()).into_iter().collect(),
                lifetime: settings.token_lifetime,
                refresh_in: settings.token_refresh_in,
                clock_ahead: 0,
                demanded: None,
            }),
            requests: watch::Sender::new(0),
            at_once: Mutex::default(),
            rejected_connections: AtomicU64::new(0),
        }
    }

    /// Puts a fault in force, in place of the one before.
    pub fn fail(&self, fault: Fault, times: Times) {
        self.faults.set(Some((fault, times)));
    }

    /// Takes the fault away. Requests already held by a latch stay held.
    pub fn recover(&self) {
        self.faults.set(None);
    }

    /// Registers an application, or gives a known one another valid secret.
    pub fn add_secret(&self, client_id: Uuid, secret: &str) {
        self.set_state(client_id, secret, SecretState::Valid);
    }

    /// Makes this secret the only one of the application.
    pub fn replace_secrets(&self, client_id: Uuid, secret: &str) {
        let secrets = HashMap::from([(secret.to_owned(), SecretState::Valid)]);
        self.change(client_id, |registration| registration.secrets = secrets);
    }

    /// Makes a secret an expired one.
    pub fn expire_secret(&self, client_id: Uuid, secret: &str) {
        self.set_state(client_id, secret, SecretState::Expired);
    }

    /// Uploads a certificate (PEM) to the application.
    pub fn add_certificate(&self, client_id: Uuid, pem: &str) {
        self.change(client_id, |registration| registration.add_certificate(pem));
    }

    /// Takes all certificates from the application.
    pub fn remove_certificates(&self, client_id: Uuid) {
        self.change(client_id, Registration::remove_certificates);
    }

    /// Lets the application trust what somebody else says of it.
    pub fn add_federated_credential(&self, client_id: Uuid, credential: FederatedCredential) {
        self.change(client_id, |registration| registration.add_federated_credential(credential));
    }

    /// Sets Entra's clock: so many seconds ahead of this machine's, or behind it.
    pub fn set_clock(&self, seconds_ahead: i64) {
        lock(&self.directory).clock_ahead = seconds_ahead;
    }

    /// Refuses token requests that do not ask for these claims, where they are set.
    pub fn require_claims(&self, claims: Option<&str>) {
        lock(&self.directory).demanded = claims.map(ToOwned::to_owned);
    }

    /// The most token requests there ever were at the same time.
    pub fn peak_token_requests(&self) -> u64 {
        lock(&self.at_once).1
    }

    /// The application permissions in tokens issued from now on. Without any, tokens have no `roles` claim.
    pub fn set_roles(&self, roles: &[&str]) {
        lock(&self.directory).roles = roles.iter().map(ToString::to_string).collect();
    }

    /// The lifetime of tokens issued from now on, and when to refresh them if that is to be said. Whole seconds.
    pub fn set_lifetime(&self, lifetime: Duration, refresh_in: Option<Duration>) {
        let mut directory = lock(&self.directory);
        directory.lifetime = lifetime;
        directory.refresh_in = refresh_in;
    }

    /// All requests that arrived, whatever came of them.
    pub fn token_requests(&self) -> u64 {
        *self.requests.borrow()
    }

    /// Ends when at least this many requests have arrived.
    pub async fn wait_for_token_requests(&self, count: u64) {
        // It can only fail when the sender is gone, which `self` keeps.
        let _ = self.requests.subscribe().wait_for(|requests| *requests >= count).await;
    }

    /// Connections closed at once because Entra was unreachable.
    pub fn rejected_connections(&self) -> u64 {
        self.rejected_connections.load(Ordering::Relaxed)
    }

    fn set_state(&self, client_id: Uuid, secret: &str, state: SecretState) {
        self.change(client_id, |registration| registration.secrets.insert(secret.to_owned(), state));
    }

    fn change<T>(&self, client_id: Uuid, change: impl FnOnce(&mut Registration) -> T) {
        change(lock(&self.directory).applications.entry(client_id).or_default());
    }

    fn has_tenant(&self, tenant: &str) -> bool {
        Uuid::try_parse(tenant) == Ok(self.tenant_id) || tenant.eq_ignore_ascii_case(&self.tenant_domain)
    }

    /// Judges a token request the way Entra does: address, form, application, credential, scope.
    fn issue(&self, method: &Method, path: &str, headers: &HeaderMap, body: &[u8]) -> Result<Response<Bytes>, Refusal> {
        let (tenant, endpoint) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
        if !endpoint.eq_ignore_ascii_case("oauth2/v2.0/token") {
            return Err(Refusal::Endpoint);
        }
        if method != Method::POST {
            return Err(Refusal::Method(method.to_string()));
        }
        if !is_form(headers) {
            return Err(Refusal::ContentType);
        }
        if !self.has_tenant(tenant) {
            return Err(Refusal::Tenant(tenant.to_owned()));
        }
        let form: HashMap<Cow<str>, Cow<str>> = form_urlencoded::parse(body).collect();
        let parameter = |name: &'static str| match form.get(name) {
            Some(value) if !value.is_empty() => Ok(value.as_ref()),
            _ => Err(Refusal::Missing(name)),
        };
        let grant_type = parameter("grant_type")?;
        if grant_type != "client_credentials" {
            return Err(Refusal::GrantType(grant_type.to_owned()));
        }
        let client_id = parameter("client_id")?;
        let scope = parameter("scope")?;
        if scope != SCOPE {
            return Err(Refusal::Scope(scope.to_owned()));
        }
        let mut directory = lock(&self.directory);
        let directory = &mut *directory;
        let now = shifted(directory.clock_ahead);
        let unknown = || Refusal::Application { client_id: client_id.to_owned(), tenant: tenant.to_owned() };
        let id = Uuid::try_parse(client_id).map_err(|_| unknown())?;
        let registration = directory.applications.get_mut(&id).ok_or_else(unknown)?;
        let shown = |name: &'static str| parameter(name).map_err(|_| Refusal::MissingCredential);
        match form.get("client_assertion_type") {
            None => registration.check_secret(id, shown("client_secret")?)?,
            Some(kind) if kind == STATEMENT => {
                // Who talks to it decides under which name; the address is what the statement must hold.
                let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
                let endpoint = format!("https://{host}{path}");
                let statement = shown("client_assertion")?;
                registration
                    .check_statement(id, statement, &endpoint, &self.tokens, now)
                    .map_err(Refusal::Statement)?;
            }
            Some(_) => return Err(Refusal::MissingCredential),
        }
        if directory.demanded.as_deref().is_some_and(|demanded| form.get("claims").is_none_or(|said| said != demanded))
        {
            return Err(Refusal::Missing("claims"));
        }
        if let Some(refusal) = self.broken.and_then(Refusal::of) {
            return Err(refusal);
        }
        let token = self.tokens.issue(self.tenant_id, id, directory.roles.clone(), directory.lifetime);
        let lifetime = directory.lifetime.as_secs();
        let mut answer = json!({"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime});
        if let Some(refresh_in) = directory.refresh_in {
            answer["refresh_in"] = json!(refresh_in.as_secs());
        }
        answer["access_token"] = json!(token);
        Ok(json_response(StatusCode::OK, &answer))
    }
}

/// This machine's time, so many seconds later.
fn shifted(seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
}

/// What a client assertion is announced by (RFC 7523).
const STATEMENT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Service for Entra {
    type Body = Full<Bytes>;

    fn admits_connection(&self) -> bool {
        let refused = self.faults.take(|fault| matches!(fault, Fault::Unreachable)).is_some();
        if refused {
            self.rejected_connections.fetch_add(1, Ordering::Relaxed);
        }
        !refused
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>, connection: Connection) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let discovered = discovery::tenant_of(head.uri.path()).map(ToOwned::to_owned);
        if discovered.is_none() {
            self.requests.send_modify(|requests| *requests += 1);
        }
        let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
            return never(connection.break_off(Break::Cut).await);
        };
        let _counted = Counted::new(&self.at_once);
        let (mut answer, mut change) = (None, None);
        match self.faults.take(|_| true) {
            None => {}
            Some(Fault::Changed(how)) => change = Some(how),
            Some(Fault::Response { status, headers, body }) => {
                let mut other = Response::new(body);
                *other.status_mut() = status;
                other.headers_mut().extend(headers);
                answer = Some(other);
            }
            Some(Fault::Unreachable) => return never(connection.break_off(Break::Cut).await),
            Some(Fault::Held(latch)) => latch.opened().await,
            Some(Fault::Html(status)) => answer = Some(html_response(status)),
            Some(Fault::Error { status, error, code, retry_after }) => {
                let message = "The service refuses on purpose.".to_owned();
                let refusal = Refusal::Scripted { status, error, code, message };
                let mut response = json_response(status, &refusal.body());
                if let Some(seconds) = retry_after {
                    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
                }
                answer = Some(response);
            }
        }
        let mut answer = answer.unwrap_or_else(|| {
            if let Some(tenant) = &discovered {
                return match self.has_tenant(tenant) {
                    true => discovery::document(&self.authority, self.tenant_id),
                    false => discovery::unknown(tenant),
                };
            }
            self.issue(&head.method, head.uri.path(), &head.headers, &body.to_bytes())
                .unwrap_or_else(|refusal| json_response(refusal.status(), &refusal.body()))
        });
        if let Some(change) = change
            && let Ok(mut json) = serde_json::from_slice(answer.body())
        {
            change(&mut json);
            *answer.body_mut() = Bytes::from(json.to_string());
        }
        let ahead = lock(&self.directory).clock_ahead;
        if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(shifted(ahead)))
            && ahead != 0
        {
            answer.headers_mut().insert(DATE, date);
        }
        breakage::misdate(self.broken, answer.headers_mut());
        tracing::debug!(target: "bcproxy::simulator", path = head.uri.path(), status = answer.status().as_u16(), "Entra");
        answer.map(Full::new)
    }
}

/// A request under way, counted for as long as it lives.
struct Counted<'c>(&'c Mutex<(u64, u64)>);

impl<'c> Counted<'c> {
    fn new(counter: &'c Mutex<(u64, u64)>) -> Self {
        let mut counts = lock(counter);
        counts.0 += 1;
        counts.1 = counts.1.max(counts.0);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        lock(self.0).0 -= 1;
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

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-cache"));
    response
}

fn html_response(status: StatusCode) -> Response<Bytes> {
    let page = "<!DOCTYPE html><html><head><title>Sign in to the guest network</title></head><body></body></html>";
    let mut response = Response::new(Bytes::from_static(page.as_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}
