//! The token endpoint: one request, one token or one error in words.
//!
//! Source: Entra, "OAuth 2.0 client credentials flow on the Microsoft identity platform".

use std::time::{Duration, SystemTime};

use hyper::Request;
use hyper::header::CONTENT_TYPE;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::Application;
use super::clock::ClockSkew;
use super::credential::{CertificateFiles, Credential, Fingerprint, KeptSecret, ManagedIdentity, federated_token};
use super::managed_identity::IdentityService;
use super::token_answer::{Body, Granted, TokenAnswer, TooLong};
use super::token_error::TokenError;
use crate::error_chain::root_cause;
use crate::outbound::{HttpClient, RequestError, Unreachable, form, retry_after};
use crate::secret::Secret;

/// The token endpoint of one application's tenant.
#[derive(Debug, Clone)]
pub struct TokenEndpoint {
    http: HttpClient,
    url: String,
    application: Application,
    timeout: Duration,
}

/// A token as Entra issued it.
#[derive(Debug)]
pub struct IssuedToken {
    pub granted: Granted,
    pub accepted: Accepted,
    /// How wrong this machine's clock is, as the answer showed.
    pub clock: Option<ClockSkew>,
}

/// The credential that was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// Changes with the credential.
    pub fingerprint: Fingerprint,
    /// Its last day, where that is known.
    pub last_day: Option<Date>,
    /// Whether white space around it was left out.
    pub is_trimmed: bool,
}

