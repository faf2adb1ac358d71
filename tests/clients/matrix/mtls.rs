//! Programs with certificates of their own.

use std::fmt::Write;

use super::payload::Payload;
use super::setups::{AuthScheme, SETUPS};
use super::{Visit, check, programs, see};
use crate::client_authority::{Authority, Certified};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the old clients"]
async fn curl_and_java_sign_in_with_certificates_and_nothing_of_the_others_arrives() {
    programs::build().await;
    let (ours, others) = (Authority::new(), Authority::new());
    let list = ours.revoke(&[3]);
    let attempts = [
        ("right", Some(ours.issue("till", &[], 2, |_| {})), Some(AuthScheme::Mtls)),
        ("none", None, None),
        ("another authority's", Some(others.issue("till", &[], 2, |_| {})), None),
        ("revoked", Some(ours.issue("till", &[], 3, |_| {})), None),
    ];
    let mut mistakes = String::new();
    for setup in SETUPS.iter().filter(|setup| setup.auth.contains(&AuthScheme::Mtls)) {
        let payload = Payload::default();
        for (name, identity, scheme) in &attempts {
            let mut files = vec![("clients.pem", ours.certificate.as_str()), ("clients.crl", &list)];
            if let Some(Certified { certificate, key }) = identity {
                files.extend([("client.pem", certificate.as_str()), ("client-key.pem", key)]);
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
