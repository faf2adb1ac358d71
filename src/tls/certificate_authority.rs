//! A private certificate authority, for servers whose clients have been configured to trust it.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};
use x509_parser::extensions::GeneralName;
use zeroize::Zeroizing;

use super::pem::first_certificate;
use super::server_certificate::{CertificatePart, ServerCertificate};

/// A certificate authority: its certificate, which clients trust, and its private key, which signs.
///
/// All keys are ECDSA P-256: old Windows versions and bcproxy have no RSA cipher in common.
pub struct CertificateAuthority {
    certificate: String,
    /// When the authority expires, and with it all certificates it has issued.
    pub expires: OffsetDateTime,
    issuer: Issuer<'static, KeyPair>,
}

/// A server's certificate that the authority has issued.
pub struct IssuedCertificate {
    /// The certificate, as PEM.
    pub certificate: String,
    /// Its private key, as PEM.
    pub private_key: Zeroizing<String>,
    /// When it expires.
    pub expires: OffsetDateTime,
}

impl CertificateAuthority {
    /// Creates an authority, valid from yesterday.
    pub fn new(name: &str, lifetime: Duration) -> Result<Self, rcgen::Error> {
        let mut params = with_validity(CertificateParams::new(Vec::<String>::new())?, lifetime);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let (certificate, expires) = (params.self_signed(&key)?.pem(), params.not_after);
        Ok(Self { certificate, expires, issuer: Issuer::new(params, key) })
    }

    /// Loads an authority from the contents of its files. `Err` is the file that holds no certificate of an authority,
    /// or not its private key.
    pub fn from_pem(certificate: &[u8], private_key: &[u8]) -> Result<Self, CertificatePart> {
        let identity = ServerCertificate::from_pem(certificate, private_key).map_err(|error| error.part())?;
        let certificate = str::from_utf8(certificate).map_err(|_| CertificatePart::Certificate)?;
        let der = first_certificate(certificate.as_bytes()).map_err(|_| CertificatePart::Certificate)?;
        if !x509_parser::parse_x509_certificate(&der).is_ok_and(|(_, certificate)| certificate.is_ca()) {
            return Err(CertificatePart::Certificate);
        }
        let key = str::from_utf8(private_key).ok().and_then(|pem| KeyPair::from_pem(pem).ok());
        let issuer = Issuer::from_ca_cert_der(&der, key.ok_or(CertificatePart::PrivateKey)?);
        let issuer = issuer.map_err(|_| CertificatePart::Certificate)?;
        Ok(Self { certificate: certificate.to_owned(), expires: identity.expires, issuer })
    }

    /// The certificate, as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The private key, as PEM.
    pub fn private_key(&self) -> Zeroizing<String> {
        Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// Issues a certificate for a server with these host names and IP addresses, valid from yesterday.
    ///
    /// The first name becomes the common name.
    pub fn issue(&self, names: Vec<String>, lifetime: Duration) -> Result<IssuedCertificate, rcgen::Error> {
        let first = names.first().cloned().unwrap_or_default();
        let mut params = with_validity(CertificateParams::new(names)?, lifetime);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.distinguished_name = DistinguishedName::new();
        // RFC 5280, appendix A, limits its length. Only people read it.
        if first.len() <= MAX_COMMON_NAME_BYTES {
            params.distinguished_name.push(DnType::CommonName, first);
        }
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(IssuedCertificate {
            certificate,
            private_key: Zeroizing::new(key.serialize_pem()),
            expires: params.not_after,
        })
    }
}

/// The host names and IP addresses of the first certificate in a PEM file.
pub fn host_names_of(pem: &[u8]) -> Option<Vec<String>> {
    let der = first_certificate(pem).ok()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|address| address.to_string())
        }
        _ => None,
    };
    Some(names.value.general_names.iter().filter_map(text).collect())
}

/// Starts the validity yesterday, because clocks disagree.
fn with_validity(mut params: CertificateParams, lifetime: Duration) -> CertificateParams {
    let yesterday = OffsetDateTime::now_utc().saturating_sub(Duration::DAY);
    params.not_before = yesterday;
    params.not_after = yesterday.saturating_add(lifetime);
    params
}

const MAX_COMMON_NAME_BYTES: usize = 64;
