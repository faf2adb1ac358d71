//! Credentials of an application: client secrets, a certificate, a federated token or a managed identity.

mod assertion;
mod certificate;
mod client_secrets;
mod credential;
mod credential_expiry;
mod fingerprint;

pub use certificate::{CertificateError, CertificateFiles, CertificateProblem, SigningCertificate};
pub use client_secrets::{ClientSecret, ClientSecrets};
pub use credential::{Credential, ManagedIdentity, federated_token};
pub use credential_expiry::CredentialExpiry;
pub use fingerprint::Fingerprint;
