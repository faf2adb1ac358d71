//! What an administrator sees of a shared store that is away.

use hyper::{Method, StatusCode};

use crate::rig::{Plan, send};
use crate::status::AdminRig;

#[tokio::test]
async fn a_shared_store_that_is_away_needs_attention_and_requests_are_served() {
    // Nothing listens on this port.
    let rig = Plan::default().top("shared_limits: { url: \"redis://127.0.0.1:1\" }").start().await;
    let admin = AdminRig::of(&rig).await;
    assert_eq!(rig.get("/api/customers?$top=1").await.status, StatusCode::OK);

    let status = admin.json().await;
    assert_eq!((&status["state"], &status["warnings"][0]["kind"]), (&"degraded".into(), &"shared_store".into()));
    let store = &status["shared_store"];
    assert_eq!((&store["address"], &store["up"]), (&"redis://127.0.0.1:1/0".into(), &false.into()));
    assert!(store["failure"].is_string() && store["replicas"] == 2, "{store}");
    // Its share of the limits: before any contact, two replicas are assumed.
    let limiter = &status["connectors"][0]["applications"][0]["limiter"];
    assert_eq!((&limiter["concurrency"], &limiter["window_limit"]), (&2.into(), &3000.into()), "{limiter}");
    assert!(limiter["all_replicas"].is_null(), "{limiter}");

    let ready = admin.ask("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK);
    let text = ready.text();
    assert!(text.contains("The shared store redis://127.0.0.1:1/0 has been slow or away since"), "{text}");
    assert_eq!(admin.metric("bcproxy_shared_store_up").await, Some(0.0));
    assert_eq!(admin.metric("bcproxy_warnings{connector=\"\",kind=\"shared_store\"}").await, Some(1.0));
    let page = admin.page().await;
    assert!(page.contains("class=\"state poor\"") && page.contains("This replica uses one of 2 shares"), "{page}");

    let form = [("content-type", "application/x-www-form-urlencoded")];
    let checked = send(admin.address, Method::POST, "/doctor", &form, "").await.text();
    let (_, checked) = checked.split_once("shared store redis://127.0.0.1:1/0\n").unwrap();
    assert!(
        checked.contains("  ✗ Connection") && checked.contains("Check that Redis or Valkey runs there"),
        "{checked}"
    );
    let one = send(admin.address, Method::POST, "/doctor", &form, "connector=cronus").await.text();
    assert!(!one.contains("shared store"), "{one}");
}
