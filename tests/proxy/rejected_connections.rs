//! Connections that never become a request are counted by reason.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::rig::{HeldClock, Plan, SECURED, certify, read_to_end};
use crate::status::AdminRig;
use crate::wire::Wire;

fn metric(reason: &str) -> String {
    format!("bcproxy_connections_rejected_total{{reason=\"{reason}\"}}")
}

#[tokio::test]
async fn each_reason_is_counted_and_shown() {
    let balanced = "{ address: 127.0.0.1:0, proxy_protocol: [ 127.0.0.2 ] }";
    let top = format!("listen: [ {balanced}, {SECURED} ]\nmax_connections: {{ total: 5, per_client: 2 }}");
    let prepared = Plan::default().top(&top).prepare().await;
    certify(prepared.folder.path());
    let rig = prepared.start().await;
    let admin = AdminRig::of(&rig).await;
    let reasons = [
        "untrusted_certificate",
        "https_on_http",
        "http_on_https",
        "old_tls",
        "tls_timeout",
        "tls_handshake",
        "client_limit",
        "total_limit",
        "proxy_protocol",
        "malformed_request",
    ];
    for reason in reasons.into_iter().chain(["no_common_cipher", "file_limit"]) {
        assert_eq!(admin.metric(&metric(reason)).await, Some(0.0), "{reason}");
    }
    assert!(!admin.page().await.contains("Rejected connections"));

    let (plain, secured) = (rig.proxy.addresses()[0].socket, rig.proxy.addresses()[1].socket);
    for (address, bytes) in [
        (plain, &b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[..]),
        (plain, b"G@T / HTTP/1.1\r\nHost: erp\r\n\r\n"),
        (secured, b"GET / HTTP/1.1\r\nHost: erp\r\n\r\n"),
        (secured, b"\x80\x2e\x01\x03\x01"),
        (secured, b"\x16\x03\x01\0\x05hello"),
    ] {
        let mut client = Wire::connect(address).await;
        client.send(bytes).await;
        let _ = client.rest().await;
    }
    let other = tempfile::TempDir::new().unwrap();
    certify(other.path());
    let tls = bcproxy::tls::client_config(Some(&other.path().join("local-ca.pem"))).unwrap();
    assert!(Wire::connect_tls(secured, tls).await.is_err());
    let mut balancer = rig.connect_from(2).await;
    balancer.write_all(b"GET / HTTP/1.1\r\nHost: erp\r\n\r\n").await.unwrap();
    let _ = read_to_end(&mut balancer).await;
    // Who only checks that something listens is not rejected.
    drop(Wire::connect(secured).await);
    let connections = rig.proxy.view().connection_limit;
    crate::rig::until(|| connections.connections().0 == 0).await;

    let mut open = Vec::new();
    for client in [3, 3, 4, 4, 5] {
        open.push(rig.connect_from(client).await);
        crate::rig::until(|| connections.connections().0 == open.len()).await;
    }
    let (response, _) = read_to_end(&mut rig.connect_from(6).await).await;
    assert!(response.contains("`total` of `max_connections`"), "{response}");
    drop(open.pop());
    crate::rig::until(|| connections.connections().0 == 4).await;
    let (response, _) = read_to_end(&mut rig.connect_from(3).await).await;
    assert!(response.contains("`per_client` of `max_connections`"), "{response}");
    drop(open);
    crate::rig::until(|| connections.connections().0 == 0).await;

    let clock = HeldClock::new();
    let mut slow = Wire::connect(secured).await;
    slow.send(b"\x16\x03\x01").await;
    crate::rig::until(|| connections.connections().0 == 1).await;
    clock.advance(Duration::from_secs(10)).await;
    let _ = slow.rest().await;

    for reason in reasons {
        admin.wait_for(&metric(reason), 1.0).await;
    }
    let json = admin.json().await;
    let connections = &json["connections"];
    assert_eq!(connections["rejected"], reasons.len());
    let by_reason = connections["rejected_by_reason"].as_object().unwrap();
    assert_eq!(by_reason.len(), reasons.len(), "{by_reason:?}");
    let page = admin.page().await;
    let line = page.split("Rejected connections since the start: ").nth(1).unwrap();
    for words in ["1 (certificate not trusted by the client)", "1 (HTTPS on an address for plain HTTP)"] {
        assert!(line.contains(words), "{line}");
    }
}
