//! The way to an OpenTelemetry collector: its certificate, and an outbound proxy.
#![cfg(unix)]

use std::path::Path;
use std::sync::Arc;

use bcproxy::tls::{CertificateAuthority, ServerCertificate};
use hyper::StatusCode;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::connect_proxy::ConnectProxy;
use crate::otlp::{ALL, Receiver, Scene, keys};
use crate::process::message;
use crate::rig::Plan;

/// A collector over HTTPS.
struct Secured {
    receiver: Receiver,
    endpoint: String,
    /// Of its authority.
    certificate: String,
}

impl Secured {
    async fn new(name: &str) -> Self {
        let (lifetime, names) = (time::Duration::days(30), vec![name.to_owned()]);
        let authority = authority(name);
        let issued = authority.issue(names, lifetime).unwrap();
        let server = ServerCertificate::from_pem(issued.certificate.as_bytes(), issued.private_key.as_bytes()).unwrap();
        let tls = TlsAcceptor::from(Arc::new(server.server_config(None).unwrap()));
        let receiver = Receiver::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), Some(tls));
        let endpoint = format!("https://{name}:{}", receiver.address.port());
        Self { receiver, endpoint, certificate: authority.certificate().to_owned() }
    }

    /// A service that traces all requests.
    async fn scene(&self, ca_file: &Path, otlp: &str) -> Scene {
        let otlp = format!("{ALL}, ca_file: \"{}\", {otlp}", ca_file.display());
        Scene::of(Plan::default().top(&keys(&self.endpoint, &otlp)), &[]).await
    }
}

fn authority(name: &str) -> CertificateAuthority {
    CertificateAuthority::new("collectors", &[name.to_owned()], time::Duration::days(30)).unwrap()
}

#[tokio::test]
async fn a_collector_of_another_authority_gets_nothing_until_its_ca_file_has_the_right_one() {
    let (collector, folder) = (Secured::new("localhost").await, TempDir::new().unwrap());
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, authority("localhost").certificate()).unwrap();
    let mut scene = collector.scene(&ca_file, "").await;
    assert_eq!(scene.get("/api/customers", &[]).await.status, StatusCode::OK);
    let line = scene.process.log_line(|line| message(line).starts_with("telemetry is not exported")).await;
    let otlp = scene.status_with(|otlp| otlp["failure"].is_string()).await;
    for text in [message(&line), otlp["failure"].as_str().unwrap()] {
        assert!(text.contains("its certificate is not trusted") && text.contains("with `ca_file`"), "{text}");
    }
    for _ in 0..10 {
        assert_eq!(scene.get("/api/customers", &[]).await.status, StatusCode::OK);
    }
    assert!(collector.receiver.seen.requests.lock().unwrap().is_empty());

    std::fs::write(&ca_file, &collector.certificate).unwrap();
    collector.receiver.trace_of("/api/customers").await;
    scene.process.log_line(|line| message(line).contains("takes telemetry again")).await;
    scene.status_with(|otlp| otlp["failure"].is_null() && otlp["traces"]["exported"].as_u64() > Some(0)).await;
}

#[tokio::test]
async fn a_collector_is_reached_through_the_outbound_proxy() {
    let proxy = ConnectProxy::start().await;
    // A name that only the outbound proxy can resolve.
    let (collector, folder) = (Secured::new("collector.test").await, TempDir::new().unwrap());
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, &collector.certificate).unwrap();
    let scene = collector.scene(&ca_file, &format!("outbound_proxy: \"{}\"", proxy.url())).await;
    assert_eq!(scene.get("/api/customers", &[]).await.status, StatusCode::OK);
    collector.receiver.trace_of("/api/customers").await;
    assert!(proxy.asked().iter().all(|host| host == "collector.test"), "{:?}", proxy.asked());
}
