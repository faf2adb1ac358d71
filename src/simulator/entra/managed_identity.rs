//! Azure's managed identity service in both forms, for virtual machines and for App Service. Plain HTTP on loopback.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::response::json_response;
use super::tokens::{API_READ_WRITE_ALL, AUDIENCE, Tokens};
use crate::simulator::lock::lock;
use crate::simulator::times::Times;

/// The identities of one machine and the service that issues their tokens. Dropping it stops the service.
pub struct ManagedIdentityService {
    address: SocketAddr,
    state: Arc<IdentityState>,
    _task: AbortOnDropHandle<()>,
}

struct IdentityState {
    tenant_id: Uuid,
    tokens: Arc<Tokens>,
    /// The system-assigned identity.
    system: Uuid,
    user_assigned: Vec<Uuid>,
    failures: Mutex<Option<(StatusCode, Times)>>,
    requests: Mutex<Vec<String>>,
}

/// The value of the `X-IDENTITY-HEADER` header that App Service requires.
pub const IDENTITY_HEADER: &str = "simulator-identity-key";

/// The resource of tokens that serve as a federated credential.
const TOKEN_EXCHANGE_RESOURCE: &str = "api://AzureADTokenExchange";

/// The lifetime of tokens of managed identities.
const LIFETIME: Duration = Duration::from_secs(86_400);

impl ManagedIdentityService {
    pub(in crate::simulator) async fn start(
        tenant_id: Uuid,
        tokens: Arc<Tokens>,
        system: Uuid,
        user_assigned: Vec<Uuid>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (failures, requests) = (Mutex::default(), Mutex::default());
        let state = Arc::new(IdentityState { tenant_id, tokens, system, user_assigned, failures, requests });
        let task = tokio::spawn(serve(listener, state.clone()));
        Ok(Self { address, state, _task: AbortOnDropHandle::new(task) })
    }

    /// The origin of a virtual machine's metadata service: `http://127.0.0.1:PORT`.
    pub fn imds(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The value of `IDENTITY_ENDPOINT` that App Service sets; its `IDENTITY_HEADER` is [`IDENTITY_HEADER`].
    pub fn app_service(&self) -> String {
        format!("http://{}/msi/token", self.address)
    }

    /// Answers requests with an error of this status.
    pub fn fail(&self, status: StatusCode, times: Times) {
        *lock(&self.state.failures) = Some((status, times));
    }

    /// Path and query of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.state.requests).clone()
    }
}

async fn serve(listener: TcpListener, state: Arc<IdentityState>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let state = state.clone();
        let service = service_fn(move |request| {
            let response = state.respond(&request);
            async move { Ok::<_, Infallible>(response.map(Full::new)) }
        });
        connections
            .spawn(async move { http1::Builder::new().serve_connection(TokioIo::new(socket), service).await.is_ok() });
    }
}

impl IdentityState {
    fn respond(&self, request: &Request<Incoming>) -> Response<Bytes> {
        let target = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
        lock(&self.requests).push(target);
        if let Some((status, times)) = lock(&self.failures).as_mut()
            && times.take()
        {
            return json_response(*status, &json!({"error": "failing on purpose"}));
        }
        let query: HashMap<_, _> =
            form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).collect();
        let parameter = |name: &str| query.get(name).map(|value| value.as_ref());
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let (is_app_service, is_well_formed) = match request.uri().path() {
            "/metadata/identity/oauth2/token" => {
                (false, header("metadata") == Some("true") && parameter("api-version") == Some("2018-02-01"))
            }
            "/msi/token" => (
                true,
                header("x-identity-header") == Some(IDENTITY_HEADER) && parameter("api-version") == Some("2019-08-01"),
            ),
            _ => return json_response(StatusCode::NOT_FOUND, &json!({"error": "not found"})),
        };
        let reject = |message: &str| {
            let body = match is_app_service {
                true => json!({"statusCode": 400, "message": message}),
                false => json!({"error": "invalid_request", "error_description": message}),
            };
            json_response(StatusCode::BAD_REQUEST, &body)
        };
        let Some(resource) = parameter("resource").filter(|_| is_well_formed) else {
            return reject("Header, api-version or resource is missing.");
        };
        if ![AUDIENCE, TOKEN_EXCHANGE_RESOURCE].contains(&resource) {
            return reject("The resource is not known.");
        }
        let identity = match parameter("client_id") {
            None => Some(self.system),
            Some(wanted) => self.user_assigned.iter().copied().find(|id| Uuid::try_parse(wanted) == Ok(*id)),
        };
        let Some(identity) = identity else { return reject("Identity not found") };
        let roles = vec![API_READ_WRITE_ALL.to_owned()];
        let token = self.tokens.issue_for(resource, self.tenant_id, identity, roles, LIFETIME);
        json_response(StatusCode::OK, &granted(&token, resource, is_app_service))
    }
}

/// Both forms write numbers as strings. App Service sends no `expires_in`.
fn granted(token: &str, resource: &str, is_app_service: bool) -> Value {
    let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + LIFETIME;
    let mut grant = json!({
        "access_token": token,
        "expires_on": end.as_secs().to_string(),
        "resource": resource,
        "token_type": "Bearer",
    });
    if !is_app_service {
        grant["expires_in"] = json!(LIFETIME.as_secs().to_string());
    }
    grant
}
