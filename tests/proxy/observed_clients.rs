//! The clients that send requests, as the status shows them.

use bcproxy::simulator::{Latch, Script, Times};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Plan, Rig, at_once, shared, within};
use crate::status::AdminRig;
use crate::users::{PASSWORD, basic, write_users};
use crate::wire::Wire;

/// The clients in the status once the condition holds.
async fn clients(admin: &AdminRig, are: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    within(async {
        loop {
            let status = admin.json().await;
            let clients = status["clients"].as_array().unwrap().clone();
            if are(&clients) {
                return clients;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn clients_are_told_apart_by_address_user_agent_and_identity() {
    let routes = "users: users.txt
routes:
  - { path: /api, to: api/v2.0 }
  - { path: /in, to: api/v2.0, client_auth: [ basic ] }";
    let prepared = Plan::default().top(routes).prepare().await;
    write_users(prepared.folder.path());
    let rig = prepared.start().await;
    let admin = AdminRig::of(&rig).await;
    for _ in 0..3 {
        let headers = [("user-agent", "scanner/2.1"), ("authorization", "Basic dTpw")];
        assert_eq!(rig.send(Method::GET, "/api/items", &headers, "").await.status, 200);
    }
    let anna = basic("anna", PASSWORD);
    let headers = [("user-agent", "till <b>"), ("authorization", anna.as_str())];
    assert_eq!(rig.send(Method::GET, "/in/items", &headers, "").await.status, 200);
    assert_eq!(rig.send(Method::GET, "/nowhere", &headers[..1], "").await.status, 404);
    let mut old = Wire::over(rig.connect_from(7).await);
    old.send("GET /api/items HTTP/1.0\r\n\r\n").await;
    old.response().await;

    let clients = clients(&admin, |clients| clients.len() == 4).await;
    let facts = |client: &Value| {
        let keys =
            ["address", "user_agent", "identity", "credentials", "http", "requests", "errors", "recent_requests"];
        Value::Array(keys.map(|key| client[key].clone()).to_vec())
    };
    let mut facts: Vec<Value> = clients.iter().map(facts).collect();
    assert_eq!(
        facts.remove(0),
        json!(["127.0.0.1", "scanner/2.1", null, "basic", "1.1", 3, 0, 3]),
        "the busiest first"
    );
    for expected in [
        json!(["127.0.0.1", "till <b>", "anna", "basic", "1.1", 1, 0, 1]),
        json!(["127.0.0.1", "till <b>", null, "none", "1.1", 1, 1, 1]),
        json!(["127.0.0.7", null, null, "none", "1.0", 1, 0, 1]),
    ] {
        assert!(facts.contains(&expected), "{expected} {facts:?}");
    }
    assert!(clients.iter().all(|client| client["last_seen"].as_str().unwrap().starts_with("20")));
}

#[tokio::test]
async fn a_greedy_client_is_the_first_and_its_queued_requests_are_counted() {
    let (rig, latch) = (shared(Plan::default()).await, Latch::closed());
    let admin = AdminRig::of(&rig).await;
    assert_eq!(rig.send(Method::GET, "/api/items", &[("user-agent", "till")], "").await.status, 200);
    rig.script(Times::Always, Script::response(StatusCode::OK).hold_head(&latch));
    let greedy = tokio::spawn(at_once(20, {
        let rig = rig.clone();
        move |_| {
            let rig = rig.clone();
            async move { rig.send(Method::GET, "/api/items", &[("user-agent", "sync")], "").await.status }
        }
    }));
    let queued = clients(&admin, |clients| clients.iter().any(|client| client["queued"] == 15)).await;
    assert_eq!((&queued[0]["user_agent"], &queued[0]["requests"]), (&"sync".into(), &0.into()));
    latch.open();
    assert_eq!(within(greedy).await.unwrap(), [StatusCode::OK; 20]);
    let done = clients(&admin, |clients| clients[0]["recent_requests"] == 20).await;
    assert_eq!((&done[0]["user_agent"], &done[0]["queued"]), (&"sync".into(), &0.into()));
    assert!(done[0]["recent_queue"].as_f64().unwrap() > 0.0, "{done:?}");
}

#[tokio::test]
async fn the_challenges_of_a_handshake_are_no_requests_of_a_client() {
    let rig = Rig::new().await;
    let admin = AdminRig::of(&rig).await;
    let handshake = [("authorization", "NTLM TlRMTVNTUAABAAAABoIIAAAAAAAAAAAAAAAAAAAAAAA=")];
    assert_eq!(rig.send(Method::GET, "/api/items", &handshake, "").await.status, 401);
    assert_eq!(rig.get("/api/items").await.status, 200);
    let clients = clients(&admin, |clients| !clients.is_empty()).await;
    assert_eq!((clients.len(), &clients[0]["requests"]), (1, &1.into()));
}
