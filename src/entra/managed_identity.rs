//! Tokens that Azure hands out on its own machines to whoever runs there.
//!
//! Source: Azure, "How to use managed identities on an Azure VM to acquire an access token" (IMDS) and "How to use managed identities for
//! App Service and Azure Functions". Both are plain HTTP on an address that leads nowhere outside the machine, and never go through a web
//! proxy.

use std::env;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::http::uri::{PathAndQuery, Scheme};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

use super::credential::ManagedIdentity;
use super::token_answer::{Body, Granted, TokenAnswer, TooLong};
use crate::error_chain::root_cause;
use crate::outbound::retry_after;
use crate::secret::Secret;

/// Azure's service for identities, as this machine has it.
#[derive(Debug, Clone)]
pub struct IdentityService {
    /// Address and path, without a query.
    address: Uri,
    version: &'static str,
    header: (HeaderName, HeaderValue),
}

/// Why there is no token of a managed identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error(
        "Azure's service for managed identities can't be reached at {host} ({reason}); `managed_identity` works on Azure only, on a machine \
         or service that has an identity"
    )]
    Unreachable { host: String, reason: String },
    #[error(
        "Azure's service for managed identities at {host} did not answer within {} s; `managed_identity` works on Azure only, on a machine \
         or service that has an identity", .after.as_secs_f32()
    )]
    TimedOut { host: String, after: Duration },
    #[error(
        "Azure's service for managed identities at {host} answered {status}: this machine has no such identity; in the Azure portal, open the \
         machine or service → Identity, and switch it on or assign it; for a user-assigned one, compare `client_id` of `managed_identity`"
    )]
    NoIdentity { host: String, status: StatusCode },
    #[error("Azure's service for managed identities at {host} answered {status}; bcproxy tries again by itself")]
    Busy { host: String, status: StatusCode, retry_after: Option<Duration> },
    #[error(
        "what answered {status} at {host} is not Azure's service for managed identities ({problem}); look what listens there"
    )]
    Strange { host: String, status: StatusCode, problem: &'static str },
    #[error("the environment variable {variable} is not what Azure sets; unset it, or run bcproxy where Azure set it")]
    Variable { variable: &'static str },
}

impl IdentityError {
    /// Whether somebody has to change the set-up before it makes sense to ask again.
    pub fn needs_setup(&self) -> bool {
        matches!(self, Self::NoIdentity { .. } | Self::Variable { .. })
    }

    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl IdentityService {
    /// App Service says in two variables where it is; a virtual machine's is always at the same address, unless Azure's own variable for
    /// another one is set.
    pub fn of_this_machine() -> Result<Self, IdentityError> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        match (variable(APP_SERVICE.0), variable(APP_SERVICE.1)) {
            (Some(endpoint), Some(key)) => Self::app_service(&endpoint, &key),
            _ => {
                let host = variable(IMDS_ELSEWHERE);
                Self::imds(host.as_deref().unwrap_or(IMDS))
            }
        }
    }

    fn app_service(endpoint: &str, key: &str) -> Result<Self, IdentityError> {
        let wrong = |variable| IdentityError::Variable { variable };
        let mut key = HeaderValue::from_str(key).map_err(|_| wrong(APP_SERVICE.1))?;
        key.set_sensitive(true);
        let header = (HeaderName::from_static("x-identity-header"), key);
        let address = plain_http(endpoint).ok_or(wrong(APP_SERVICE.0))?;
        Ok(Self { address, version: "2019-08-01", header })
    }

    fn imds(host: &str) -> Result<Self, IdentityError> {
        let address = format!("{}/metadata/identity/oauth2/token", host.trim_end_matches('/'));
        let address = plain_http(&address).ok_or(IdentityError::Variable { variable: IMDS_ELSEWHERE })?;
        let header = (HeaderName::from_static("metadata"), HeaderValue::from_static("true"));
        Ok(Self { address, version: "2018-02-01", header })
    }

    /// A token of this identity for a resource, which is a scope without its `/.default`.
    pub async fn token(
        &self,
        identity: ManagedIdentity,
        resource: &str,
        limit: Duration,
    ) -> Result<Granted, IdentityError> {
        let host = || self.host().to_owned();
        let answer = tokio::time::timeout(limit, self.ask(identity, resource)).await;
        let answer = answer.unwrap_or_else(|_| Err(IdentityError::TimedOut { host: host(), after: limit }))?;
        match answer.status {
            StatusCode::OK => {
                let strange = |problem| IdentityError::Strange { host: host(), status: answer.status, problem };
                let mut granted = answer.granted().map_err(strange)?;
                // It lives for a day, and Azure has a fresh one ready at half of it.
                if granted.refresh_in.is_none() && granted.lifetime >= LONG_LIVED {
                    granted.refresh_in = Some(granted.lifetime / 2);
                }
                Ok(granted)
            }
            // The service is being updated when it is not found or gone; Azure asks to be patient for a minute then.
            status @ (StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::TOO_MANY_REQUESTS) => {
                Err(IdentityError::Busy { host: host(), status, retry_after: retry_after(&answer.headers) })
            }
            status if status.is_server_error() => {
                Err(IdentityError::Busy { host: host(), status, retry_after: retry_after(&answer.headers) })
            }
            status if status.is_client_error() => Err(IdentityError::NoIdentity { host: host(), status }),
            status => Err(IdentityError::Strange { host: host(), status, problem: "no token in it" }),
        }
    }

    /// The same as a statement about us, which Entra takes in exchange for the application's token.
    pub async fn statement(&self, identity: ManagedIdentity, limit: Duration) -> Result<Secret, IdentityError> {
        let granted = self.token(identity, EXCHANGE, limit).await?;
        let token = granted.authorization.to_str().ok().and_then(|bearer| bearer.strip_prefix("Bearer "));
        let strange = || IdentityError::Strange {
            host: self.host().to_owned(),
            status: StatusCode::OK,
            problem: "a token with forbidden characters",
        };
        token.map(|token| Secret::new(token.to_owned())).ok_or_else(strange)
    }

    fn host(&self) -> &str {
        self.address.authority().map_or("", |authority| authority.as_str())
    }

    async fn ask(&self, identity: ManagedIdentity, resource: &str) -> Result<TokenAnswer, IdentityError> {
        let unreachable = |reason: String| IdentityError::Unreachable { host: self.host().to_owned(), reason };
        let name = self.address.host().unwrap_or_default().trim_matches(['[', ']']);
        let socket = TcpStream::connect((name, self.address.port_u16().unwrap_or(80)));
        let socket = socket.await.map_err(|error| unreachable(error.to_string()))?;
        let broke = |error: hyper::Error| unreachable(root_cause(&error));
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(broke)?;
        let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let (header, value) = self.header.clone();
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = self.target(identity, resource);
        request.headers_mut().insert(header, value);
        request.headers_mut().insert(HOST, HeaderValue::from_str(self.host()).unwrap_or(HeaderValue::from_static("")));
        let (head, mut body) = sender.send_request(request).await.map_err(broke)?.into_parts();
        let mut read = Body::new();
        while let Some(frame) = body.frame().await {
            if let Ok(piece) = frame.map_err(broke)?.into_data() {
                read.add(&piece).map_err(|TooLong| IdentityError::Strange {
                    host: self.host().to_owned(),
                    status: head.status,
                    problem: "far too long",
                })?;
            }
        }
        Ok(TokenAnswer { status: head.status, headers: head.headers, body: read.finish() })
    }

    fn target(&self, identity: ManagedIdentity, resource: &str) -> Uri {
        let resource = utf8_percent_encode(resource, NON_ALPHANUMERIC);
        let mut target = format!("{}?api-version={}&resource={resource}", self.address.path(), self.version);
        if let Some(client_id) = identity.client_id {
            target += &format!("&client_id={client_id}");
        }
        // It is made of a path and what was encoded.
        PathAndQuery::try_from(target).map(Uri::from).unwrap_or_default()
    }
}

/// An address of plain HTTP.
fn plain_http(text: &str) -> Option<Uri> {
    let address: Uri = text.parse().ok()?;
    (address.scheme() == Some(&Scheme::HTTP) && address.host().is_some()).then_some(address)
}

/// Where App Service is, and the key it wants to see.
const APP_SERVICE: (&str, &str) = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER");

/// The metadata service of every virtual machine on Azure.
const IMDS: &str = "http://169.254.169.254";

/// Where Azure's own libraries look for the metadata service instead.
const IMDS_ELSEWHERE: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";

/// The resource of tokens that vouch for an application (Entra, "workload identity federation").
const EXCHANGE: &str = "api://AzureADTokenExchange";

/// From here on a token is renewed at half its life, as MSAL does.
const LONG_LIVED: Duration = Duration::from_secs(2 * 3600);
