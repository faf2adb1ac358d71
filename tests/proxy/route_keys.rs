//! What a route may add and leave out: `if_match`, `headers`, and the base that answers name.

use bcproxy::simulator::{Script, Times};
use hyper::{Method, StatusCode};

use crate::rig::{Plan, Rig};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn rig(keys: &str) -> Rig {
    Plan::default().top(&format!("routes: [{{ path: /api, to: api/v2.0, {keys} }}]")).start().await
}

/// The `If-Match` headers Business Central got.
async fn if_match(rig: &Rig, method: &str, headers: &[(&str, &str)]) -> Vec<String> {
    rig.script(Times::Always, Script::response(StatusCode::NO_CONTENT));
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    assert_eq!(rig.send(method, "/api/items", headers, "{}").await.status, 204);
    let received = rig.received().pop().unwrap();
    received.headers.get_all("if-match").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_change_that_names_no_version_means_any_where_the_route_says_so() {
    let rig = rig("if_match: \"*\"").await;
    for method in ["PATCH", "PUT", "DELETE"] {
        assert_eq!(if_match(&rig, method, &[JSON]).await, ["*"], "{method}");
        assert_eq!(if_match(&rig, method, &[JSON, ("if-match", "W/\"1\"")]).await, ["W/\"1\""], "{method}");
        assert_eq!(if_match(&rig, "POST", &[JSON, ("x-http-method", method)]).await, ["*"], "{method}");
    }
    for method in ["GET", "POST"] {
        assert!(if_match(&rig, method, &[JSON]).await.is_empty(), "{method}");
    }
}

#[tokio::test]
async fn without_if_match_nothing_is_added() {
    let rig = Rig::new().await;
    assert!(if_match(&rig, "PATCH", &[JSON]).await.is_empty());
}

#[tokio::test]
async fn a_route_sets_and_removes_headers_in_both_directions() {
    let keys = "headers: { request: { set: { Accept-Language: de-DE }, remove: [X-Debug, Via] }, \
                response: { set: { Cache-Control: no-store, X-From: bcproxy }, remove: [OData-Version] } }";
    let rig = rig(keys).await;
    let sent = [("accept-language", "fr-FR"), ("x-debug", "1"), ("x-other", "2")];
    let response = rig.send(Method::GET, "/api/customers?$top=1", &sent, "").await;
    assert_eq!(response.status, 200);
    let received = rig.received().pop().unwrap();
    assert_eq!(received.headers.get_all("accept-language").iter().collect::<Vec<_>>(), ["de-DE"]);
    assert_eq!(received.headers["x-other"], "2");
    assert!(!received.headers.contains_key("x-debug") && !received.headers.contains_key("via"));
    assert!(received.headers["authorization"].to_str().unwrap().starts_with("Bearer "));
    assert_eq!(
        (&response.headers["cache-control"], &response.headers["x-from"]),
        (&"no-store".parse().unwrap(), &"bcproxy".parse().unwrap())
    );
    assert!(!response.headers.contains_key("odata-version"));
    assert_eq!(response.json()["value"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn addresses_in_responses_begin_with_the_public_url() {
    let rig = Plan::default().top("public_url: https://erp-gw:8443").start().await;
    let page = rig.get("/api/customers?$top=1").await.json();
    let context = page["@odata.context"].as_str().unwrap();
    assert!(context.starts_with("https://erp-gw:8443/api/"), "{context}");

    let rig = Rig::new().await;
    let page = rig.get("/api/customers?$top=1").await.json();
    let context = page["@odata.context"].as_str().unwrap();
    assert!(context.starts_with(&format!("http://{}/api/", rig.address())), "{context}");
}
