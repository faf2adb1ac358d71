//! The tokens that Entra issued, and the check that Business Central applies to a token.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use crate::simulator::lock::lock;

/// The application permission that Business Central requires in a token.
pub const API_READ_WRITE_ALL: &str = "API.ReadWrite.All";

/// The audience that Business Central requires in a token.
pub(super) const AUDIENCE: &str = "https://api.businesscentral.dynamics.com";

/// Every token that was issued and has neither expired nor been revoked.
#[derive(Default)]
pub struct Tokens(Mutex<HashMap<String, TokenFacts>>);

/// What Business Central reads from a token.
#[derive(Debug, Clone)]
pub struct TokenFacts {
    pub tenant_id: Uuid,
    pub client_id: Uuid,
    pub roles: Vec<String>,
    audience: String,
    /// On the clock of the runtime, which a test can pause.
    expires: Instant,
}

impl Tokens {
    /// Issues a token for Business Central: a unique JWT with real claims and a random signature.
    pub fn issue(&self, tenant_id: Uuid, client_id: Uuid, roles: Vec<String>, lifetime: Duration) -> String {
        self.issue_for(AUDIENCE, tenant_id, client_id, roles, lifetime)
    }

    /// Issues a token for any audience.
    pub fn issue_for(
        &self,
        audience: &str,
        tenant_id: Uuid,
        client_id: Uuid,
        roles: Vec<String>,
        lifetime: Duration,
    ) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut claims = json!({
            "aud": audience,
            "iss": format!("https://sts.windows.net/{tenant_id}/"),
            "iat": now,
            "nbf": now,
            "exp": now.saturating_add(lifetime.as_secs()),
            "appid": client_id,
            "appidacr": "1",
            "idtyp": "app",
            "oid": client_id,
            "sub": client_id,
            "tid": tenant_id,
            "uti": URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes()),
            "ver": "1.0",
        });
        if !roles.is_empty() {
            claims["roles"] = json!(roles);
        }
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": "simulator"});
        let signature: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(256).collect();
        let parts = [header.to_string().into_bytes(), claims.to_string().into_bytes(), signature];
        let token = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let now = Instant::now();
        let mut issued = lock(&self.0);
        issued.retain(|_, token| token.expires > now);
        issued.insert(
            token.clone(),
            TokenFacts {
                tenant_id,
                client_id,
                roles,
                audience: audience.to_owned(),
                expires: now.checked_add(lifetime).unwrap_or(now),
            },
        );
        token
    }

    /// The facts of a token that is current, for Business Central and with the required role; `None` for any other.
    pub fn accepted(&self, token: &str) -> Option<TokenFacts> {
        let issued = lock(&self.0).get(token).cloned()?;
        let has_role = issued.roles.iter().any(|role| role == API_READ_WRITE_ALL);
        (has_role && issued.audience == AUDIENCE && issued.expires > Instant::now()).then_some(issued)
    }

    /// Whether a token was issued here and has neither expired nor been revoked.
    pub fn is_current(&self, token: &str) -> bool {
        lock(&self.0).get(token).is_some_and(|issued| issued.expires > Instant::now())
    }

    /// Revokes every token issued so far.
    pub fn revoke_all(&self) {
        lock(&self.0).clear();
    }
}
