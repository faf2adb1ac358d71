//! TLS: the certificates of our listeners and of their clients, and the verification of the servers we connect to.

mod certificate_authority;
mod client_verifier;
mod crypto_provider;
mod pem;
mod pinned_certificate;
mod server_certificate;
mod server_verification;

pub use certificate_authority::{CertificateAuthority, IssuedCertificate, host_names_of};
pub use client_verifier::{ClientCertificateError, ClientVerifier, ClientVerifierError};
pub use crypto_provider::provider;
pub use pem::{PemError, first_certificate, private_key, read_certificates};
pub use pinned_certificate::client_config_pinned_to;
pub use server_certificate::{CertificatePart, ServerCertificate, ServerCertificateError};
pub use server_verification::{TlsError, client_config, client_config_with, client_config_without_roots, verifier};
