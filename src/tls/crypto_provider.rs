//! The implementation of TLS's cryptography.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The cryptography provider that all TLS connections use: ring.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
