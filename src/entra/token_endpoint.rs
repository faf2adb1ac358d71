//! The token endpoint: one request, one token or one error in words.
//!
//! Source: Entra, "OAuth 2.0 client credentials flow on the Microsoft identity platform".

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde::Deserialize;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Application;
use super::claims::Claims;
use super::credential::{Credential, Secret, SecretError, SecretSource};
use crate::error_chain::root_cause;
use crate::guide::{self, Step, Trouble};
use crate::unreachable::Unreachable;

/// The token endpoint of one application's tenant.
#[derive(Debug, Clone)]
pub struct TokenEndpoint {
    http: reqwest::Client,
    url: String,
    application: Application,
    timeout: Duration,
}

/// A token as Entra issued it.
#[derive(Debug)]
pub struct IssuedToken {
    /// `Bearer …`, marked sensitive.
    pub authorization: HeaderValue,
    /// From the moment the request was sent.
    pub lifetime: Duration,
    /// When Entra wants it refreshed, if it said so.
    pub refresh_in: Option<Duration>,
    /// `None` when the token can't be looked into.
    pub claims: Option<Claims>,
    /// The secret that was accepted.
    pub secret: Secret,
}

/// Why there is no token: a sentence that names the step to mend. Never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("{0}; see {step}", step = Step::Credential)]
    Secret(#[from] SecretError),
    #[error("{0}")]
    Refused(EntraError),
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error(
        "the connection to Entra at {host} broke before it answered ({reason}); check the network between this machine and it; see {}",
        Step::Connection
    )]
    Broken { host: String, reason: String },
    #[error(
        "Entra at {host} did not answer within {} s; check the network between this machine and it; see {}",
        .after.as_secs_f32(), Step::Connection
    )]
    TimedOut { host: String, after: Duration },
    #[error(
        "{host} answered {status} with something that is not Entra's ({problem}); \
         an intercepting web proxy may stand between this machine and Entra; see {}",
        Step::Connection
    )]
    NotEntra { host: String, status: StatusCode, problem: &'static str, retry_after: Option<Duration> },
}

/// An error in Entra's own words and ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntraError {
    pub status: StatusCode,
    /// OAuth's word: `invalid_client`, `temporarily_unavailable` …
    pub error: String,
    /// The number behind `AADSTS`.
    pub code: Option<u32>,
    /// For a support ticket at Microsoft.
    pub correlation_id: Option<String>,
    pub retry_after: Option<Duration>,
}

impl TokenError {
    /// Whether somebody has to change the set-up before it makes sense to ask again.
    pub fn needs_setup(&self) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::Refused(error) => error.needs_setup(),
            Self::Unreachable(_) | Self::Broken { .. } | Self::TimedOut { .. } | Self::NotEntra { .. } => false,
        }
    }

    /// The step of the set-up guide to look at; `None` when nothing of the set-up is to blame.
    pub fn step(&self) -> Option<Step> {
        match self {
            Self::Secret(_) => Some(Step::Credential),
            Self::Refused(error) => error.step(),
            Self::Unreachable(unreachable) => Some(unreachable.step.in_guide()),
            Self::Broken { .. } | Self::TimedOut { .. } | Self::NotEntra { .. } => Some(Step::Connection),
        }
    }

    /// How long Entra wants not to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(EntraError { retry_after, .. }) | Self::NotEntra { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether another secret of the list could be accepted.
    fn is_about_the_secret(&self) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::Refused(error) => matches!(error.code, Some(7000215 | 7000222)),
            _ => false,
        }
    }
}

impl EntraError {
    /// What is known of its code.
    pub fn trouble(&self) -> Option<&'static Trouble> {
        self.code.and_then(guide::aadsts)
    }

    fn needs_setup(&self) -> bool {
        match self.trouble() {
            Some(trouble) => trouble.needs_setup(),
            None => self.status.is_client_error() && self.status != StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// What Entra said, without what it means.
    pub fn summary(&self) -> String {
        let code = self.code.map_or_else(String::new, |code| format!(", AADSTS{code}"));
        let id = self.correlation_id.as_ref().map_or_else(String::new, |id| format!(", correlation id {id}"));
        format!("Entra issues no token ({}{code}{id})", self.error)
    }

    /// Where no code is known, OAuth's word tells the direction (RFC 6749, section 5.2).
    fn step(&self) -> Option<Step> {
        if let Some(trouble) = self.trouble() {
            return trouble.step;
        }
        match self.error.as_str() {
            "invalid_client" => Some(Step::Credential),
            "unauthorized_client" => Some(Step::Application),
            "invalid_resource" => Some(Step::Subscription),
            "invalid_scope" | "invalid_request" | "unsupported_grant_type" => Some(Step::Configuration),
            _ => None,
        }
    }
}

impl std::fmt::Display for EntraError {
    /// Entra's description is left out: it is localised, long, and repeats what a request held.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}. ", self.summary())?;
        match (self.trouble(), self.code) {
            (Some(trouble), _) => return trouble.fmt(f),
            (None, Some(code)) => {
                write!(f, "What it means stands at https://login.microsoftonline.com/error?code={code}.")?;
            }
            (None, None) => write!(f, "It answered {}; bcproxy tries again by itself.", self.status)?,
        }
        match self.step() {
            Some(step) => write!(f, " See {step}."),
            None => Ok(()),
        }
    }
}

