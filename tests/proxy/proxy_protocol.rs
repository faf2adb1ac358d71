//! Behind a load balancer: its clients have the addresses that it names with the PROXY protocol, and nobody else gains
//! anything by naming one.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::rig::{HeldClock, Plan, Rig, SECURED, certify, until};
use crate::wire::Wire;

const GET: &str = "GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n";

/// A load balancer is at 127.0.0.2; clients of 10.0.0.0/8 are allowed.
fn plan(more: &str) -> Plan {
    Plan::default().top(&format!(
        "listen: {{ address: 127.0.0.1:0, proxy_protocol: [ 127.0.0.2 ] }}
access: {{ allow_from: [ 10.0.0.0/8, 127.0.0.1, 'fd00::/8' ], hosts: [ erp ] }}
{more}"
    ))
}

/// A connection of the load balancer that begins with this header.
async fn balanced(rig: &Rig, header: impl AsRef<[u8]>) -> Wire {
    let stream = rig.connect_from(2).await;
    stream.set_nodelay(true).unwrap();
    let mut wire = Wire::over(stream);
    wire.send(header).await;
    wire
}

fn v1(client: &str) -> String {
    let family = if client.contains(':') { "TCP6 " } else { "TCP4 " };
    let server = if client.contains(':') { "fd00::1" } else { "10.0.0.1" };
    format!("PROXY {family}{client} {server} 12345 80\r\n")
}

fn v2(command: u8, client: [u8; 4]) -> Vec<u8> {
    let [a, b, c, d] = client;
    let addresses = [a, b, c, d, 10, 0, 0, 1, 0x30, 0x39, 0, 80];
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[0x20 | command, 0x11, 0, 12], &addresses].concat()
}

#[tokio::test]
async fn the_client_has_the_address_that_its_load_balancer_names() {
    let rig = plan("").start().await;
    for header in [v1("10.1.2.3").into_bytes(), v1("fd00::3").into_bytes(), v2(1, [10, 1, 2, 3])] {
        // Wherever it is cut, and with the request in the same packet.
        for cut in [1, 8, header.len() - 1, header.len()] {
            let mut wire = balanced(&rig, &header[..cut]).await;
            tokio::task::yield_now().await;
            wire.send([&header[cut..], GET.as_bytes()].concat()).await;
            assert_eq!(wire.response().await.0.status(), 200, "{}", header.escape_ascii());
        }
    }
    for header in [v1("192.0.2.7").into_bytes(), v2(1, [192, 0, 2, 7])] {
        let mut wire = balanced(&rig, header).await;
        wire.send(GET).await;
        let (head, body) = wire.response().await;
        assert_eq!(head.status(), 403);
        assert!(String::from_utf8(body).unwrap().contains("not open to 192.0.2.7"));
    }
}

#[tokio::test]
async fn what_the_load_balancer_asks_itself_counts_as_its_own() {
    let rig = plan("").start().await;
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), v2(0, [10, 1, 2, 3])] {
        let mut wire = balanced(&rig, header).await;
        wire.send(GET).await;
        let (head, body) = wire.response().await;
        assert_eq!(head.status(), 403);
        assert!(String::from_utf8(body).unwrap().contains("not open to 127.0.0.2"));
    }
}

#[tokio::test]
async fn nobody_gains_rights_by_a_forged_address() {
    let rig = plan("").start().await;
    // Not a load balancer: an ordinary client, whose request is malformed.
    let mut wire = Wire::over(rig.connect_from(3).await);
    wire.send(v1("10.1.2.3") + GET).await;
    assert_eq!(wire.response().await.0.status(), 400);
    let mut wire = Wire::over(rig.connect_from(3).await);
    wire.send(GET).await;
    assert_eq!(wire.response().await.0.status(), 403);
    for client in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "224.0.0.1"] {
        let mut wire = balanced(&rig, v1(client) + GET).await;
        assert!(wire.rest().await.0.is_empty(), "{client}");
    }
    for other in [
        GET.to_owned(),
        "PROXY TCP4 10.1.2.3\r\n".to_owned() + GET,
        "PROXY ".repeat(30),
        v1("10.1.2.3").repeat(2) + GET,
    ] {
        let mut wire = balanced(&rig, &other).await;
        let (text, _) = wire.rest().await;
        assert!(text.is_empty() || text.starts_with(b"HTTP/1.1 400 "), "{other}: {}", text.escape_ascii());
    }
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn connections_are_counted_for_the_clients_behind_it() {
    let rig = plan("max_connections: { total: 100, per_client: 2 }").start().await;
    let mut open = Vec::new();
    for client in ["10.1.2.3", "10.1.2.3", "10.1.2.4", "10.1.2.5"] {
        let mut wire = balanced(&rig, v1(client) + GET).await;
        assert_eq!(wire.response().await.0.status(), 200, "{client}");
        open.push(wire);
    }
    let mut third = balanced(&rig, v1("10.1.2.3") + GET).await;
    assert_eq!(third.response().await.0.status(), 503);
    drop(open);
    let connections = rig.proxy.view().connection_limit;
    until(|| connections.connections().0 <= 1).await;
}

#[tokio::test]
async fn tls_begins_after_the_header() {
    let listen = SECURED.replacen('{', "{ proxy_protocol: [ 127.0.0.2 ],", 1);
    let access = "access: { allow_from: [ 10.0.0.0/8 ], hosts: [ erp ] }";
    let prepared = Plan::default().top(&format!("listen: {listen}\n{access}")).prepare().await;
    certify(prepared.folder.path());
    let rig = prepared.start().await;
    let tls = bcproxy::tls::client_config(Some(&rig.folder.path().join("local-ca.pem"))).unwrap();
    let mut socket = rig.connect_from(2).await;
    socket.write_all(v1("10.1.2.3").as_bytes()).await.unwrap();
    let mut wire = Wire::over_tls(socket, tls).await.unwrap();
    wire.send(GET).await;
    assert_eq!(wire.response().await.0.status(), 200);
}

#[tokio::test]
async fn a_load_balancer_that_names_nobody_is_disconnected() {
    let clock = HeldClock::new();
    let rig = plan("").start().await;
    let mut silent = balanced(&rig, "PROXY TCP4 10.").await;
    let connections = rig.proxy.view().connection_limit;
    until(|| connections.connections().0 == 1).await;
    clock.advance(Duration::from_secs(10)).await;
    assert!(silent.rest().await.0.is_empty());
}
