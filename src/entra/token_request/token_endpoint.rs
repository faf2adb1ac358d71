//! The token endpoint of Entra.
//!
//! Source: Entra, "OAuth 2.0 client credentials flow on the Microsoft identity platform".

use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::managed_identity_service::ManagedIdentityService;
use super::token_error::TokenError;
use super::token_response::{TokenGrant, TokenResponse};
use crate::entra::application::Application;
use crate::entra::certificate::CertificateFiles;
use crate::entra::clock::ClockSkew;
use crate::entra::credential::{ClientSecret, Credential, Fingerprint, ManagedIdentity, federated_token};
use crate::error_chain::root_cause;
use crate::guide::Step;
use crate::outbound::{HttpClient, RequestError, Unreachable, retry_after};
use crate::secret::Secret;

/// The token endpoint of an application's tenant.
#[derive(Debug, Clone)]
pub struct TokenEndpoint {
    http: HttpClient,
    url: String,
    /// The application that tokens are issued to.
    pub(crate) application: Application,
    /// The time limit of each request.
    pub(crate) timeout: Duration,
}

/// A token that was just issued.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token and its lifetime.
    pub grant: TokenGrant,
    /// The credential that Entra accepted.
    pub fingerprint: Fingerprint,
    /// The last day that credential is valid, if known.
    pub last_day: Option<Date>,
    /// Whether white space around that credential was ignored.
    pub is_trimmed: bool,
    /// The error of this machine's clock, measured on the response.
    pub clock_skew: Option<ClockSkew>,
}

