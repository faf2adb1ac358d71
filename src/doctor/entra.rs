//! The checks of Entra: the tenant, and what a token request reveals.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hyper::header::HeaderValue;
use hyper::http::response::Parts;
use hyper::{Response, StatusCode};
use reqwest::RequestBuilder;
use serde::Deserialize;
use time::Date;
use tokio::sync::Semaphore;

use super::findings::{Findings, Wrong};
use super::{clock, consent};
use crate::bounded_body::read_body;
use crate::business_central::lookup::LookupError;
use crate::entra::{
    Application, ClaimsChallenge, ClientId, Credential, TenantId, TokenCache, TokenEndpoint, TokenError, TokenRetry,
    TokenUnavailable, response_date,
};
use crate::error_chain::root_cause;
use crate::guide::{self, KnownError, Step};
use crate::outbound::{HttpClient, HttpsUrl, RequestError, Unreachable};

/// The token for the remaining checks.
pub struct SignedIn {
    /// The client that it was requested with.
    pub http: HttpClient,
    tokens: TokenCache,
    /// Whether the token permits access to Business Central's data, as far as its claims can be read.
    pub has_role: bool,
}

impl SignedIn {
    /// The application it was issued to.
    pub fn application(&self) -> &Application {
        &self.tokens.application
    }

    /// The result of a look-up with the token, retried once with another token if that may help after a 401.
    pub async fn ask<T>(
        &self,
        look_up: impl AsyncFn(&HeaderValue) -> Result<T, LookupError>,
    ) -> Result<Result<T, LookupError>, Wrong> {
        let mut retry = TokenRetry::default();
        loop {
            let token = retry.token(&self.tokens).await;
            let token = token.map_err(|unavailable| token_failure(&unavailable.error, self.application()))?;
            let result = look_up(&token.authorization).await;
            let Some(error) = result.as_ref().err().filter(|error| error.is_unauthorized()) else { return Ok(result) };
            let challenge = ClaimsChallenge::from_values(error.challenges());
            let is_worth_a_refresh = challenge.is_some() || token.age() > FRESH;
            if !retry.unauthorized(&self.tokens, &token, challenge, is_worth_a_refresh) {
                return Ok(result);
            }
        }
    }
}

/// Checks the clock and the tenant by the tenant's OpenID discovery document; returns whether the tenant exists.
pub async fn tenant(http: &HttpClient, authority: &HttpsUrl, tenant: &TenantId, findings: &mut Findings<'_>) -> bool {
    let started = Instant::now();
    let url = format!("{authority}/{tenant}/v2.0/.well-known/openid-configuration");
    let sent_at = SystemTime::now();
    let (date, result) = match send(http, authority, http.get(&url)).await {
        Ok((head, body)) => (response_date(&head.headers), check_document(authority, tenant, head.status, &body)),
        Err(wrong) => (None, Err(wrong)),
    };
    if let Some(date) = date {
        match clock::check(sent_at, SystemTime::now(), date) {
            Ok(found) => findings.passed(Step::Clock, found, started.elapsed()),
            Err(wrong) => findings.failed(wrong, started.elapsed()),
        }
    }
    let exists = result.is_ok();
    findings.add(Step::Tenant, None, result, started.elapsed());
    exists
}

/// Whether the app exists in the tenant, checked without its secret: Entra then objects to the secret only.
///
/// `None` when Entra's response does not say.
pub async fn application_known(
    http: &HttpClient,
    authority: &HttpsUrl,
    tenant: &TenantId,
    client: ClientId,
    scope: &str,
) -> Option<Result<(), Wrong>> {
    let client = client.to_string();
    let fields = [("grant_type", "client_credentials"), ("client_id", &client), ("scope", scope)];
    let request = http.post_form(&format!("{authority}/{tenant}/oauth2/v2.0/token"), &fields);
    let (_, body) = send(http, authority, request).await.ok()?;
    let error: ErrorBody = serde_json::from_slice(&body).ok()?;
    match error.known_error()? {
        KnownError { step: Some(Step::Credential), .. } => Some(Ok(())),
        error @ KnownError { step: Some(Step::Application), .. } => {
            Some(Err(Wrong::new(Step::Application, error.meaning, error.fix)))
        }
        _ => None,
    }
}