impl TokenEndpoint {
    /// `http` must not follow redirects: a secret goes to the authority only.
    pub fn new(http: reqwest::Client, application: Application, timeout: Duration) -> Self {
        let url = format!("{}/{}/oauth2/v2.0/token", application.authority, application.tenant_id);
        Self { http, url, application, timeout }
    }

    pub fn application(&self) -> &Application {
        &self.application
    }

    /// Asks for a token once, with each secret in turn until one is accepted or the error is about something else.
    pub async fn request(&self) -> Result<IssuedToken, TokenError> {
        let Credential::ClientSecret(sources) = &self.application.credential;
        let mut outcome = self.request_from(&sources.first).await;
        for source in &sources.others {
            match outcome {
                Err(error) if error.is_about_the_secret() => outcome = self.request_from(source).await,
                _ => break,
            }
        }
        outcome
    }

    async fn request_from(&self, source: &SecretSource) -> Result<IssuedToken, TokenError> {
        let secret = source.read().await?;
        match tokio::time::timeout(self.timeout, self.exchange(secret)).await {
            Ok(result) => result,
            Err(_) => Err(TokenError::TimedOut { host: self.host(), after: self.timeout }),
        }
    }

    async fn exchange(&self, secret: Secret) -> Result<IssuedToken, TokenError> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.application.client_id.to_string()),
            ("client_secret", secret.expose()),
            ("scope", &self.application.scope),
        ];
        let request = self.http.post(&self.url).header("client-request-id", Uuid::new_v4().to_string()).form(&form);
        let mut answer = request.send().await.map_err(|error| self.failed(&error))?;

        let status = answer.status();
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(seconds);
        let is_json =
            answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        let mut body = Zeroizing::new(Vec::with_capacity(MAX_ANSWER_BYTES));
        while let Some(piece) = answer.chunk().await.map_err(|error| self.failed(&error))? {
            if body.len() + piece.len() > MAX_ANSWER_BYTES {
                return Err(self.not_entra(status, "far too long", retry_after));
            }
            body.extend_from_slice(&piece);
        }

        if status == StatusCode::OK {
            let issued: Issued = serde_json::from_slice(&body)
                .map_err(|_| self.not_entra(status, if is_json { "no token in it" } else { "no JSON" }, retry_after))?;
            return issued.into_token(secret).map_err(|problem| self.not_entra(status, problem, retry_after));
        }
        let refused: Refused =
            serde_json::from_slice(&body).map_err(|_| self.not_entra(status, "no error in JSON", retry_after))?;
        Err(TokenError::Refused(refused.into_error(status, retry_after)))
    }

    fn host(&self) -> String {
        self.application.authority.authority().to_owned()
    }

    fn failed(&self, error: &reqwest::Error) -> TokenError {
        if error.is_connect() {
            Unreachable::entra(&self.host(), error).into()
        } else {
            TokenError::Broken { host: self.host(), reason: root_cause(error) }
        }
    }

    fn not_entra(&self, status: StatusCode, problem: &'static str, retry_after: Option<Duration>) -> TokenError {
        TokenError::NotEntra { host: self.host(), status, problem, retry_after }
    }
}

/// A success as Entra writes it; numbers may come as strings.
#[derive(Deserialize)]
struct Issued {
    access_token: Zeroizing<String>,
    token_type: String,
    #[serde(default)]
    expires_in: Option<Number>,
    #[serde(default)]
    refresh_in: Option<Number>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

impl Number {
    fn seconds(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        };
        seconds.filter(|seconds| (1..=MAX_LIFETIME_SECONDS).contains(seconds)).map(Duration::from_secs)
    }
}

