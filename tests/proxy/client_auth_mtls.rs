//! Clients with certificates: asked for in the handshake, checked where a route requires one.

use std::path::Path;

use bcproxy::config::Config;
use bcproxy::tls::{CertificateAuthority, provider};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use time::{Duration, OffsetDateTime};

use crate::client_authority::{Authority, Certified};
use crate::rig::{Plan, Rig, certify};
use crate::wire::Wire;

async fn start(authority: &Authority, revoked: &str) -> Rig {
    let prepared = Plan::default()
        .top(
            "listen: { address: 127.0.0.1:0, tls: { certificate: server.pem, private_key: server-key.pem, client_ca: clients.pem, client_crl: \
             revoked.pem } }
clients:
  edi: { certificate: EDI.contoso.local, read_only: true }
routes:
  - { path: /api, to: api/v2.0, client_auth: mtls }
  - { path: /few, to: api/v2.0, client_auth: { schemes: mtls, names: [ till-1 ] } }
  - { path: /open, to: api/v2.0 }",
        )
        .prepare()
        .await;
    let folder = prepared.folder.path();
    certify(folder);
    std::fs::write(folder.join("clients.pem"), &authority.certificate).unwrap();
    std::fs::write(folder.join("revoked.pem"), revoked).unwrap();
    prepared.start().await
}

fn tls(folder: &Path, version: &'static SupportedProtocolVersion, client: Option<&Certified>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("local-ca.pem")).unwrap()).unwrap();
    let versions = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[version]).unwrap();
    let builder = versions.with_root_certificates(roots);
    let Some(client) = client else { return builder.with_no_client_auth() };
    let chain = vec![CertificateDer::from_pem_slice(client.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(client.key.as_bytes()).unwrap();
    builder.with_client_auth_cert(chain, key).unwrap()
}

async fn connect(rig: &Rig, client: Option<&Certified>) -> Wire {
    Wire::connect_tls(rig.address(), tls(rig.folder.path(), &TLS13, client)).await.unwrap()
}

/// Status and body of a request for customers.
async fn send(wire: &mut Wire, method: &str, route: &str) -> (u16, String) {
    wire.send(format!("{method} {route}/customers HTTP/1.1\r\nHost: erp\r\nContent-Length: 0\r\n\r\n")).await;
    let (head, body) = wire.response().await;
    assert_eq!(head.header("www-authenticate"), None);
    (head.status().as_u16(), String::from_utf8(body).unwrap())
}

async fn get(wire: &mut Wire, route: &str) -> (u16, String) {
    send(wire, "GET", route).await
}

#[tokio::test]
async fn a_certificate_of_the_authority_lets_in() {
    let authority = Authority::new();
    let rig = start(&authority, &authority.revoke(&[])).await;
    let till = authority.issue("Till-1", &[], 1, |_| {});
    let edi = authority.issue("EDI", &["edi.contoso.local"], 2, |_| {});
    for version in [&TLS12, &TLS13] {
        let mut wire = Wire::connect_tls(rig.address(), tls(rig.folder.path(), version, Some(&till))).await.unwrap();
        for route in ["/api", "/few", "/open"] {
            assert_eq!(get(&mut wire, route).await.0, 200, "{route}");
        }
    }
    let mut wire = connect(&rig, Some(&edi)).await;
    assert_eq!(get(&mut wire, "/api").await.0, 200);
    let (status, body) = get(&mut wire, "/few").await;
    assert!(status == 403 && body.contains("none of the allowed names"), "{status} {body}");
    let (status, body) = send(&mut wire, "POST", "/api").await;
    assert!(status == 403 && body.contains("Client `edi` may only read"), "{status} {body}");
}

#[tokio::test]
async fn any_other_certificate_is_rejected_where_one_is_required_with_the_reason() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let rig = start(&authority, &authority.revoke(&[7])).await;
    let server =
        |params: &mut CertificateParams| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let old = |params: &mut CertificateParams| params.not_after = OffsetDateTime::now_utc() - Duration::days(1);
    for (certificate, reason) in [
        (None, "prove who they are (`client_auth`: mtls). Configure"),
        (Some(stranger.issue("till-1", &[], 1, |_| {})), "no authority in `client_ca` of the listener signed it"),
        (Some(authority.issue("till-1", &[], 7, |_| {})), "it is revoked"),
        (Some(authority.issue("till-1", &[], 1, server)), "it is not one for clients"),
        (Some(authority.issue("till-1", &[], 1, old)), "it has expired"),
    ] {
        let mut wire = connect(&rig, certificate.as_ref()).await;
        let (status, body) = get(&mut wire, "/api").await;
        assert!(status == 403 && body.contains("Proxy_Unauthenticated") && body.contains(reason), "{status} {body}");
        // The same connection is good for what is open to all.
        assert_eq!(get(&mut wire, "/open").await.0, 200, "{reason}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_revoked_counts_no_more_on_open_connections() {
    let authority = Authority::new();
    let mut rig = start(&authority, &authority.revoke(&[])).await;
    let (one, other) = (authority.issue("one", &[], 1, |_| {}), authority.issue("other", &[], 2, |_| {}));
    let (mut one, mut other) = (connect(&rig, Some(&one)).await, connect(&rig, Some(&other)).await);
    assert_eq!((get(&mut one, "/api").await.0, get(&mut other, "/api").await.0), (200, 200));
    std::fs::write(rig.folder.path().join("revoked.pem"), authority.revoke(&[1])).unwrap();
    let file = rig.folder.path().join("proxy.yaml");
    let config = Config::load(&file).unwrap().config;
    assert!(config.files(&file).contains(&rig.folder.path().join("revoked.pem")));
    rig.proxy.reload(&config).await.unwrap();
    assert_eq!((get(&mut one, "/api").await.0, get(&mut other, "/api").await.0), (403, 200));
}

#[tokio::test]
async fn files_that_verify_nobody_are_mistakes() {
    let authority = Authority::new();
    let rig = start(&authority, &authority.revoke(&[])).await;
    let folder = rig.folder.path();
    let leaf = CertificateAuthority::new("ca", &["a".to_owned()], Duration::days(3)).unwrap();
    let leaf = leaf.issue(vec!["a".to_owned()], Duration::days(3)).unwrap();
    for (file, text, mistake) in [
        ("clients.pem", "nothing", "the file named here holds no certificate in PEM form"),
        ("revoked.pem", leaf.certificate.as_str(), "the file named here holds no revocation list"),
    ] {
        let before = std::fs::read(folder.join(file)).unwrap();
        std::fs::write(folder.join(file), text).unwrap();
        let mistakes = Config::load(&folder.join("proxy.yaml")).unwrap_err().to_string();
        assert!(mistakes.contains(mistake), "{mistakes}");
        std::fs::write(folder.join(file), before).unwrap();
    }
}