/// Requests a token, which checks five steps at once.
pub async fn token(
    http: &HttpClient,
    application: &Application,
    limit: Duration,
    findings: &mut Findings<'_>,
) -> Option<SignedIn> {
    let started = Instant::now();
    let endpoint = TokenEndpoint::new(http.clone(), application.clone(), limit);
    let tokens = TokenCache::start(endpoint, Arc::new(Semaphore::new(1)));
    let outcome = tokens.token().await;
    let took = started.elapsed();
    let token = match outcome {
        Ok(token) => token,
        Err(TokenUnavailable { error, .. }) => {
            // Entra checks the secret only after it has found the app.
            let app_exists = matches!(&*error, TokenError::Rejected(rejected)
                if rejected.known_error().is_some_and(|error| error.step == Some(Step::Credential)));
            if app_exists {
                findings.passed(Step::Application, app_found(application), took);
            }
            findings.failed(token_failure(&error, application), if app_exists { Duration::ZERO } else { took });
            return None;
        }
    };
    findings.passed(Step::Application, app_found(application), took);
    findings.passed(Step::Credential, credential_accepted(application, token.last_day), Duration::ZERO);
    findings.passed(Step::Policy, "no policy blocks the application on this machine", Duration::ZERO);
    findings.passed(Step::Subscription, "the tenant has Business Central", Duration::ZERO);
    let consent = consent::check(token.claims.as_ref(), application);
    let has_role = consent.is_ok();
    findings.add(Step::Consent, None, consent, Duration::ZERO);
    Some(SignedIn { http: http.clone(), tokens, has_role })
}

/// A token that passes all checks of Entra.
pub async fn sign_in(http: &HttpClient, application: &Application, limit: Duration) -> Result<SignedIn, Wrong> {
    let mut findings = Findings::new(|_| {});
    let token = token(http, application, limit, &mut findings).await;
    match (token, findings.wrong()) {
        (Some(token), None) => Ok(token),
        (_, Some(wrong)) => Err(wrong.clone()),
        (None, None) => Err(Wrong::at(Step::Application, "Entra issues no token")),
    }
}

fn app_found(application: &Application) -> String {
    format!("the tenant contains {}", application.client_id)
}

fn credential_accepted(application: &Application, last_day: Option<Date>) -> String {
    let expiry = last_day.map_or_else(String::new, |day| format!(", which expires on {day}"));
    match &application.credential {
        Credential::ManagedIdentity(identity) if identity.is_application(application.client_id) => {
            "Azure issues this machine a token of the managed identity".to_owned()
        }
        other => format!("Entra accepts the {}{expiry}", other.kind()),
    }
}

/// What to do about a credential when only its failure is known.
fn credential_advice(credential: &Credential) -> &'static str {
    match credential {
        Credential::ClientSecret(_) => Step::Credential.advice(),
        Credential::ClientCertificate(_) => {
            "With `client_certificate`, name a certificate that is uploaded in Entra and its private key. \
             Check that bcproxy's account can read both files."
        }
        Credential::FederatedToken(_) => {
            "Check that the file `federated_token` names is still being renewed and that bcproxy's account can read it."
        }
        Credential::ManagedIdentity(_) => {
            "In the Azure portal, open the machine or service → Identity. \
             Compare it with `managed_identity` and `client_id`."
        }
    }
}