impl Issued {
    fn into_token(self, secret: Secret) -> Result<IssuedToken, &'static str> {
        if !self.token_type.eq_ignore_ascii_case("Bearer") {
            return Err("a token that is no bearer token");
        }
        let text = Zeroizing::new(format!("Bearer {}", self.access_token.as_str()));
        let mut authorization =
            HeaderValue::try_from(text.as_str()).map_err(|_| "a token with forbidden characters")?;
        authorization.set_sensitive(true);
        let lifetime = match &self.expires_in {
            Some(number) => number.seconds().ok_or("a lifetime that makes no sense")?,
            None => LIFETIME_WHEN_UNSAID,
        };
        Ok(IssuedToken {
            authorization,
            lifetime,
            refresh_in: self.refresh_in.as_ref().and_then(Number::seconds).filter(|&refresh| refresh < lifetime),
            claims: Claims::read(&self.access_token),
            secret,
        })
    }
}

/// A refusal as Entra writes it.
#[derive(Deserialize)]
struct Refused {
    error: String,
    #[serde(default)]
    error_codes: Vec<u32>,
    #[serde(default)]
    correlation_id: Option<Uuid>,
}

impl Refused {
    fn into_error(self, status: StatusCode, retry_after: Option<Duration>) -> EntraError {
        let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
        let is_oauth_word = (1..=40).contains(&self.error.len()) && self.error.chars().all(is_word);
        EntraError {
            status,
            error: if is_oauth_word { self.error } else { "an unknown error".to_owned() },
            code: self.error_codes.first().copied(),
            correlation_id: self.correlation_id.map(|id| id.to_string()),
            retry_after,
        }
    }
}

fn seconds(value: &HeaderValue) -> Option<Duration> {
    let seconds: u64 = value.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER_SECONDS)))
}

/// Real answers have 2 to 4 KiB.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Entra's longest-lived tokens live 28 hours.
const MAX_LIFETIME_SECONDS: u64 = 48 * 3600;

/// What MSAL assumes when Entra does not say.
const LIFETIME_WHEN_UNSAID: Duration = Duration::from_secs(600);

/// A mistaken header must not silence us for days.
const MAX_RETRY_AFTER_SECONDS: u64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> EntraError {
        serde_json::from_str::<Refused>(body).unwrap().into_error(StatusCode::UNAUTHORIZED, None)
    }

    #[test]
    fn an_error_keeps_its_code_and_says_what_to_do() {
        let error = refused(
            r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret hunter2.","error_codes":[7000215]}"#,
        );
        assert_eq!(error.code, Some(7000215));
        assert!(error.needs_setup());
        let text = error.to_string();
        assert!(text.starts_with("Entra issues no token (invalid_client, AADSTS7000215). The client secret is wrong"));
        assert!(!text.contains("hunter2"), "the description repeats what a request held");
    }

    #[test]
    fn an_unknown_code_leads_to_microsofts_page() {
        let error = refused(r#"{"error":"interaction_required","error_codes":[123]}"#);
        assert!(error.to_string().contains("https://login.microsoftonline.com/error?code=123"));
    }

    #[test]
    fn only_oauths_words_are_repeated() {
        assert_eq!(refused(r#"{"error":"<script>hunter2"}"#).error, "an unknown error");
    }

    #[test]
    fn numbers_may_be_strings_and_must_make_sense() {
        let issued = |text: &str| serde_json::from_str::<Issued>(text).unwrap().into_token(Secret::new("s".into()));
        let token =
            issued(r#"{"token_type":"Bearer","access_token":"a","expires_in":"3599","refresh_in":1800}"#).unwrap();
        assert_eq!(token.lifetime, Duration::from_secs(3599));
        assert_eq!(token.refresh_in, Some(Duration::from_secs(1800)));
        assert!(token.authorization.is_sensitive());
        let unsaid = issued(r#"{"token_type":"Bearer","access_token":"a"}"#).unwrap();
        assert_eq!(unsaid.lifetime, LIFETIME_WHEN_UNSAID);
        for wrong in [
            r#"{"token_type":"Bearer","access_token":"a","expires_in":0}"#,
            r#"{"token_type":"Bearer","access_token":"a\r\nX: y","expires_in":9}"#,
            r#"{"token_type":"mac","access_token":"a","expires_in":9}"#,
        ] {
            assert!(issued(wrong).is_err(), "{wrong}");
        }
    }
}
