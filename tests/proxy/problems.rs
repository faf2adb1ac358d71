//! The list of problems: each response that is counted as an error is in it, and equal ones are one.

use bcproxy::simulator::{Matcher, Script, Times};
use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::rig::Rig;
use crate::status::AdminRig;

fn counted(route: &str, status: u16) -> String {
    format!("bcproxy_requests_total{{route=\"{route}\",status=\"{status}\",outcome=\"complete\"}}")
}

#[tokio::test]
async fn equal_errors_of_business_central_are_one_problem_with_their_number() {
    let rig = Rig::new().await;
    let admin = AdminRig::of(&rig).await;
    rig.script(Times::Always, Script::error(StatusCode::NOT_FOUND, "Internal_RecordNotFound", "No such item."));
    for _ in 1..25 {
        assert_eq!(rig.get("/api/items?$filter=hunter2").await.status, 404);
    }
    admin.wait_for(&counted("/api", 404), 24.0).await;
    let latest = rig.get("/api/items").await;
    admin.wait_for(&counted("/api", 404), 25.0).await;
    let json = admin.json().await;
    let problems = json["problems"].as_array().unwrap();
    let [problem] = &problems[..] else { panic!("{problems:?}") };
    assert_eq!((&problem["count"], &problem["status"]), (&25.into(), &404.into()));
    assert_eq!(problem["id"], latest.headers["x-request-id"].to_str().unwrap());
    let time = |key: &str| problem[key].as_str().unwrap();
    assert!(time("first_at") <= time("at"), "{problem}");
    let reason = "Business Central responded with 404 Not Found (Internal_RecordNotFound).";
    assert_eq!(problem["reason"], reason);
    let page = admin.page().await;
    assert!(page.contains(">25× since ") && page.contains(reason), "{page}");
    assert!(!page.contains("No such item") && !json.to_string().contains("hunter2"));
}

#[tokio::test]
async fn each_counted_error_is_a_problem_and_a_handshake_is_none() {
    let rig = Rig::new().await;
    let admin = AdminRig::of(&rig).await;
    for (method, status) in
        [(Method::GET, 409), (Method::PUT, 412), (Method::PATCH, 404), (Method::GET, 500), (Method::DELETE, 599)]
    {
        let script = Script::response(StatusCode::from_u16(status).unwrap()).send("not JSON");
        rig.simulator.business_central().script(Matcher::any().path_ending("/items"), Times::Next(1), script);
        assert_eq!(rig.send(method, "/api/items", &[], "").await.status, status);
    }
    let script = Script::error(StatusCode::BAD_REQUEST, &"x".repeat(101), "Strange.");
    rig.script(Times::Next(1), script);
    assert_eq!(rig.get("/api/items").await.status, 400);
    assert_eq!(rig.get("/elsewhere").await.status, 404);
    let handshake = [("authorization", "NTLM TlRMTVNTUAABAAAABoIIAAAAAAAAAAAAAAAAAAAAAAA=")];
    assert_eq!(rig.send(Method::GET, "/api/customers", &handshake, "").await.status, 401);
    admin.wait_for(&counted("/", 404), 1.0).await;
    let json = admin.json().await;
    let mut statuses: Vec<(i64, &str)> = json["problems"].as_array().unwrap().iter().map(said).collect();
    statuses.sort_unstable();
    let reasons: Vec<&str> = statuses.iter().map(|(_, reason)| *reason).collect();
    assert_eq!(statuses.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [400, 404, 404, 409, 412, 500, 599]);
    for reason in [
        "Business Central responded with 400 Bad Request.",
        "Business Central responded with 409 Conflict.",
        "Business Central responded with 599.",
    ] {
        assert!(reasons.contains(&reason), "{reasons:?}");
    }
    let api = json["routes"].as_array().unwrap().iter().find(|route| route["path"] == "/api").unwrap();
    assert_eq!((&api["handshakes"], &api["by_status"]["401"]), (&1.into(), &Value::Null));
    let page = admin.page().await;
    let row = page.split("<code>/api</code></th>").nth(1).unwrap();
    let figure =
        |label: &str| row.split(&format!("data-label=\"{label}\">")).nth(1).unwrap().split('<').next().unwrap();
    let figures = ["Requests", "4xx", "5xx"].map(figure);
    assert_eq!(figures, ["7", "4", "2"], "requests, 4xx without the handshake, 5xx: {row}");
}

fn said(problem: &Value) -> (i64, &str) {
    (problem["status"].as_i64().unwrap(), problem["reason"].as_str().unwrap())
}

#[tokio::test]
async fn a_client_with_many_problems_leaves_those_of_others() {
    let rig = Rig::new().await;
    let admin = AdminRig::of(&rig).await;
    let mut other = crate::wire::Wire::over(rig.connect_from(7).await);
    other.send("GET /other HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    assert_eq!(other.response().await.0.status(), 404);
    admin.wait_for(&counted("/", 404), 1.0).await;
    for number in 0..60 {
        assert_eq!(rig.get(&format!("/elsewhere/{number}")).await.status, 404);
    }
    admin.wait_for(&counted("/", 404), 61.0).await;
    let json = admin.json().await;
    let problems = json["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 50);
    assert!(problems.iter().any(|problem| problem["client"] == "127.0.0.7" && problem["path"] == "/other"));
}
