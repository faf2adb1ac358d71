//! The form of a `$batch`: what odd spelling and compression can't change, and what can't be judged.

use std::io::Write;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use bcproxy::simulator::{Matcher, Script, Times};

use crate::batch::{CRONUS, OTHER, create, rejection, sent};
use crate::rig::{ClientResponse, Rig};

pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

async fn post(rig: &Rig, headers: &[(&str, &str)], body: impl Into<bytes::Bytes>) -> ClientResponse {
    rig.send(Method::POST, "/api/$batch", headers, body).await
}

/// Bytes that gzip can't shrink to a hundredth.
fn digits(count: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(19);
    (0..count).map(|_| random.u8(b'0'..=b'9')).collect()
}

const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

#[tokio::test]
async fn odd_case_and_gzip_change_nothing() {
    let rig = Rig::new().await;
    let odd = r#"{"Requests":[{"ID":"1","METHOD":"post","Url":"customers","HEADERS":{"content-TYPE":"application/json"},
        "BODY":{"displayName":"New"}}]}"#;
    let lost = r#"{"requestS":[{"Id":"1","method":"GET","uRL":"customers","headerS":{"cOmpany":"My Company"}}]}"#;
    let escaped = r#"{"\u0072equests":[{"id":"1","method":"GET","u\u0072l":"customers?c\u006fmpany=My%20Company"}]}"#;
    for (headers, coded) in [(vec![JSON], false), (vec![JSON, GZIP], true)] {
        let body = |text: &str| if coded { gzip(text.as_bytes()) } else { text.as_bytes().to_vec() };
        assert_eq!(post(&rig, &headers, body(odd)).await.json()["responses"][0]["status"], 201);
        let received = rig.received().pop().unwrap();
        assert!(!received.headers.contains_key("content-encoding"));
        assert_eq!(received.headers["content-length"], received.body.len().to_string().as_str());
        for text in [lost, escaped] {
            assert_eq!(post(&rig, &headers, body(text)).await.rejection().status, 403, "{text}");
        }
    }
    assert_eq!(rig.simulator.business_central().customers(CRONUS), Some(52));
    assert_eq!(rig.simulator.business_central().customers(OTHER), Some(50));
}

