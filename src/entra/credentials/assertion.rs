//! The signed JWT that proves to Entra that we hold the application's certificate.
//!
//! Source: Entra, "Microsoft identity platform application authentication certificate credentials"; RFC 7523.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PSS_SHA256};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::certificate::SigningCertificate;
use crate::entra::ids::ClientId;
use crate::secret::Secret;

impl SigningCertificate {
    /// Signs an assertion for one token request at `token_endpoint`, valid for five minutes.
    ///
    /// `None` if the operating system provides no random numbers.
    pub fn assertion(&self, client_id: ClientId, token_endpoint: &str, now: OffsetDateTime) -> Option<Secret> {
        let header =
            json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(self.thumbprint) }).to_string();
        let client_id = client_id.to_string();
        let claims = json!({
            "aud": token_endpoint,
            "iss": client_id,
            "sub": client_id,
            "jti": Uuid::new_v4(),
            "iat": now.unix_timestamp(),
            "nbf": now.unix_timestamp(),
            "exp": (now + LIFETIME).unix_timestamp(),
        });
        let mut assertion =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = vec![0; self.key.public_key().modulus_len()];
        self.key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), assertion.as_bytes(), &mut signature).ok()?;
        assertion.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut assertion);
        Some(Secret::new(assertion))
    }
}

/// Entra accepts up to ten minutes.
const LIFETIME: Duration = Duration::from_secs(300);
