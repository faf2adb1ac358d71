//! Entra's side of the set-up: the clock, the tenant, and whatever a token request tells.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Builder;
use hyper::{Request, StatusCode};
use serde::Deserialize;

use super::{Finding, Findings, Wrong};
use crate::entra::{
    Application, Claims, ClaimsChallenge, ClientId, Credential, IssuedToken, TenantId, TokenEndpoint, TokenError,
    response_date,
};
use crate::error_chain::root_cause;
use crate::guide::{self, KnownError, Step};
use crate::outbound::{HttpClient, HttpsUrl, RequestError, Unreachable, form};

/// A token, for the steps behind it.
#[derive(Debug)]
pub struct Token {
    pub authorization: HeaderValue,
    /// Whether the permission Business Central's data needs was consented to, as far as can be seen.
    pub has_role: bool,
    endpoint: TokenEndpoint,
}

impl Token {
    /// Becomes one that says what a service demanded.
    pub async fn answer(&mut self, challenge: &ClaimsChallenge) -> Result<(), Wrong> {
        let issued = self.endpoint.request_with(Some(challenge.as_str())).await;
        let issued = issued.map_err(|error| refusal(&error, self.endpoint.application()))?;
        self.authorization = issued.grant.authorization;
        Ok(())
    }
}

/// Looks at the clock and the tenant, both of which its OpenID discovery document tells; whether the tenant exists.
pub async fn tenant(http: &HttpClient, authority: &HttpsUrl, tenant: &TenantId, findings: &mut Findings<'_>) -> bool {
    let started = Instant::now();
    let url = format!("{authority}/{tenant}/v2.0/.well-known/openid-configuration");
    let sent_at = SystemTime::now();
    let (date, result) = match answer(http, authority, Request::get(url), Bytes::new()).await {
        Ok(answer) => (answer.date, document(authority, tenant, &answer)),
        Err(wrong) => (None, Err(wrong)),
    };
    if let Some(date) = date {
        match skew(sent_at, SystemTime::now(), date) {
            Ok(found) => findings.passed(Step::Clock, found, started.elapsed()),
            Err(wrong) => findings.failed(wrong, started.elapsed()),
        }
    }
    let is_known = result.is_ok();
    findings.add(Step::Tenant, None, result, started.elapsed());
    is_known
}

