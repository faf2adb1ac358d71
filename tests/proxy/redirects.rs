//! Redirects are for the client; an answer may come before the request has ended.

use bcproxy::simulator::{Script, Times};
use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};

use crate::rig::Rig;
use crate::wire::Wire;

#[tokio::test]
async fn redirects_are_not_followed() {
    let rig = Rig::new().await;
    let elsewhere = format!("{}/elsewhere", rig.simulator.base_url());
    let script = Script::redirect(HeaderValue::try_from(&elsewhere).unwrap());
    rig.script(Times::Always, script);
    for method in [Method::GET, Method::POST] {
        let response = rig.send(method, "/api/items", &[], "").await;
        assert_eq!(response.status, StatusCode::FOUND);
        assert!(response.headers.contains_key("location"));
    }
    let received = rig.received();
    assert_eq!(received.len(), 2);
    assert!(received.iter().all(|received| !received.target.contains("elsewhere")));
}

#[tokio::test]
async fn other_responses_of_the_300s_pass() {
    for status in [StatusCode::NOT_MODIFIED, StatusCode::SEE_OTHER, StatusCode::TEMPORARY_REDIRECT] {
        let rig = Rig::new().await;
        rig.script(Times::Always, Script::response(status));
        assert_eq!(rig.get("/api/items").await.status, status);
        assert_eq!(rig.received().len(), 1);
    }
}

#[tokio::test]
async fn an_response_that_comes_before_the_upload_was_read_reaches_its_client() {
    let rig = Rig::new().await;
    let script =
        Script::error(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", "too much").leave_request_unread();
    rig.script(Times::Always, script);
    for length in [10, 300_000, 5_000_000] {
        let mut client = Wire::connect(rig.address()).await;
        client.send(format!("POST /api/items HTTP/1.1\r\nHost: erp\r\nContent-Length: {length}\r\n\r\n")).await;
        client.send(vec![b'x'; length]).await;
        let (head, body) = client.response().await;
        assert_eq!(head.status(), StatusCode::PAYLOAD_TOO_LARGE, "{length}");
        assert!(String::from_utf8(body).unwrap().contains("RequestEntityTooLarge"), "{length}");
    }
    assert_eq!(rig.received().len(), 3);
}
