//! The OpenID discovery document: how anybody can see that a tenant exists.

use bytes::Bytes;
use hyper::{Response, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::errors::Refusal;
use super::json_response;

/// The tenant a request asks the document of.
pub fn tenant_of(path: &str) -> Option<&str> {
    path.strip_prefix('/')?
        .strip_suffix("/v2.0/.well-known/openid-configuration")
        .filter(|tenant| !tenant.contains('/'))
}

pub fn document(authority: &str, tenant_id: Uuid) -> Response<Bytes> {
    let base = format!("{authority}/{tenant_id}");
    let body = json!({
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "issuer": format!("{base}/v2.0"),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
    });
    json_response(StatusCode::OK, &body)
}

pub fn unknown(tenant: &str) -> Response<Bytes> {
    let refusal = Refusal::Tenant(tenant.to_owned());
    json_response(refusal.status(), &refusal.body())
}