/// Whether the tenant knows the app, found out without its secret: Entra then misses only that. `None` when it can't be told.
pub async fn application_known(
    http: &HttpClient,
    authority: &HttpsUrl,
    tenant: &TenantId,
    client: ClientId,
    scope: &str,
) -> Option<Result<(), Wrong>> {
    let client = client.to_string();
    let fields = [("grant_type", "client_credentials"), ("client_id", &client), ("scope", scope)];
    let request = Request::post(format!("{authority}/{tenant}/oauth2/v2.0/token"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = answer(http, authority, request, form(&fields)).await.ok()?;
    let refused: Refused = serde_json::from_slice(&answer.body).ok()?;
    match refused.known_error()? {
        KnownError { step: Some(Step::Credential), .. } => Some(Ok(())),
        trouble @ KnownError { step: Some(Step::Application), .. } => {
            Some(Err(Wrong::new(Step::Application, trouble.meaning, trouble.fix)))
        }
        _ => None,
    }
}

/// Asks for a token, which tells of five steps at once.
pub async fn token(
    http: &HttpClient,
    application: &Application,
    limit: Duration,
    findings: &mut Findings<'_>,
) -> Option<Token> {
    let started = Instant::now();
    let endpoint = TokenEndpoint::new(http.clone(), application.clone(), limit);
    let outcome = endpoint.request().await;
    let took = started.elapsed();
    let issued = match outcome {
        Ok(issued) => issued,
        Err(error) => {
            // Whether a secret is the right one is judged only for an app that is known.
            let knows_application = matches!(&error, TokenError::Rejected(refused)
                if refused.known_error().is_some_and(|trouble| trouble.step == Some(Step::Credential)));
            if knows_application {
                findings.passed(Step::Application, known(application), took);
            }
            findings.failed(refusal(&error, application), if knows_application { Duration::ZERO } else { took });
            return None;
        }
    };
    findings.passed(Step::Application, known(application), took);
    findings.passed(Step::Credential, taken(application, &issued), Duration::ZERO);
    findings.passed(Step::Policy, "none blocks this application here", Duration::ZERO);
    findings.passed(Step::Subscription, "it is there", Duration::ZERO);
    let consent = consent(issued.grant.claims.as_ref());
    let has_role = consent.is_ok();
    findings.add(Step::Consent, None, consent, Duration::ZERO);
    Some(Token { authorization: issued.grant.authorization, has_role, endpoint })
}

/// A token with everything it needs.
pub async fn sign_in(http: &HttpClient, application: &Application, limit: Duration) -> Result<Token, Wrong> {
    let mut ignore = |_: &Finding| {};
    let mut findings = Findings::new(&mut ignore);
    let token = token(http, application, limit, &mut findings).await;
    match (token, findings.wrong()) {
        (Some(token), None) => Ok(token),
        (_, Some(wrong)) => Err(wrong.clone()),
        (None, None) => Err(Wrong::at(Step::Application, "Entra issues no token")),
    }
}

fn known(application: &Application) -> String {
    format!("the tenant knows {}", application.client_id)
}

fn taken(application: &Application, issued: &IssuedToken) -> String {
    let until = issued.credential.last_day.map_or_else(String::new, |day| format!(", which ends on {day}"));
    match &application.credential {
        Credential::ManagedIdentity(identity) if identity.is_application(application.client_id) => {
            "Azure gives this machine a token of the managed identity".to_owned()
        }
        other => format!("Entra takes the {}{until}", other.kind()),
    }
}

/// What to do about a credential of which nothing more is known than that it is no good.
fn credential_advice(credential: &Credential) -> &'static str {
    match credential {
        Credential::ClientSecret(_) => Step::Credential.advice(),
        Credential::ClientCertificate(_) => {
            "Name a certificate that is uploaded in Entra, and its key, with `client_certificate`, and let the account bcproxy runs under read \
             both files."
        }
        Credential::FederatedToken(_) => {
            "Look whether whatever keeps the token fresh writes it where `federated_token` says, and let the account bcproxy runs under read it."
        }
        Credential::ManagedIdentity(_) => {
            "In the Azure portal, open the machine or service → Identity, and compare it with `managed_identity` and `client_id`."
        }
    }
}

fn consent(claims: Option<&Claims>) -> Result<String, Wrong> {
    match claims {
        Some(claims) if claims.has_data_role() => Ok(format!("the token carries {}", claims.roles.join(", "))),
        Some(_) => {
            let trouble = guide::MISSING_ROLE;
            Err(Wrong::new(Step::Consent, trouble.meaning, trouble.fix))
        }
        None => Ok("the token can't be looked into; Business Central will tell".to_owned()),
    }
}

fn refusal(error: &TokenError, application: &Application) -> Wrong {
    let advice = |step: Step| match step {
        Step::Credential => credential_advice(&application.credential),
        other => other.advice(),
    };
    match error {
        TokenError::Rejected(refused) => match refused.known_error() {
            Some(trouble) => Wrong::meaning(&refused.summary(), trouble, Step::Application),
            None => {
                let page = refused.code.map_or_else(String::new, |code| {
                    format!(" What the code means stands at https://login.microsoftonline.com/error?code={code}.")
                });
                let step = error.step().unwrap_or(Step::Application);
                Wrong::new(step, refused.summary(), format!("{}{page}", advice(step)))
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

/// A request that found no connection.
pub fn unreached(unreachable: &Unreachable) -> Wrong {
    Wrong::new(unreachable.failure.guide_step(), unreachable.problem(), unreachable.fix())
}

struct Answer {
    status: StatusCode,
    date: Option<SystemTime>,
    body: Vec<u8>,
}

async fn answer(http: &HttpClient, authority: &HttpsUrl, request: Builder, body: Bytes) -> Result<Answer, Wrong> {
    let exchange = async {
        let mut answer = http.send(request, body).await?;
        let (status, date) = (answer.status(), response_date(answer.headers()));
        let mut read = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            read.extend_from_slice(&piece);
            if read.len() > MAX_ANSWER_BYTES {
                break;
            }
        }
        Ok::<_, RequestError>(Answer { status, date, body: read })
    };
    let host = authority.authority();
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(RequestError::Connect(error))) => Err(unreached(&Unreachable::entra(host, &error))),
        Ok(Err(error)) => Err(Wrong::at(
            Step::Connection,
            format!("the connection to Entra at {host} broke ({})", root_cause(&error)),
        )),
        Err(_) => {
            Err(Wrong::at(Step::Connection, format!("Entra at {host} did not answer within {} s", PATIENCE.as_secs())))
        }
    }
}

/// How far this machine's clock is off, if the answer was dated between its request and its arrival. Dates have whole seconds.
fn skew(sent_at: SystemTime, arrived_at: SystemTime, date: SystemTime) -> Result<String, Wrong> {
    let ahead = sent_at.duration_since(date + Duration::from_secs(1)).unwrap_or_default();
    let behind = date.duration_since(arrived_at).unwrap_or_default();
    let (off, direction) = if ahead > behind { (ahead, "ahead") } else { (behind, "behind") };
    if off > MOST_SKEW {
        let what = format!("this machine's clock is {} {direction}", minutes(off));
        return Err(Wrong::at(Step::Clock, what));
    }
    Ok(if off < Duration::from_secs(2) {
        "it is right".to_owned()
    } else {
        format!("it is {} s {direction}, which does no harm", off.as_secs())
    })
}

fn minutes(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60);
    if minutes < 120 { format!("{minutes} minutes") } else { format!("{} hours", minutes.div_ceil(60)) }
}

fn document(authority: &HttpsUrl, tenant: &TenantId, answer: &Answer) -> Result<String, Wrong> {
    let host = authority.authority();
    if answer.status == StatusCode::OK
        && let Ok(Document { issuer }) = serde_json::from_slice(&answer.body)
    {
        let id = issuer.split('/').nth(3).unwrap_or_default();
        return Ok(match id.parse::<TenantId>() {
            Ok(id) if id != *tenant => format!("{tenant} is {id}"),
            _ => format!("{tenant} exists"),
        });
    }
    let Ok(refused) = serde_json::from_slice::<Refused>(&answer.body) else {
        return Err(Wrong::new(
            Step::Connection,
            format!("{host} answered {} with something that is not Entra's", answer.status),
            "an intercepting web proxy may stand between this machine and Entra: ask who keeps it to let this machine through to the host",
        ));
    };
    let said = match refused.error_codes.first() {
        Some(code) => format!("Entra refuses the tenant {tenant} (AADSTS{code})"),
        None => format!("Entra refuses the tenant {tenant} ({})", answer.status),
    };
    Err(match refused.known_error() {
        Some(trouble) => Wrong::meaning(&said, trouble, Step::Tenant),
        None => Wrong::at(Step::Tenant, said),
    })
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
}

#[derive(Deserialize)]
struct Refused {
    #[serde(rename = "error")]
    _error: String,
    #[serde(default)]
    error_codes: Vec<u32>,
}

impl Refused {
    fn known_error(&self) -> Option<&'static KnownError> {
        self.error_codes.first().copied().and_then(guide::aadsts)
    }
}

/// The document has 2 KiB.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

const PATIENCE: Duration = Duration::from_secs(10);

/// Entra takes what was signed five minutes ago or ahead, and no more.
const MOST_SKEW: Duration = Duration::from_secs(5 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_when_the_answers_date_is_outside_the_exchange() {
        let second = |second: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + second);
        let of = |date| skew(second(0), second(20), second(date)).map_err(|wrong| wrong.what);
        assert_eq!(of(10).as_deref(), Ok("it is right"));
        assert_eq!(of(60).as_deref(), Ok("it is 40 s behind, which does no harm"));
        assert_eq!(of(7220).unwrap_err(), "this machine's clock is 2 hours behind");
        let ahead = skew(second(900), second(901), second(0)).unwrap_err();
        assert_eq!((ahead.step, ahead.what.as_str()), (Step::Clock, "this machine's clock is 15 minutes ahead"));
    }
}
