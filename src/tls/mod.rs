//! TLS on both sides: whom we believe, and who we say we are.

mod authority;
mod identity;
mod trust;

use std::sync::Arc;

pub use authority::{Authority, AuthorityError, Certified, host_names_of};
pub use identity::{Identity, IdentityError, Part};
use rustls::crypto::CryptoProvider;
pub use trust::{TlsError, client_config, config_with, read_certificates, verifier};

/// The one cryptography provider of this process.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
