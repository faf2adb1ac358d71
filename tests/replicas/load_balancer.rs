//! What docs/replicas.md says about load balancers.

use crate::haproxy::Mode;
use crate::ntlm_client::{begin_on, proof, send};
use crate::replicas::{Layout, Load, Replicas};
use crate::rig::Plan;
use crate::users::{PASSWORD, write_users};
use crate::wire::Wire;

/// A connection through HAProxy of a client with this address.
async fn connect(replicas: &Replicas, client: &str) -> Wire {
    let mut wire = Wire::connect(replicas.balancer.address).await;
    wire.send(format!("PROXY TCP4 {client} 10.0.0.1 12345 80\r\n")).await;
    wire
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn ntlm_and_the_addresses_of_clients_pass_through_tcp() {
    let plan = Plan::default().top(
        "users: users.txt
listen: { address: 127.0.0.1:0, client_auth: ntlm, proxy_protocol: [ 127.0.0.1 ] }
access: { allow_from: [ 10.0.0.0/8 ], hosts: [ erp ] }",
    );
    let replicas = Layout::new(plan, 2, Mode::Tcp).start_after(|prepared| write_users(prepared.folder.path())).await;
    let mut wires = Vec::new();
    for number in 0..6 {
        let (mut wire, nonce) = begin_on(connect(&replicas, &format!("10.1.2.{number}")).await).await;
        let right = proof("nora", "", PASSWORD, nonce);
        assert_eq!(send(&mut wire, Some(&right), r#"{"displayName":"a"}"#).await.status(), 201);
        wires.push(wire);
    }
    // Requests without credentials, in between those of other connections.
    for wire in &mut wires {
        assert_eq!(send(wire, None, r#"{"displayName":"b"}"#).await.status(), 201);
    }
    for replica in &replicas.replicas {
        // Three connections with two requests of a handshake and one more.
        replica.served(9).await;
    }
    let mut stranger = connect(&replicas, "192.0.2.7").await;
    stranger.send("GET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    let (head, body) = stranger.response().await;
    assert_eq!(head.status(), 403);
    assert!(String::from_utf8(body).unwrap().contains("not open to 192.0.2.7"));
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn replicas_that_stop_one_after_the_other_fail_no_request() {
    let plan = Plan::default().top(
        "listen: { address: 127.0.0.1:0, forwarded_for: [ 127.0.0.1 ] }
access: { allow_from: [ 10.0.0.0/8 ], hosts: [ erp ] }",
    );
    let mut replicas = Layout::new(plan, 2, Mode::Http).start().await;
    let load = Load::start(replicas.balancer.address, 20, "/api/customers?$top=1");
    for number in 0..2 {
        load.proceed(200).await;
        assert_eq!(replicas.stop(number).await.code, Some(0));
        load.proceed(200).await;
        replicas.restart(number).await;
        // Only HAProxy sends requests there.
        replicas.replicas[number].served(50).await;
    }
    let outcomes = load.end().await;
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["200"], "{outcomes:?}");
}