/// How the request proves that it is the application's.
#[derive(Clone, Copy)]
enum Proof<'s> {
    Secret(&'s Secret),
    /// A signed statement (RFC 7523).
    Assertion(&'s Secret),
}

impl TokenEndpoint {
    pub fn new(http: HttpClient, application: Application, timeout: Duration) -> Self {
        let url = format!("{}/{}/oauth2/v2.0/token", application.authority, application.tenant_id);
        Self { http, url, application, timeout }
    }

    pub fn application(&self) -> &Application {
        &self.application
    }

    /// Asks for a token once.
    pub async fn request(&self) -> Result<IssuedToken, TokenError> {
        self.request_with(None).await
    }

    /// Asks for a token once, that meets what a service has demanded (`claims`: JSON, as in its challenge).
    pub async fn request_with(&self, claims: Option<&str>) -> Result<IssuedToken, TokenError> {
        match &self.application.credential {
            Credential::ClientSecret(sources) => {
                let mut outcome = self.with_secret(&sources.first, claims).await;
                for kept in &sources.others {
                    match outcome {
                        Err(error) if error.is_about_the_secret() => {
                            outcome = more_telling(error, self.with_secret(kept, claims).await);
                        }
                        _ => break,
                    }
                }
                outcome
            }
            Credential::ClientCertificate(files) => self.with_certificate(files, claims).await,
            Credential::FederatedToken(path) => {
                let token = federated_token(path).await?;
                self.accepted(Proof::Assertion(&token), claims, None).await
            }
            Credential::ManagedIdentity(identity) => self.with_identity(*identity, claims).await,
        }
    }

    async fn with_secret(&self, kept: &KeptSecret, claims: Option<&str>) -> Result<IssuedToken, TokenError> {
        let secret = kept.source.read("client secret").await?;
        if secret.looks_like_an_id() {
            tracing::warn!(
                client_id = %self.application.client_id,
                "what stands in the {} has the form of a Secret ID; Entra wants the secret's Value, which it shows only when it is made",
                kept.source
            );
        }
        self.accepted(Proof::Secret(&secret), claims, kept.expires).await
    }

    async fn with_certificate(
        &self,
        files: &CertificateFiles,
        claims: Option<&str>,
    ) -> Result<IssuedToken, TokenError> {
        let pair = files.read().await?;
        let now = OffsetDateTime::now_utc();
        files.check_time(&pair, now)?;
        let assertion = pair.assertion(self.application.client_id, &self.url, now).ok_or(TokenError::NoRandomness)?;
        let mut issued = self.accepted(Proof::Assertion(&assertion), claims, Some(pair.last_day())).await?;
        // The statement is another one each time; the certificate is not.
        issued.accepted.fingerprint = pair.fingerprint();
        Ok(issued)
    }

    async fn with_identity(&self, identity: ManagedIdentity, claims: Option<&str>) -> Result<IssuedToken, TokenError> {
        let service = IdentityService::of_this_machine()?;
        if !identity.is(self.application.client_id) {
            let statement = service.statement(identity, self.timeout).await?;
            return self.accepted(Proof::Assertion(&statement), claims, None).await;
        }
        let scope = self.application.scope.as_str();
        let resource = scope.strip_suffix("/.default").unwrap_or(scope);
        let granted = service.token(identity, resource, self.timeout).await?;
        let accepted = Accepted { fingerprint: Fingerprint::of(""), last_day: None, is_trimmed: false };
        Ok(IssuedToken { granted, accepted, clock: None })
    }

    async fn accepted(
        &self,
        proof: Proof<'_>,
        claims: Option<&str>,
        last_day: Option<Date>,
    ) -> Result<IssuedToken, TokenError> {
        let answer = tokio::time::timeout(self.timeout, self.exchange(proof, claims)).await;
        let answer = answer.unwrap_or_else(|_| Err(TokenError::TimedOut { host: self.host(), after: self.timeout }))?;
        if answer.status != hyper::StatusCode::OK {
            let refused = answer.refused().map_err(|problem| self.not_entra(&answer, problem))?;
            return Err(TokenError::Refused(refused));
        }
        let granted = answer.granted().map_err(|problem| self.not_entra(&answer, problem))?;
        let (Proof::Secret(value) | Proof::Assertion(value)) = proof;
        let fingerprint = Fingerprint::of(value.expose());
        Ok(IssuedToken {
            granted,
            accepted: Accepted { fingerprint, last_day, is_trimmed: value.is_trimmed() },
            clock: ClockSkew::of(&answer.headers, SystemTime::now()),
        })
    }

    async fn exchange(&self, proof: Proof<'_>, claims: Option<&str>) -> Result<TokenAnswer, TokenError> {
        let client_id = self.application.client_id.to_string();
        let mut fields =
            vec![("grant_type", "client_credentials"), ("client_id", &client_id), ("scope", &self.application.scope)];
        match proof {
            Proof::Secret(secret) => fields.push(("client_secret", secret.expose())),
            Proof::Assertion(statement) => {
                fields.push(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
                fields.push(("client_assertion", statement.expose()));
            }
        }
        fields.extend(claims.map(|claims| ("claims", claims)));
        let request = Request::post(&self.url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("client-request-id", Uuid::new_v4().to_string());
        let mut answer = self.http.send(request, form(&fields)).await.map_err(|error| self.failed(&error))?;

        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = Body::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| self.failed(&error))? {
            body.add(&piece).map_err(|TooLong| TokenError::NotEntra {
                host: self.host(),
                status,
                problem: "far too long",
                retry_after: retry_after(&headers),
            })?;
        }
        Ok(TokenAnswer { status, headers, body: body.finish() })
    }

    fn host(&self) -> String {
        self.application.authority.authority().to_owned()
    }

    fn failed(&self, error: &RequestError) -> TokenError {
        match error {
            RequestError::Connect(error) => Unreachable::entra(&self.host(), error).into(),
            _ => TokenError::Broken { host: self.host(), reason: root_cause(error) },
        }
    }

    fn not_entra(&self, answer: &TokenAnswer, problem: &'static str) -> TokenError {
        let retry_after = retry_after(&answer.headers);
        TokenError::NotEntra { host: self.host(), status: answer.status, problem, retry_after }
    }
}

/// The outcome of a list's next secret; but what Entra said of one says more than that another is missing.
fn more_telling(before: TokenError, next: Result<IssuedToken, TokenError>) -> Result<IssuedToken, TokenError> {
    match (before, next) {
        (refused @ TokenError::Refused(_), Err(TokenError::Secret(_))) => Err(refused),
        (_, next) => next,
    }
}
