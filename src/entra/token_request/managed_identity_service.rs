//! Azure's service for managed identities, which issues tokens to programs on Azure machines.
//!
//! It uses plain HTTP on an address that is local to the machine. Requests to it never go through an outbound proxy.
//!
//! Sources: Azure, "How to use managed identities on an Azure VM to acquire an access token" (IMDS).
//! Azure, "How to use managed identities for App Service and Azure Functions".

use std::env;
use std::error::Error;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use hyper::http::uri::Scheme;
use hyper::{StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::token_response::{TokenGrant, TokenResponse};
use crate::entra::credential::ManagedIdentity;
use crate::error_chain::root_cause;
use crate::outbound::{local_client, retry_after};
use crate::secret::Secret;

/// The service of this machine.
#[derive(Debug, Clone)]
pub struct ManagedIdentityService {
    /// The URL without its query.
    url: Uri,
    api_version: &'static str,
    /// The header that the service expects.
    header: (HeaderName, HeaderValue),
}

/// Why Azure issued no token for a managed identity.
#[derive(Debug, thiserror::Error)]
pub enum ManagedIdentityError {
    /// The connection failed.
    #[error(
        "Azure's service for managed identities can't be reached at {host} ({reason}); \
         use `managed_identity` only on an Azure machine or service that has an identity"
    )]
    Unreachable {
        /// The service's host.
        host: String,
        /// The error of the connection.
        reason: String,
    },
    /// The response did not arrive in time.
    #[error(
        "Azure's service for managed identities at {host} did not respond within {} s. \
         Use `managed_identity` only on an Azure machine or service that has an identity", .after.as_secs_f32()
    )]
    TimedOut {
        /// The service's host.
        host: String,
        /// The limit that was exceeded.
        after: Duration,
    },
    /// The machine has no such identity.
    #[error(
        "Azure's service for managed identities at {host} answered {status}: this machine has no such identity. \
         In the Azure portal, open the machine or service → Identity, and switch it on or assign it. \
         For a user-assigned identity, compare `client_id` of `managed_identity`"
    )]
    NoIdentity {
        /// The service's host.
        host: String,
        /// The status of the response.
        status: StatusCode,
    },
    /// The service is overloaded or being updated.
    #[error("Azure's service for managed identities at {host} answered {status}; bcproxy retries automatically")]
    Busy {
        /// The service's host.
        host: String,
        /// The status of the response.
        status: StatusCode,
        /// From the header of that name.
        retry_after: Option<Duration>,
    },
    /// The response is not one that the service sends.
    #[error(
        "the server at {host} answered {status}, but not as Azure's service for managed identities does ({problem}); \
         check what listens there"
    )]
    UnexpectedResponse {
        /// The host that answered.
        host: String,
        /// The status of the response.
        status: StatusCode,
        /// What the response is instead.
        problem: &'static str,
    },
    /// An environment variable of Azure's holds an unusable value.
    #[error(
        "the environment variable {variable} holds a value that Azure does not set; \
         unset it, or run bcproxy where Azure sets it"
    )]
    Variable {
        /// The variable's name.
        variable: &'static str,
    },
}

