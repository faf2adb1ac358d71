//! The simulator's throw-away certificate authority.

use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};
use tokio_rustls::TlsAcceptor;

/// What the listeners speak TLS with, and what a client needs to believe them.
pub(super) struct Identity {
    pub acceptor: TlsAcceptor,
    /// The certificate authority, as PEM.
    pub ca_pem: String,
}

impl Identity {
    /// A new authority and a certificate of it for `localhost` and `127.0.0.1`, valid from yesterday for thirty days.
    pub fn generate() -> io::Result<Self> {
        let (ca_pem, issuer) = authority().map_err(io::Error::other)?;
        let (certificate, key) = server_certificate(&issuer).map_err(io::Error::other)?;
        let provider = crate::tls::provider();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), ca_pem })
    }
}

fn authority() -> Result<(String, Issuer<'static, KeyPair>), rcgen::Error> {
    let mut params = validity(CertificateParams::new(Vec::<String>::new())?);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "bcproxy simulator CA");
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok((pem, Issuer::new(params, key)))
}

fn server_certificate(
    issuer: &Issuer<'_, KeyPair>,
) -> Result<(rcgen::Certificate, PrivateKeyDer<'static>), rcgen::Error> {
    let mut params = validity(CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.distinguished_name.push(DnType::CommonName, "bcproxy simulator");
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    Ok((certificate, PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
}

/// The yesterday allows for clocks that disagree.
fn validity(mut params: CertificateParams) -> CertificateParams {
    let now = OffsetDateTime::now_utc();
    params.not_before = now.saturating_sub(Duration::DAY);
    params.not_after = now.saturating_add(Duration::days(30));
    params
}
