//! Subscriptions on a route that has a company: nobody sees or changes those of another one.

use bcproxy::simulator::{Matcher, Script, Times};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::batch::{self, CRONUS, OTHER};
use crate::rig::{Plan, Rig};

const EVENTS: &str = "/api/externaleventsubscriptions";

/// Two routes to all companies, where subscriptions are made, and those that are tested.
async fn rig() -> Rig {
    let routes = "routes:
  - { path: /api, to: api/v2.0, connector: cronus }
  - { path: /nav, to: nav, connector: cronus }
  - { path: /open, to: api/v2.0, connector: open }
  - { path: /old, to: nav, connector: mapped }";
    let mapped = ["company: -", "companies: { \"Alte Firma\": \"My Company\", Cronus: \"CRONUS International Ltd.\" }"];
    let plan = Plan::default().another_connector("open", &["company: -"]).another_connector("mapped", &mapped);
    plan.top(routes).start().await
}

/// Makes a subscription to an event in this company; its id.
async fn subscribe(rig: &Rig, company: &str) -> String {
    let body = json!({"eventName": "x", "companyName": company, "clientState": "secret"}).to_string();
    let made = rig.post_json("/open/externaleventsubscriptions", &body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["id"].as_str().unwrap().to_owned()
}

fn webhook(id: &str, resource: &str) -> Value {
    json!({"@odata.etag": "W/\"x\"", "subscriptionId": id, "notificationUrl": "https://r.example", "resource": resource, "clientState": "s"})
}

fn responses(rig: &Rig, path_end: &str, body: &Value) {
    let script = Script::response(StatusCode::OK)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .send(body.to_string());
    rig.simulator.business_central().script(Matcher::any().path_ending(path_end), Times::Always, script);
}

fn members(response: &Value, member: &str) -> Vec<String> {
    response["value"].as_array().unwrap().iter().map(|entry| entry[member].as_str().unwrap().to_owned()).collect()
}

async fn try_all(rig: &Rig, path: &str, meant: u16) {
    for (method, body) in [(Method::GET, ""), (Method::DELETE, ""), (Method::PATCH, "{}"), (Method::HEAD, "")] {
        let headers = [("content-type", "application/json"), ("if-match", "*")];
        let response = rig.send(method.clone(), path, &headers, body).await;
        assert_eq!(response.status, meant, "{method} {path}");
    }
}

#[tokio::test]
async fn a_list_shows_those_of_the_routes_company_only() {
    let rig = rig().await;
    let (own, other) = (subscribe(&rig, CRONUS).await, subscribe(&rig, OTHER).await);
    for coding in ["identity", "gzip"] {
        let headers = [("accept-encoding", coding)];
        let response = rig.send(Method::GET, EVENTS, &headers, "").await;
        assert_eq!(members(&response.json(), "id"), [own.as_str()]);
        assert_eq!(response.headers["content-length"], response.body.len().to_string());
        assert!(!response.text().contains(&other));
    }
    assert_eq!(members(&rig.get("/nav/BC/api/v2.0/externaleventsubscriptions").await.json(), "id"), [own.as_str()]);
    assert_eq!(members(&rig.get("/open/externaleventsubscriptions").await.json(), "id").len(), 2);

    let ids: Vec<_> = rig.simulator.settings().companies.iter().map(|company| company.id).collect();
    let list = json!({"@odata.context": "c", "value": [
        webhook("a", &format!("/api/v2.0/companies({})/customers", ids[2])),
        webhook("b", &format!("{}/v2.0/Production/api/v2.0/companies({})/items", rig.simulator.base_url(), ids[0])),
        webhook("c", &format!("api/cronus/warehouse/v1.0/companies({})/bins", ids[0])),
        webhook("d", "/api/v2.0/customers"),
    ]});
    responses(&rig, "/subscriptions", &list);
    assert_eq!(members(&rig.get("/api/subscriptions").await.json(), "subscriptionId"), ["b", "c"]);
    let in_company = format!("/api/companies({})/subscriptions?$filter=clientState eq 's'", ids[0]);
    assert_eq!(members(&rig.get(&in_company.replace(' ', "%20")).await.json(), "subscriptionId"), ["b", "c"]);
    assert_eq!(members(&rig.get("/open/subscriptions").await.json(), "subscriptionId").len(), 4);
    assert_eq!(rig.send(Method::HEAD, "/api/subscriptions", &[], "").await.status, 200);
}

#[tokio::test]
async fn what_can_not_be_told_apart_is_rejected() {
    let rig = rig().await;
    let before = rig.received().len();
    for query in
        ["?$top=1", "?$skip=1", "?$count=true", "?$select=subscriptionId", "?%24apply=aggregate(x)", "/$count", "/x"]
    {
        let rejection = rig.get(&format!("/api/subscriptions{query}")).await.rejection();
        assert_eq!((rejection.status, rejection.code.as_str()), (403, "Proxy_NotAllowed"), "{query}");
        assert!(rejection.message.contains(CRONUS), "{}", rejection.message);
    }
    for method in [Method::DELETE, Method::PATCH, Method::PUT] {
        assert_eq!(rig.send(method, "/api/subscriptions", &[], "").await.rejection().status, 403);
    }
    let hidden = [("x-http-method", "GET"), ("content-type", "application/json")];
    assert_eq!(rig.send(Method::POST, "/api/subscriptions", &hidden, "{}").await.rejection().status, 403);
    for (method, url) in
        [("GET", "subscriptions"), ("GET", "externaleventsubscriptions?$top=1"), ("DELETE", "subscriptions")]
    {
        let part = json!([{"id": "1", "method": method, "url": url}]);
        assert_eq!(batch::rejection(&rig, "/api/$batch", part).await.status, 403, "{method} {url}");
    }
    let reference = json!([
        {"id": "1", "method": "POST", "url": "externaleventsubscriptions", "body": {"companyName": CRONUS}},
        {"id": "2", "method": "GET", "url": "$1"},
    ]);
    assert_eq!(batch::rejection(&rig, "/api/$batch", reference).await.status, 403);
    assert_eq!(rig.received().len(), before);
    // Where nothing is kept to a company, everything is.
    assert_eq!(rig.get("/open/subscriptions/$count").await.status, 200);

    let script = Script::response(StatusCode::OK).send("[]");
    rig.simulator.business_central().script(Matcher::any().path_ending("/subscriptions"), Times::Next(1), script);
    let rejection = rig.get("/api/subscriptions").await.rejection();
    assert_eq!((rejection.status, rejection.code.as_str()), (502, "Proxy_ResponseBroken"));
}

#[tokio::test]
async fn one_of_another_company_is_neither_shown_nor_changed() {
    let rig = rig().await;
    let (own, other) = (subscribe(&rig, CRONUS).await, subscribe(&rig, OTHER).await);
    let ids: Vec<_> = rig.simulator.settings().companies.iter().map(|company| company.id).collect();
    responses(
        &rig,
        "/subscriptions('theirs')",
        &webhook("theirs", &format!("/api/v2.0/companies({})/customers", ids[2])),
    );
    responses(&rig, "/subscriptions('ours')", &webhook("ours", &format!("/api/v2.0/companies({})/customers", ids[0])));
    try_all(&rig, &format!("{EVENTS}({other})"), 403).await;
    try_all(&rig, "/api/subscriptions('theirs')", 403).await;
    try_all(&rig, "/api/subscriptions('theirs')/Microsoft.NAV.renew", 403).await;
    let rejection = rig.get("/api/subscriptions('theirs')").await.rejection();
    assert!(
        rejection.message.contains("another company") && rejection.message.contains(CRONUS),
        "{}",
        rejection.message
    );
    for (method, url) in [("GET", "subscriptions('theirs')"), ("DELETE", "/api/subscriptions('theirs')")] {
        let part = json!([{"id": "1", "method": method, "url": url}]);
        assert_eq!(batch::rejection(&rig, "/api/$batch", part).await.status, 403, "{url}");
    }
    let received = rig.received();
    assert!(!received.is_empty());
    assert!(received.iter().all(|received| matches!(received.method, Method::GET | Method::POST)));

    try_all(&rig, "/api/subscriptions('ours')", 200).await;
    try_all(&rig, "/open/subscriptions('theirs')", 200).await;
    // What does not exist, Business Central says itself.
    let unknown = rig.get("/api/subscriptions('nobodys')").await;
    assert_eq!(
        (unknown.status, unknown.json()["error"]["code"].as_str()),
        (StatusCode::NOT_FOUND, Some("Internal_RecordNotFound"))
    );
    let part = json!([{"id": "1", "method": "DELETE", "url": format!("externaleventsubscriptions({own})"), "headers": {"if-match": "*"}}]);
    assert_eq!(batch::send(&rig, "/api/$batch", part).await.json()["responses"][0]["status"], 204);
    assert_eq!(rig.get(&format!("{EVENTS}({own})")).await.status, 404);
}

#[tokio::test]
async fn a_route_that_leads_to_some_companies_shows_those_of_them() {
    let rig = rig().await;
    let third = rig.simulator.settings().companies[1].name.clone();
    let (own, other) = (subscribe(&rig, CRONUS).await, subscribe(&rig, OTHER).await);
    let elsewhere = subscribe(&rig, &third).await;
    let path = "/old/BC/api/v2.0/externaleventsubscriptions";
    assert_eq!(members(&rig.get(path).await.json(), "id"), [own.clone(), other]);
    assert_eq!(rig.get(&format!("{path}({elsewhere})")).await.rejection().status, 403);
    assert_eq!(rig.get(&format!("{path}({own})")).await.status, 200);
    let body = |company: &str| json!({"companyName": company}).to_string();
    assert_eq!(rig.post_json(path, &body(OTHER)).await.status, 201);
    assert_eq!(rig.post_json(path, &body(&third)).await.rejection().status, 403);
}