/// What authenticates a request.
#[derive(Clone, Copy)]
enum Proof<'s> {
    Secret(&'s Secret),
    /// A signed JWT (RFC 7523).
    Assertion(&'s Secret),
}

impl TokenEndpoint {
    /// Creates the endpoint. `timeout` limits each request.
    pub fn new(http: HttpClient, application: Application, timeout: Duration) -> Self {
        let url = format!("{}/{}/oauth2/v2.0/token", application.authority, application.tenant_id);
        Self { http, url, application, timeout }
    }

    /// Requests a token, without a retry.
    pub async fn request(&self) -> Result<IssuedToken, TokenError> {
        self.request_with(None).await
    }

    /// Requests a token with the claims that a service demanded, in JSON.
    pub async fn request_with(&self, claims: Option<&str>) -> Result<IssuedToken, TokenError> {
        match &self.application.credential {
            Credential::ClientSecret(secrets) => {
                let mut outcome = self.with_secret(&secrets.first, claims).await;
                for next in &secrets.others {
                    match outcome {
                        Err(error) if error.is_about_the_secret() => {
                            outcome = prefer_rejection(error, self.with_secret(next, claims).await);
                        }
                        _ => break,
                    }
                }
                outcome
            }
            Credential::ClientCertificate(files) => self.with_certificate(files, claims).await,
            Credential::FederatedToken(path) => {
                let token = federated_token(path).await?;
                self.request_token(Proof::Assertion(&token), claims, None).await
            }
            Credential::ManagedIdentity(identity) => self.with_identity(*identity, claims).await,
        }
    }

    async fn with_secret(&self, stored: &ClientSecret, claims: Option<&str>) -> Result<IssuedToken, TokenError> {
        let secret = stored.source.read("client secret").await?;
        if secret.is_guid() {
            tracing::warn!(
                client_id = %self.application.client_id,
                "the value in the {} has the form of a Secret ID; store the secret's Value instead, \
                 which Entra shows only once after creating it",
                stored.source
            );
        }
        self.request_token(Proof::Secret(&secret), claims, stored.expires).await
    }

    async fn with_certificate(
        &self,
        files: &CertificateFiles,
        claims: Option<&str>,
    ) -> Result<IssuedToken, TokenError> {
        let pair = files.read().await?;
        let now = OffsetDateTime::now_utc();
        files.check_validity(&pair, now)?;
        let assertion = pair.assertion(self.application.client_id, &self.url, now).ok_or(TokenError::NoRandomness)?;
        let mut issued = self.request_token(Proof::Assertion(&assertion), claims, Some(pair.last_day())).await?;
        // Each assertion is different; the credential is the certificate.
        issued.fingerprint = pair.fingerprint();
        Ok(issued)
    }

    async fn with_identity(&self, identity: ManagedIdentity, claims: Option<&str>) -> Result<IssuedToken, TokenError> {
        let service = ManagedIdentityService::of_this_machine()?;
        if !identity.is_application(self.application.client_id) {
            let assertion = service.assertion(identity, self.timeout).await?;
            return self.request_token(Proof::Assertion(&assertion), claims, None).await;
        }
        let scope = self.application.scope.as_str();
        let resource = scope.strip_suffix("/.default").unwrap_or(scope);
        let grant = service.token(identity, resource, self.timeout).await?;
        let fingerprint = Fingerprint::of("");
        Ok(IssuedToken { grant, fingerprint, last_day: None, is_trimmed: false, clock_skew: None })
    }

    async fn request_token(
        &self,
        proof: Proof<'_>,
        claims: Option<&str>,
        last_day: Option<Date>,
    ) -> Result<IssuedToken, TokenError> {
        let response = tokio::time::timeout(self.timeout, self.exchange(proof, claims)).await;
        let response =
            response.unwrap_or_else(|_| Err(TokenError::TimedOut { host: self.host(), after: self.timeout }))?;
        if response.status != StatusCode::OK {
            let mut error = response.entra_error().map_err(|problem| self.not_entra(&response, problem))?;
            if error.step() == Some(Step::Consent) {
                error.consent_advice = self.application.consent_advice().map(String::into_boxed_str);
            }
            return Err(TokenError::Rejected(error));
        }
        let grant = response.grant().map_err(|problem| self.not_entra(&response, problem))?;
        let (Proof::Secret(value) | Proof::Assertion(value)) = proof;
        let clock_skew = ClockSkew::measure(&response.headers, SystemTime::now());
        let fingerprint = Fingerprint::of(value.expose());
        Ok(IssuedToken { grant, fingerprint, last_day, is_trimmed: value.is_trimmed(), clock_skew })
    }

    async fn exchange(&self, proof: Proof<'_>, claims: Option<&str>) -> Result<TokenResponse, TokenError> {
        let client_id = self.application.client_id.to_string();
        let mut fields =
            vec![("grant_type", "client_credentials"), ("client_id", &client_id), ("scope", &self.application.scope)];
        match proof {
            Proof::Secret(secret) => fields.push(("client_secret", secret.expose())),
            Proof::Assertion(assertion) => {
                fields.push(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
                fields.push(("client_assertion", assertion.expose()));
            }
        }
        fields.extend(claims.map(|claims| ("claims", claims)));
        let request = self.http.post_form(&self.url, &fields).header("client-request-id", Uuid::new_v4().to_string());
        let response = self.http.send(request).await.map_err(|error| self.failed(error))?;
        TokenResponse::read(response).await.map_err(|error| self.failed(error.into()))
    }

    fn host(&self) -> String {
        self.application.authority.authority().to_owned()
    }

    fn failed(&self, error: RequestError) -> TokenError {
        match error {
            RequestError::Connect(error) => Unreachable::entra(&self.host(), error.as_ref()).into(),
            error => TokenError::ConnectionLost { host: self.host(), reason: root_cause(&error) },
        }
    }

    fn not_entra(&self, response: &TokenResponse, problem: &'static str) -> TokenError {
        let retry_after = retry_after(&response.headers);
        TokenError::NotEntra { host: self.host(), status: response.status, problem, retry_after }
    }
}

/// Combines the outcomes of two secrets: Entra's rejection of one explains more than that the next one is missing.
fn prefer_rejection(before: TokenError, next: Result<IssuedToken, TokenError>) -> Result<IssuedToken, TokenError> {
    match (before, next) {
        (rejected @ TokenError::Rejected(_), Err(TokenError::Secret(_))) => Err(rejected),
        (_, next) => next,
    }
}