fn token_failure(error: &TokenError, application: &Application) -> Wrong {
    let advice = |step: Step| match step {
        Step::Credential => credential_advice(&application.credential),
        other => other.advice(),
    };
    match error {
        TokenError::Rejected(rejected) => match rejected.known_error() {
            Some(known) => consent::with_link(Wrong::known(&rejected.summary(), known, Step::Application), application),
            None => {
                let page = rejected.code.map_or_else(String::new, |code| {
                    format!(" Look up the code at https://login.microsoftonline.com/error?code={code}.")
                });
                let step = error.step().unwrap_or(Step::Application);
                Wrong::new(step, rejected.summary(), format!("{}{page}", advice(step)))
            }
        },
        TokenError::Unreachable(unreachable) => unreached(unreachable),
        other => {
            let step = other.step().unwrap_or(Step::Connection);
            let text = other.to_string();
            let reference = format!("; see {step}");
            Wrong::new(step, text.strip_suffix(&reference).unwrap_or(&text), advice(step))
        }
    }
}

/// A request without a connection.
pub fn unreached(unreachable: &Unreachable) -> Wrong {
    Wrong::new(unreachable.failure.guide_step(), unreachable.problem(), unreachable.fix.clone())
}

async fn send(http: &HttpClient, authority: &HttpsUrl, request: RequestBuilder) -> Result<(Parts, Vec<u8>), Wrong> {
    let exchange = async {
        let (head, stream) = Response::<reqwest::Body>::from(http.send(request).await?).into_parts();
        let mut body = Vec::new();
        read_body(stream, MAX_RESPONSE_BYTES, &mut body).await?;
        Ok::<_, RequestError>((head, body))
    };
    let host = authority.authority();
    match tokio::time::timeout(TIMEOUT, exchange).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(RequestError::Connect(error))) => Err(unreached(&Unreachable::entra(host, error.as_ref()))),
        Ok(Err(error)) => Err(Wrong::at(
            Step::Connection,
            format!("the connection to Entra at {host} was lost ({})", root_cause(&error)),
        )),
        Err(_) => {
            Err(Wrong::at(Step::Connection, format!("Entra at {host} did not respond within {} s", TIMEOUT.as_secs())))
        }
    }
}

fn check_document(authority: &HttpsUrl, tenant: &TenantId, status: StatusCode, body: &[u8]) -> Result<String, Wrong> {
    let host = authority.authority();
    if status == StatusCode::OK
        && let Ok(DiscoveryDocument { issuer }) = serde_json::from_slice(body)
    {
        let id = issuer.split('/').nth(3).unwrap_or_default();
        return Ok(match id.parse::<TenantId>() {
            Ok(id) if id != *tenant => format!("{tenant} is {id}"),
            _ => format!("{tenant} exists"),
        });
    }
    let Ok(error) = serde_json::from_slice::<ErrorBody>(body) else {
        return Err(Wrong::new(
            Step::Connection,
            format!("the server at {host} answered {}, but the response is not Entra's", status),
            "An intercepting web proxy may stand between this machine and Entra. Ask its administrator to let this machine \
             connect to the host directly.",
        ));
    };
    let summary = match error.error_codes.first() {
        Some(code) => format!("Entra rejects the tenant {tenant} (AADSTS{code})"),
        None => format!("Entra rejects the tenant {tenant} ({})", status),
    };
    Err(match error.known_error() {
        Some(known) => Wrong::known(&summary, known, Step::Tenant),
        None => Wrong::at(Step::Tenant, summary),
    })
}

#[derive(Deserialize)]
struct DiscoveryDocument {
    issuer: String,
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(rename = "error")]
    _error: String,
    #[serde(default)]
    error_codes: Vec<u32>,
}

impl ErrorBody {
    fn known_error(&self) -> Option<&'static KnownError> {
        self.error_codes.first().copied().and_then(guide::aadsts)
    }
}

/// A 401 for a younger token is not the token's fault, unless Business Central demands further claims.
const FRESH: Duration = Duration::from_secs(60);

/// The discovery document has 2 KiB.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

const TIMEOUT: Duration = Duration::from_secs(10);
