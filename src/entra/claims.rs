//! The claims of an access token: used for diagnosis, never for a decision.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The application permission to read and write Business Central's data.
pub const DATA_ROLE: &str = "API.ReadWrite.All";

/// The claims of an access token that reveal a wrong set-up (Entra, "Access token claims reference").
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// The application permissions with admin consent. Entra also issues tokens without any.
    #[serde(default)]
    pub roles: Vec<String>,
}

impl Claims {
    /// Parses the payload of a JWT without verifying it; `None` if the token is opaque.
    pub fn parse(token: &str) -> Option<Self> {
        Self::decode_payload(token)
    }

    /// Deserializes the payload of a JWT without verifying it.
    pub fn decode_payload<T: DeserializeOwned>(token: &str) -> Option<T> {
        let payload = token.split('.').nth(1)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    /// Whether the token permits reading and writing data: [`DATA_ROLE`].
    pub fn has_data_role(&self) -> bool {
        self.roles.iter().any(|role| role == DATA_ROLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_from_a_jwt_only() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"roles":["API.ReadWrite.All"],"aud":"x"}"#);
        assert!(Claims::parse(&format!("e30.{payload}.sig")).unwrap().has_data_role());
        assert!(!Claims::parse("e30.e30.sig").unwrap().has_data_role());
        for opaque in ["", "abc", "a.b.c", "..", "e30.%%%.x"] {
            assert_eq!(Claims::parse(opaque), None, "{opaque}");
        }
    }
}
