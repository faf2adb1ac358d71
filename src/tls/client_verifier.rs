//! The certificates of clients: asked for in the handshake, checked when a request needs one.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use super::crypto_provider::provider;
use super::pem::{PemError, read_certificates};
use crate::small_file;

/// Verifies the certificates of clients against authorities and revocation lists. Clones share them.
#[derive(Debug, Clone)]
pub struct ClientVerifier(Arc<dyn ClientCertVerifier>);

/// Why files make no [`ClientVerifier`]. The message completes "the file …".
#[derive(Debug, thiserror::Error)]
pub enum ClientVerifierError {
    /// The file of the authorities can't be used.
    #[error(transparent)]
    Authority(PemError),
    /// None of the certificates is one of an authority.
    #[error("holds no certificate of an authority")]
    NoAuthority,
    /// The file of the revocation lists can't be read.
    #[error(transparent)]
    Unreadable(PemError),
    /// The file holds no revocation list that can be used.
    #[error("holds no revocation list in PEM form (-----BEGIN X509 CRL-----), or a damaged one")]
    NoList,
}

/// Why a client's certificate is not accepted: a clause to follow a colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientCertificateError {
    /// The client sent none.
    #[error("the client sent no certificate")]
    Missing,
    /// Another authority signed it.
    #[error("no authority in `client_ca` of the listener signed it")]
    UnknownIssuer,
    /// It has expired.
    #[error("it has expired")]
    Expired,
    /// It is on a revocation list.
    #[error("it is revoked")]
    Revoked,
    /// No list says whether it is revoked.
    #[error("the files in `client_crl` of the listener have no list of its authority")]
    UnknownRevocation,
    /// It is one for servers.
    #[error("it is not one for clients (extended key usage `clientAuth`)")]
    Purpose,
    /// Anything else.
    #[error("it is not valid")]
    Invalid,
}

impl ClientVerifierError {
    /// Whether it is about the revocation lists.
    pub fn is_about_revocation(&self) -> bool {
        matches!(self, Self::Unreadable(_) | Self::NoList)
    }

    /// How to fix it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Authority(error) | Self::Unreadable(error) => error.help(),
            Self::NoAuthority => "name the certificate of the authority that signs the clients' certificates",
            Self::NoList => {
                "export the list again; convert a .crl file with: openssl crl -inform der -in FILE -out NEW.pem"
            }
        }
    }
}

impl ClientVerifier {
    /// Reads the authorities, and the revocation lists if there are any.
    pub fn read(authorities: &Path, lists: Option<&Path>) -> Result<Self, ClientVerifierError> {
        let mut roots = RootCertStore::empty();
        let certificates = read_certificates(authorities).map_err(ClientVerifierError::Authority)?;
        if roots.add_parsable_certificates(certificates).0 == 0 {
            return Err(ClientVerifierError::NoAuthority);
        }
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        if let Some(path) = lists {
            let text = small_file::read(path).map_err(|error| ClientVerifierError::Unreadable(error.into()))?;
            let lists = CertificateRevocationListDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
            let lists = lists.ok().filter(|lists| !lists.is_empty()).ok_or(ClientVerifierError::NoList)?;
            builder = builder.with_crls(lists).only_check_end_entity_revocation();
        }
        builder.build().map(Self).map_err(|_| ClientVerifierError::NoList)
    }

    /// The names in a client's certificate, if it is valid now: its DNS names and its common name.
    pub fn names(&self, chain: &[CertificateDer<'_>]) -> Result<Vec<String>, ClientCertificateError> {
        let [own, intermediates @ ..] = chain else { return Err(ClientCertificateError::Missing) };
        match self.0.verify_client_cert(own, intermediates, UnixTime::now()) {
            Ok(_) => names_of(own).ok_or(ClientCertificateError::Invalid),
            Err(Error::InvalidCertificate(error)) => Err(match error {
                // The second: of an authority with the same name and another key.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    ClientCertificateError::UnknownIssuer
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => ClientCertificateError::Expired,
                CertificateError::Revoked => ClientCertificateError::Revoked,
                CertificateError::UnknownRevocationStatus => ClientCertificateError::UnknownRevocation,
                CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                    ClientCertificateError::Purpose
                }
                _ => ClientCertificateError::Invalid,
            }),
            Err(_) => Err(ClientCertificateError::Invalid),
        }
    }

    /// Whether both are the same version of the files.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What a listener uses in the handshake: clients are asked for a certificate and prove that they have its key.
    pub fn for_handshake(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::new(ProofOfKey(self.0.clone()))
    }
}

/// Leaves the check of a certificate to the request. A client then gets a response that says what is wrong, and only
/// where a certificate is required.
#[derive(Debug)]
struct ProofOfKey(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for ProofOfKey {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

fn names_of(certificate: &CertificateDer<'_>) -> Option<Vec<String>> {
    let (_, certificate): (_, X509Certificate<'_>) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let alternatives = alternatives.iter().flat_map(|names| &names.value.general_names);
    let dns = alternatives.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    let common = certificate.subject().iter_common_name().filter_map(|name| Some(name.as_str().ok()?.to_owned()));
    Some(dns.chain(common).collect())
}
