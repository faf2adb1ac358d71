//! The identifiers that a ticket to Microsoft has to name: in the log, among the problems and in errors of our own.

use bcproxy::simulator::{Matcher, Script, Times};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::process::Process;
use crate::rig::{ClientResponse, Plan, Rig, send};
use crate::status::AdminRig;

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("ms-correlation-x");

/// A response with identifiers of its own.
fn identified(script: Script) -> Script {
    let script = script.header(REQUEST_ID, HeaderValue::from_static("req-1"));
    script.header(CORRELATION_ID, HeaderValue::from_static("corr-1"))
}

/// Waits until this is the latest problem.
async fn problem(admin: &AdminRig, response: &ClientResponse) -> Value {
    let id = response.headers["x-request-id"].to_str().unwrap();
    crate::rig::within(async {
        loop {
            let json = admin.json().await;
            match json["problems"].as_array().unwrap().iter().find(|problem| problem["id"] == id) {
                Some(problem) => return problem.clone(),
                None => tokio::task::yield_now().await,
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_problem_has_those_of_the_latest_response() {
    let rig = Rig::new().await;
    let admin = AdminRig::of(&rig).await;
    rig.script(Times::Always, Script::error(StatusCode::NOT_FOUND, "Internal_RecordNotFound", "None."));
    for own in [None, Some("my-operation")] {
        let headers: Vec<(&str, &str)> = own.iter().map(|own| ("client-request-id", *own)).collect();
        let response = rig.send(Method::GET, "/api/items", &headers, "").await;
        let sent = rig.received().pop().unwrap().headers["client-request-id"].clone();
        assert_eq!(sent, own.unwrap_or(response.headers["x-request-id"].to_str().unwrap()));
        let problem = problem(&admin, &response).await;
        for (key, value) in [
            ("bc_request_id", &response.headers["request-id"]),
            ("bc_correlation_id", &response.headers["ms-correlation-x"]),
            ("client_request_id", &sent),
        ] {
            assert_eq!(problem[key], value.to_str().unwrap(), "{problem}");
        }
        let page = admin.page().await;
        let line =
            format!("<dt>request-id</dt><dd><code>{}</code></dd>", response.headers["request-id"].to_str().unwrap());
        assert!(page.contains(&line), "{page}");
    }
    assert_eq!(admin.json().await["problems"].as_array().unwrap().len(), 1, "they make no problem of its own");
}

#[tokio::test]
async fn an_error_of_ours_names_those_of_the_response_that_led_to_it() {
    let rig = Rig::new().await;
    let admin = AdminRig::of(&rig).await;
    let rejected = identified(Script::error(StatusCode::UNAUTHORIZED, "Authentication_InvalidCredentials", "No."));
    let cut = identified(Script::response(StatusCode::OK))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .send("{\"value\":[")
        .cut();
    for (times, script, code) in
        [(Times::Next(1), cut, "Proxy_ResponseBroken"), (Times::Always, rejected, "Proxy_CredentialsRejected")]
    {
        rig.script(times, script);
        let response = rig.post_json("/api/items", "{}").await;
        let rejection = response.rejection();
        assert_eq!(rejection.code, code);
        let id = response.headers["x-request-id"].to_str().unwrap();
        let sentence =
            format!(" For a ticket to Microsoft: request-id req-1, ms-correlation-x corr-1, client-request-id {id}.");
        assert!(rejection.message.ends_with(&sentence), "{}", rejection.message);
        let problem = problem(&admin, &response).await;
        assert_eq!((&problem["bc_request_id"], &problem["bc_correlation_id"]), (&"req-1".into(), &"corr-1".into()));
        assert!(!problem["reason"].as_str().unwrap().contains("req-1"), "{problem}");
    }
    assert!(!rig.get("/elsewhere").await.text().contains("ticket"), "no response led to it");
}

#[tokio::test]
async fn an_error_of_a_look_up_names_those_of_its_response() {
    let companies = Matcher::any().path_ending("/companies");
    let script = identified(Script::error(StatusCode::FORBIDDEN, "Internal_ServerError", "No."));
    let rig = Plan::default()
        .start_after(|simulator| simulator.business_central().script(companies, Times::Always, script))
        .await;
    let message = rig.get("/api/customers").await.rejection().message;
    assert!(message.ends_with(" For a ticket to Microsoft: request-id req-1, ms-correlation-x corr-1."), "{message}");
}

#[tokio::test]
async fn each_log_line_has_them_and_they_are_bounded() {
    let prepared = Plan::default().prepare().await;
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    let mut line = async |headers: &[(&str, &str)]| {
        let response = send(address, Method::GET, "/api/items?$top=1", headers, "").await;
        (response, process.log_line(|line| line["path"].is_string()).await)
    };
    let (response, own) = line(&[("client-request-id", "my-operation")]).await;
    assert_eq!(response.status, 200);
    assert_eq!(own["bc_request_id"], response.headers["request-id"].to_str().unwrap(), "{own}");
    assert_eq!(own["bc_correlation_id"], response.headers["ms-correlation-x"].to_str().unwrap());
    assert_eq!(own["client_request_id"], "my-operation");
    let (_, strange) = line(&[("client-request-id", "two words")]).await;
    let (_, none) = line(&[]).await;
    assert_eq!((&strange["client_request_id"], &none["client_request_id"]), (&Value::Null, &Value::Null));

    let script = Script::response(StatusCode::OK)
        .header(REQUEST_ID, HeaderValue::from_bytes(b"r\xfcq").unwrap())
        .header(CORRELATION_ID, HeaderValue::try_from("x".repeat(5_000)).unwrap());
    let items = Matcher::any().path_ending("/items");
    prepared.simulator.business_central().script(items, Times::Next(1), script);
    let (response, line) = line(&[]).await;
    assert_eq!(response.headers["request-id"], HeaderValue::from_bytes(b"r\xfcq").unwrap(), "it passes as it is");
    assert_eq!((&line["bc_request_id"], &line["bc_correlation_id"]), (&Value::Null, &"x".repeat(100).into()));
}
