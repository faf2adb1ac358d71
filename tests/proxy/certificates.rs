//! RSA keys and certificates, made while testing.
#![allow(dead_code, reason = "no test program uses all of it")]

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, KeyPair};
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::pkcs1::{EncodeRsaPrivateKey, EncodeRsaPublicKey};
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use rsa::{Generate, PrivateKey};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

/// A key; making one takes a while, so there are only as many as there are names for.
#[derive(Clone, Copy)]
pub enum Key {
    First,
    Second,
}

impl Key {
    fn get(self) -> &'static PrivateKey {
        static KEYS: [OnceLock<PrivateKey>; 2] = [OnceLock::new(), OnceLock::new()];
        KEYS[self as usize].get_or_init(PrivateKey::generate)
    }

    /// `-----BEGIN PRIVATE KEY-----`
    pub fn pkcs8(self) -> String {
        self.get().to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
    }

    /// `-----BEGIN RSA PRIVATE KEY-----`
    pub fn pkcs1(self) -> String {
        self.get().to_pkcs1_pem(LineEnding::LF).unwrap().to_string()
    }

    /// The public key, as the simulator takes it for an issuer's.
    pub fn public(self) -> Vec<u8> {
        self.get().to_public_key().to_pkcs1_der().unwrap().as_bytes().to_vec()
    }

    /// A certificate for it that is valid from and until so many days from now.
    pub fn certificate(self, from: i64, until: i64) -> String {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        let now = OffsetDateTime::now_utc();
        params.not_before = now + Duration::days(from);
        params.not_after = now + Duration::days(until);
        let key = KeyPair::from_pem(&self.pkcs8()).unwrap();
        params.self_signed(&key).unwrap().pem()
    }

    /// A token signed with it, as an issuer such as Kubernetes writes it.
    pub fn token(self, claims: &Value) -> String {
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&serde_json::json!({ "alg": "RS256", "kid": "test" })), part(claims));
        let der = self.get().to_pkcs8_der().unwrap();
        let key = RsaKeyPair::from_pkcs8(der.as_bytes()).unwrap();
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &ring::rand::SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
