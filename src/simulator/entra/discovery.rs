//! The OpenID discovery document. It shows without a credential whether a tenant exists.

use bytes::Bytes;
use hyper::{Response, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::errors::TokenRejection;
use super::response::json_response;

/// The tenant in the path of a discovery request; `None` for any other path.
pub(super) fn tenant_of(path: &str) -> Option<&str> {
    path.strip_prefix('/')?
        .strip_suffix("/v2.0/.well-known/openid-configuration")
        .filter(|tenant| !tenant.contains('/'))
}

/// The discovery document of a tenant.
pub(super) fn document(authority: &str, tenant_id: Uuid) -> Response<Bytes> {
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

/// The error for a tenant that does not exist.
pub(super) fn unknown(tenant: &str) -> Response<Bytes> {
    let rejection = TokenRejection::Tenant(tenant.to_owned());
    json_response(rejection.status(), &rejection.body())
}
