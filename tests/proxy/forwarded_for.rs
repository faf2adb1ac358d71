//! Behind an HTTP load balancer: the client is the one that the load balancer names, and nobody gains by naming one.

use crate::rig::{Plan, Rig};
use crate::users::{PASSWORD, basic, write_users};
use crate::wire::Wire;

/// A load balancer is at 127.0.0.2; clients of 10.0.0.0/8 are allowed.
fn plan(more: &str) -> Plan {
    Plan::default().top(&format!(
        "listen: {{ address: 127.0.0.1:0, forwarded_for: [ 127.0.0.2 ] }}
access: {{ allow_from: [ 10.0.0.0/8, 127.0.0.1 ], hosts: [ erp ] }}
{more}"
    ))
}

/// Status and body of a request from 127.0.0.`last` with these lines.
async fn get(rig: &Rig, last: u8, lines: &str) -> (u16, String) {
    let mut wire = Wire::over(rig.connect_from(last).await);
    wire.send(format!("GET /api/customers HTTP/1.1\r\nHost: erp\r\n{lines}\r\n")).await;
    let (head, body) = wire.response().await;
    (head.status().as_u16(), String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn the_client_has_the_address_that_the_load_balancer_adds() {
    let rig = plan("").start().await;
    for line in ["X-Forwarded-For: 10.1.2.3", "X-Forwarded-For: 192.0.2.1, 127.0.0.1, 10.1.2.3:4711"] {
        assert_eq!(get(&rig, 2, &format!("{line}\r\n")).await.0, 200, "{line}");
        assert!(!rig.received().last().unwrap().headers.contains_key("x-forwarded-for"));
    }
    let (status, body) = get(&rig, 2, "X-Forwarded-For: 10.1.2.3, 192.0.2.7\r\n").await;
    assert!(status == 403 && body.contains("not open to 192.0.2.7"), "{status} {body}");
    // On one connection, each request has its client.
    let mut wire = Wire::over(rig.connect_from(2).await);
    for (client, status) in [("10.1.2.3", 200), ("192.0.2.7", 403), ("10.1.2.4", 200)] {
        wire.send(format!("GET /api/customers HTTP/1.1\r\nHost: erp\r\nX-Forwarded-For: {client}\r\n\r\n")).await;
        assert_eq!(wire.response().await.0.status().as_u16(), status, "{client}");
    }
}

#[tokio::test]
async fn nobody_gains_rights_by_a_forged_address() {
    let rig = plan("").start().await;
    // Not a load balancer: the header counts for nothing.
    assert_eq!(get(&rig, 3, "X-Forwarded-For: 10.1.2.3\r\n").await.0, 403);
    assert_eq!(get(&rig, 1, "X-Forwarded-For: 192.0.2.7\r\n").await.0, 200);
    for forged in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "", "unknown", "10.1.2.3, 127.9.9.9"] {
        let (status, body) = get(&rig, 2, &format!("X-Forwarded-For: {forged}\r\n")).await;
        assert!(status == 400 && body.contains("X-Forwarded-For"), "{forged}: {status} {body}");
    }
    for other in ["X-None: -", "Forwarded: for=10.1.2.3", "X-Real-IP: 10.1.2.3", "X-Forwarded_For: 10.1.2.3"] {
        assert_eq!(get(&rig, 2, &format!("{other}\r\n")).await.0, 400, "{other}");
    }
    assert_eq!(rig.received().len(), 1);
}

#[tokio::test]
async fn a_password_behind_it_counts_for_its_request_only() {
    let prepared =
        plan("users: users.txt\nroutes: [ { path: /api, to: api/v2.0, client_auth: basic } ]").prepare().await;
    write_users(prepared.folder.path());
    let rig = prepared.start().await;
    let mut wire = Wire::over(rig.connect_from(2).await);
    let right = format!("Authorization: {}\r\n", basic("anna", PASSWORD));
    for (client, authorization, status) in [
        ("10.1.2.3", right.as_str(), 200),
        ("10.1.2.4", "", 401),
        ("192.0.2.7", &right, 403),
        ("10.1.2.3", &right, 200),
    ] {
        wire.send(format!(
            "GET /api/customers HTTP/1.1\r\nHost: erp\r\nX-Forwarded-For: {client}\r\n{authorization}\r\n"
        ))
        .await;
        assert_eq!(wire.response().await.0.status().as_u16(), status, "{client}");
    }
}
