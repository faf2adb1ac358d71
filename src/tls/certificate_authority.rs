//! A private certificate authority, for servers whose clients have been configured to trust it.

use std::net::{IpAddr, Ipv4Addr};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::UnixTime;
use rustls::server::ParsedCertificate;
use time::{Duration, OffsetDateTime};
use x509_parser::extensions::GeneralName;
use zeroize::Zeroizing;

use super::crypto_provider::provider;
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
    /// Creates an authority, valid from yesterday, for these host names and IP addresses and the names below them. For
    /// others its key is worth nothing to a thief: clients reject what it signs (RFC 5280, section 4.2.1.10).
    pub fn new(name: &str, names: &[String], lifetime: Duration) -> Result<Self, rcgen::Error> {
        let mut params = with_validity(CertificateParams::new(Vec::<String>::new())?, lifetime);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints =
            Some(NameConstraints { permitted_subtrees: subtrees(names), excluded_subtrees: Vec::new() });
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
    /// A host name that comes first becomes the common name. OpenSSL takes an IP address there for a host name, which
    /// the authority may not cover.
    pub fn issue(&self, names: Vec<String>, lifetime: Duration) -> Result<IssuedCertificate, rcgen::Error> {
        let first = names.first().cloned().unwrap_or_default();
        let mut params = with_validity(CertificateParams::new(names)?, lifetime);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.distinguished_name = DistinguishedName::new();
        // RFC 5280, appendix A, limits its length. Only people read it.
        if first.len() <= MAX_COMMON_NAME_BYTES && first.parse::<IpAddr>().is_err() {
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

impl IssuedCertificate {
    /// Whether a client that trusts this authority accepts the certificate: all of its names are the authority's.
    pub fn is_trusted_by(&self, authority: &CertificateAuthority) -> bool {
        let trusts = || {
            let mut roots = RootCertStore::empty();
            roots.add(first_certificate(authority.certificate.as_bytes()).ok()?).ok()?;
            let own = first_certificate(self.certificate.as_bytes()).ok()?;
            let certificate = ParsedCertificate::try_from(&own).ok()?;
            let algorithms = provider().signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, &roots, &[], UnixTime::now(), algorithms).ok()
        };
        trusts().is_some()
    }
}

/// What an authority for these names covers. Without a name of a kind, all of that kind would be covered: then it is
/// the client's own machine.
fn subtrees(names: &[String]) -> Vec<GeneralSubtree> {
    let address = |address: IpAddr| {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, bits))
    };
    let subtree = |name: &String| match name.parse() {
        Ok(ip) => address(ip),
        Err(_) => GeneralSubtree::DnsName(name.strip_prefix("*.").unwrap_or(name).to_owned()),
    };
    let mut subtrees: Vec<GeneralSubtree> = names.iter().map(subtree).collect();
    let is_address = |subtree: &GeneralSubtree| matches!(subtree, GeneralSubtree::IpAddress(_));
    if !subtrees.iter().any(is_address) {
        subtrees.push(address(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
    if subtrees.iter().all(is_address) {
        subtrees.push(GeneralSubtree::DnsName("localhost".to_owned()));
    }
    subtrees
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
