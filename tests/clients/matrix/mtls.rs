//! Programs with certificates of their own.

use std::fmt::Write;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SerialNumber,
};
use time::{Duration, OffsetDateTime};

use super::payload::Payload;
use super::setups::{AuthScheme, SETUPS};
use super::{Visit, check, programs, see};

/// An authority of clients.
struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A client's certificate and its private key.
struct Identity {
    certificate: String,
    private_key: String,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the old clients"]
async fn curl_and_java_sign_in_with_certificates_and_nothing_of_the_others_arrives() {
    programs::build().await;
    let (ours, others) = (Authority::new(), Authority::new());
    let list = ours.revoke(3);
    let attempts = [
        ("right", Some(ours.issue(2)), Some(AuthScheme::Mtls)),
        ("none", None, None),
        ("another authority's", Some(others.issue(2)), None),
        ("revoked", Some(ours.issue(3)), None),
    ];
    let mut mistakes = String::new();
    for setup in SETUPS.iter().filter(|setup| setup.auth.contains(&AuthScheme::Mtls)) {
        let payload = Payload::default();
        for (name, identity, scheme) in &attempts {
            let mut files = vec![("clients.pem", ours.certificate.as_str()), ("clients.crl", &list)];
            if let Some(Identity { certificate, private_key }) = identity {
                files.extend([("client.pem", certificate.as_str()), ("client-key.pem", private_key)]);
            }
            let visit = Visit {
                is_secured: true,
                listener: "client_auth: mtls",
                tls: "client_ca: clients.pem, client_crl: clients.crl",
                // No user.
                key: Some(""),
                files: &files,
                ..Visit::default()
            };
            let seen = see(setup, &visit, &payload).await;
            if let Err(mistake) = check::check_sign_in(setup, *scheme, &seen, &payload) {
                writeln!(mistakes, "{}, {name}: {mistake}", setup.name).unwrap();
            }
        }
    }
    assert!(mistakes.is_empty(), "\n{mistakes}");
}

impl Authority {
    fn new() -> Self {
        let mut params = params("Clients");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        Self { certificate: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    fn issue(&self, serial: u64) -> Identity {
        let mut params = params("till");
        params.serial_number = Some(SerialNumber::from(serial));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Identity { certificate, private_key: key.serialize_pem() }
    }

    /// A list with this certificate.
    fn revoke(&self, serial: u64) -> String {
        let now = OffsetDateTime::now_utc();
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: now - Duration::hours(1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: now - Duration::hours(1),
            next_update: now + Duration::days(1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
