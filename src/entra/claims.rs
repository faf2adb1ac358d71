//! What a token says about itself: read for diagnosis, never for a decision.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The application permission Business Central's data needs.
pub const DATA_ROLE: &str = "API.ReadWrite.All";

/// The claims of an access token that tell a wrong set-up (Entra, "Access token claims reference").
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// The application permissions that were consented to. Entra issues a token without any, too.
    #[serde(default)]
    pub roles: Vec<String>,
}

impl Claims {
    /// Reads the middle part of a JWT, unverified; `None` when the token is opaque.
    pub fn read(token: &str) -> Option<Self> {
        Self::decode(token)
    }

    /// The middle part of a JWT as whatever shape it is wanted in, unverified.
    pub fn decode<T: DeserializeOwned>(token: &str) -> Option<T> {
        let payload = token.split('.').nth(1)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    /// Whether the permission to read and write data was consented to.
    pub fn has_data_role(&self) -> bool {
        self.roles.iter().any(|role| role == DATA_ROLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_from_a_jwt_and_nothing_from_anything_else() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"roles":["API.ReadWrite.All"],"aud":"x"}"#);
        assert!(Claims::read(&format!("e30.{payload}.sig")).unwrap().has_data_role());
        assert!(!Claims::read("e30.e30.sig").unwrap().has_data_role());
        for opaque in ["", "abc", "a.b.c", "..", "e30.%%%.x"] {
            assert_eq!(Claims::read(opaque), None, "{opaque}");
        }
    }
}