impl ManagedIdentityService {
    /// Finds the service. App Service names it in two variables. A virtual machine has it at a fixed address, unless
    /// the variable of Azure's own libraries names another.
    pub fn of_this_machine() -> Result<Self, ManagedIdentityError> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        match (variable(APP_SERVICE_VARIABLES.0), variable(APP_SERVICE_VARIABLES.1)) {
            (Some(endpoint), Some(key)) => Self::app_service(&endpoint, &key),
            _ => {
                let host = variable(IMDS_HOST_VARIABLE);
                Self::imds(host.as_deref().unwrap_or(IMDS))
            }
        }
    }

    fn app_service(endpoint: &str, key: &str) -> Result<Self, ManagedIdentityError> {
        let wrong = |variable| ManagedIdentityError::Variable { variable };
        let mut key = HeaderValue::from_str(key).map_err(|_| wrong(APP_SERVICE_VARIABLES.1))?;
        key.set_sensitive(true);
        let header = (HeaderName::from_static("x-identity-header"), key);
        let url = plain_http(endpoint).ok_or(wrong(APP_SERVICE_VARIABLES.0))?;
        Ok(Self { url, api_version: "2019-08-01", header })
    }

    fn imds(host: &str) -> Result<Self, ManagedIdentityError> {
        let url = format!("{}/metadata/identity/oauth2/token", host.trim_end_matches('/'));
        let url = plain_http(&url).ok_or(ManagedIdentityError::Variable { variable: IMDS_HOST_VARIABLE })?;
        let header = (HeaderName::from_static("metadata"), HeaderValue::from_static("true"));
        Ok(Self { url, api_version: "2018-02-01", header })
    }

    /// Requests a token of this identity for a resource: a scope without its `/.default`.
    pub async fn token(
        &self,
        identity: ManagedIdentity,
        resource: &str,
        limit: Duration,
    ) -> Result<TokenGrant, ManagedIdentityError> {
        let host = || self.host().to_owned();
        let response = tokio::time::timeout(limit, self.request(identity, resource)).await;
        let response =
            response.unwrap_or_else(|_| Err(ManagedIdentityError::TimedOut { host: host(), after: limit }))?;
        let unexpected = |problem| self.unexpected(response.status, problem);
        match response.status {
            StatusCode::OK => {
                let mut grant = response.grant().map_err(unexpected)?;
                // Such a token is valid for a day. Azure issues a new one after half of it.
                if grant.refresh_in.is_none() && grant.lifetime >= LONG_LIVED {
                    grant.refresh_in = Some(grant.lifetime / 2);
                }
                Ok(grant)
            }
            // 404 and 410 mean that the service is being updated, for about a minute.
            status
                if status.is_server_error()
                    || matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::TOO_MANY_REQUESTS) =>
            {
                Err(ManagedIdentityError::Busy { host: host(), status, retry_after: retry_after(&response.headers) })
            }
            status if status.is_client_error() => Err(ManagedIdentityError::NoIdentity { host: host(), status }),
            _ => Err(unexpected("no token in the body")),
        }
    }

    /// Requests an assertion about this identity, which Entra exchanges for a token of the application.
    pub async fn assertion(&self, identity: ManagedIdentity, limit: Duration) -> Result<Secret, ManagedIdentityError> {
        let grant = self.token(identity, EXCHANGE_RESOURCE, limit).await?;
        let token = grant.authorization.to_str().ok().and_then(|bearer| bearer.strip_prefix("Bearer "));
        let invalid = || self.unexpected(StatusCode::OK, "the token contains invalid characters");
        token.map(|token| Secret::new(token.to_owned())).ok_or_else(invalid)
    }

    fn host(&self) -> &str {
        self.url.authority().map_or("", |authority| authority.as_str())
    }

    fn unexpected(&self, status: StatusCode, problem: &'static str) -> ManagedIdentityError {
        ManagedIdentityError::UnexpectedResponse { host: self.host().to_owned(), status, problem }
    }

    async fn request(&self, identity: ManagedIdentity, resource: &str) -> Result<TokenResponse, ManagedIdentityError> {
        let failed = |error: &(dyn Error + 'static)| ManagedIdentityError::Unreachable {
            host: self.host().to_owned(),
            reason: root_cause(error),
        };
        let client = local_client().map_err(|error| failed(&error))?;
        let (header, value) = self.header.clone();
        let request = client.get(self.target(identity, resource)).header(header, value);
        let response = request.send().await.map_err(|error| failed(&error))?;
        TokenResponse::read(response).await.map_err(|error| failed(&error))
    }

    fn target(&self, identity: ManagedIdentity, resource: &str) -> String {
        let (host, path) = (self.host(), self.url.path());
        let resource = utf8_percent_encode(resource, NON_ALPHANUMERIC);
        let client_id = identity.client_id.map_or_else(String::new, |client_id| format!("&client_id={client_id}"));
        format!("http://{host}{path}?api-version={}&resource={resource}{client_id}", self.api_version)
    }
}

/// Parses an absolute `http` URL.
fn plain_http(text: &str) -> Option<Uri> {
    let url: Uri = text.parse().ok()?;
    (url.scheme() == Some(&Scheme::HTTP) && url.host().is_some()).then_some(url)
}

/// The variables that hold the service's URL on App Service, and the key it expects in a header.
const APP_SERVICE_VARIABLES: (&str, &str) = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER");

/// The metadata service of every virtual machine on Azure (IMDS).
const IMDS: &str = "http://169.254.169.254";

/// The variable with which Azure's own libraries override the host of the metadata service.
const IMDS_HOST_VARIABLE: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";

/// The resource of tokens that serve as assertions (Entra, "workload identity federation").
const EXCHANGE_RESOURCE: &str = "api://AzureADTokenExchange";

/// Tokens with at least this lifetime are refreshed after half of it, as MSAL does.
const LONG_LIVED: Duration = Duration::from_secs(2 * 3600);