#[tokio::test]
async fn a_name_that_stands_twice_is_rejected_at_every_level_that_is_read() {
    let rig = Rig::new().await;
    for text in [
        r#"{"requests":[],"Requests":[]}"#,
        r#"{"requests":[{"id":"1","method":"GET","url":"a","URL":"b"}]}"#,
        r#"{"requests":[{"id":"1","method":"GET","url":"a","u\u0052l":"b"}]}"#,
        r#"{"requests":[{"id":"1","method":"GET","url":"a","headers":{"Company":"a","company":"b"}}]}"#,
        r#"{"requests":[{"id":"1","method":"GET","url":"a"},{"id":"1","method":"GET","url":"a"}]}"#,
    ] {
        let rejection = rig.post_json("/api/$batch", text).await.rejection();
        assert_eq!(rejection.status, 400, "{text}");
        let says = |part| rejection.message.contains(part);
        assert!(says("appears twice") || says("have the id `1`"), "{}", rejection.message);
    }
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_is_rejected_with_the_reason() {
    let rig = Rig::new().await;
    let whole = json!({"requests": create("customers")}).to_string();
    let mut cut = gzip(whole.as_bytes());
    cut.truncate(cut.len() - 5);
    let brotli = ("content-encoding", "br");
    let multipart = ("content-type", "multipart/mixed; boundary=b");
    for (headers, body, status, part) in [
        (vec![JSON], b"{\"requests\":[".to_vec(), 400, "The batch is invalid"),
        (vec![JSON], b"[]".to_vec(), 400, "The batch is invalid"),
        (vec![JSON], b"{}".to_vec(), 400, "no `requests`"),
        (vec![JSON], b"".to_vec(), 400, "The batch is invalid"),
        (vec![JSON], b"{\"requests\":\"\xff\"}".to_vec(), 400, "UTF-8"),
        (vec![JSON, GZIP], cut, 400, "truncated or broken"),
        (vec![JSON, brotli], whole.clone().into_bytes(), 415, "uncompressed or with gzip"),
        (vec![JSON, GZIP, GZIP], whole.clone().into_bytes(), 415, "uncompressed or with gzip"),
        (vec![multipart], whole.clone().into_bytes(), 415, "multipart/mixed"),
        (vec![], whole.clone().into_bytes(), 415, "application/json"),
        (vec![JSON, GZIP], gzip(&digits((16 << 20) + 1)), 413, "16 MiB"),
        (vec![JSON], vec![b' '; (16 << 20) + 1], 413, "16 MiB"),
    ] {
        let rejection = post(&rig, &headers, body).await.rejection();
        assert_eq!(rejection.status, status, "{headers:?} {}", rejection.message);
        assert!(rejection.message.contains(part), "{}", rejection.message);
    }
    assert_eq!(rig.get("/api/$batch").await.rejection().status, 400);
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn a_hundred_requests_are_taken_and_no_more() {
    let rig = Rig::new().await;
    let many = |count: usize| -> Value {
        (0..count).map(|id| json!({"id": id.to_string(), "method": "GET", "url": "customers?$top=1"})).collect()
    };
    let rejection = rejection(&rig, "/api/$batch", many(101)).await;
    assert_eq!(rejection.status, 400);
    assert!(rejection.message.contains("101 requests"), "{}", rejection.message);
    assert!(rig.received().is_empty());
    let response = crate::batch::send(&rig, "/api/$batch", many(100)).await;
    assert_eq!(response.json()["responses"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn a_body_of_several_mebibytes_is_checked_too_and_replayed_with_a_new_token() {
    let rig = Rig::new().await;
    let large = json!({"requests": create("customers"), "note": "x".repeat(3 << 20)}).to_string();
    let batches = Matcher::any().path_ending("/$batch");
    rig.simulator.business_central().script(batches, Times::Next(1), Script::response(StatusCode::UNAUTHORIZED));
    assert_eq!(rig.post_json("/api/$batch", &large).await.json()["responses"][0]["status"], 201);
    assert_eq!(rig.simulator.business_central().customers(CRONUS), Some(51));
    let other = large.replace("\"customers\"", "\"customers?company=My%20Company\"");
    assert_eq!(rig.post_json("/api/$batch", &other).await.rejection().status, 403);
}

#[tokio::test]
async fn the_bodies_of_its_requests_pass_byte_for_byte() {
    let rig = Rig::new().await;
    let host = rig.address();
    let body = format!(
        r#"{{ "n": 1.50, "website": "http://{host}/api/customers", "n":2e0, "text": "\u00e4\/{{", "url": "/api/companies(1)/x" }}"#
    );
    let text = format!(r#"{{"requests":[{{"id":"1","method":"POST","url":"customers","body":{body}}}]}}"#);
    rig.post_json("/api/$batch", &text).await;
    let received = rig.received().pop().unwrap();
    assert!(String::from_utf8(received.body.to_vec()).unwrap().contains(&body));
    assert_eq!(sent(&rig)["requests"][0]["id"], "1");
}

#[tokio::test]
async fn headers_that_a_client_cannot_send_are_left_out_of_its_requests() {
    let rig = Rig::new().await;
    let headers = json!({
        "Authorization": "Bearer x", "HOST": "evil.example", "Connection": "close, if-match", "transfer-encoding": "chunked",
        "Content-Length": "1", "Keep-Alive": "1", "Upgrade": "h2c", "TE": "trailers", "Trailer": "a", "Cookie": "a=b",
        "Proxy-Authorization": "x", "X-Forwarded-For": "x", "X-Original-URL": "/x", "X_HTTP_Method": "DELETE",
        "If-Match": "*", "accept-LANGUAGE": "de",
    });
    let requests = json!([{"id": "1", "method": "GET", "url": "customers?$top=1", "headers": headers}]);
    assert_eq!(crate::batch::send(&rig, "/api/$batch", requests).await.status, 200);
    assert_eq!(sent(&rig)["requests"][0]["headers"], json!({"If-Match": "*", "accept-LANGUAGE": "de"}));
}

#[tokio::test]
async fn headers_that_are_none_in_http_and_unknown_methods_reject_the_batch() {
    let rig = Rig::new().await;
    let part =
        |method: &str, headers: Value| json!([{"id": "1", "method": method, "url": "customers", "headers": headers}]);
    for (method, headers, status) in [
        ("GET", json!({"a": "b\r\nAuthorization: Bearer x"}), 400),
        ("GET", json!({"a": "b\n"}), 400),
        ("GET", json!({"a": "b\rc"}), 400),
        ("GET", json!({"a": "\u{0}"}), 400),
        ("GET", json!({"a\r\nHost": "b"}), 400),
        ("GET", json!({"Host ": "b"}), 400),
        ("GET", json!({"": "b"}), 400),
        ("TRACK", json!({}), 501),
        ("POST", json!({"X-HTTP-Method": "DELETE, GET"}), 501),
    ] {
        assert_eq!(rejection(&rig, "/api/$batch", part(method, headers.clone())).await.status, status, "{headers}");
    }
    assert!(rig.received().is_empty());
}
