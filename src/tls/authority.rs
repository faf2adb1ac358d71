//! A certificate authority of our own: it vouches for servers whose clients were told to believe it.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

/// A certificate authority: its certificate, which clients trust, and its private key, which signs.
///
/// All keys are of ECDSA P-256: old Windows has no cipher for RSA in common with us.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its private key, as PEM.
pub struct Certified {
    pub certificate: String,
    pub private_key: Zeroizing<String>,
}

impl Authority {
    /// A new one, valid from yesterday for so long.
    pub fn new(name: &str, lifetime: Duration) -> Result<Self, rcgen::Error> {
        let mut params = valid(CertificateParams::new(Vec::<String>::new())?, lifetime);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// The certificate, as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The private key, as PEM.
    pub fn private_key(&self) -> Zeroizing<String> {
        Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// A certificate for a server with these host names and addresses, the first of which it is called by; valid from yesterday for so long.
    pub fn certify(&self, names: Vec<String>, lifetime: Duration) -> Result<Certified, rcgen::Error> {
        let first = names.first().cloned().unwrap_or_default();
        let mut params = valid(CertificateParams::new(names)?, lifetime);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.distinguished_name.push(DnType::CommonName, first);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Certified { certificate, private_key: Zeroizing::new(key.serialize_pem()) })
    }
}

/// The yesterday allows for clocks that disagree.
fn valid(mut params: CertificateParams, lifetime: Duration) -> CertificateParams {
    let yesterday = OffsetDateTime::now_utc().saturating_sub(Duration::DAY);
    params.not_before = yesterday;
    params.not_after = yesterday.saturating_add(lifetime);
    params
}
