//! Bodies in both directions: byte for byte, counted once, in bounded memory.

use bcproxy::simulator::{Matcher, Outcome, Received, Script, Times};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

use crate::rig::Rig;
use crate::wire::{Wire, chunked};

/// A rig whose Business Central takes any POST.
async fn taking_posts() -> Rig {
    let rig = Rig::new().await;
    let script = Script::response(StatusCode::OK);
    rig.simulator.business_central().script(Matcher::any().method(Method::POST), Times::Always, script);
    rig
}

/// What arrived, which must be one request.
fn only(rig: &Rig) -> Received {
    let mut received = rig.received();
    assert_eq!(received.len(), 1);
    received.remove(0)
}

/// Bytes of every value, without a short period.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

async fn upload(rig: &Rig, framing: &str, body: &[u8]) {
    let mut client = Wire::connect(rig.address()).await;
    client.send(format!("POST /api/items HTTP/1.1\r\nHost: erp\r\n{framing}\r\n\r\n")).await;
    client.send(body).await;
    assert_eq!(client.response().await.0.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_small_upload_arrives_byte_for_byte_with_its_length() {
    let body = noise(70_000);
    for (framing, sent) in [("Content-Length: 70000", body.clone()), ("Transfer-Encoding: chunked", chunked(&body))] {
        let rig = taking_posts().await;
        upload(&rig, framing, &sent).await;
        let received = only(&rig);
        assert_eq!(received.headers["content-length"], "70000", "{framing}");
        assert!(!received.headers.contains_key("transfer-encoding"), "{framing}");
        assert!(received.complete && received.body == body, "{framing}");
    }
}

#[tokio::test]
async fn a_large_upload_arrives_byte_for_byte_with_its_length() {
    let body = noise(3 << 20);
    let length = format!("Content-Length: {}", body.len());
    for (framing, sent) in [(length.as_str(), body.clone()), ("Transfer-Encoding: chunked", chunked(&body))] {
        let rig = taking_posts().await;
        upload(&rig, framing, &sent).await;
        let received = only(&rig);
        assert_eq!(received.headers["content-length"], body.len().to_string(), "{framing}");
        assert!(received.complete && received.body == body[..received.body.len()], "{framing}");
        assert_eq!(received.body_length, body.len() as u64, "{framing}");
    }
}

#[tokio::test]
async fn every_byte_of_a_large_upload_is_the_clients() {
    // Of what Business Central keeps only the beginning is looked at above; codeunits echo nothing, so many small
    // uploads show the rest.
    let rig = taking_posts().await;
    let body = noise(1 << 20);
    for piece in body.chunks(100_003) {
        upload(&rig, &format!("Content-Length: {}", piece.len()), piece).await;
    }
    let arrived: Vec<u8> = rig.received().iter().flat_map(|received| received.body.to_vec()).collect();
    assert!(arrived == body);
}

#[tokio::test]
async fn encodings_and_soap_headers_pass_byte_for_byte() {
    let text = "<v:Name>Größe</v:Name>";
    let utf16: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let latin1: Vec<u8> = text.chars().map(|character| character as u8).collect();
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0".to_vec();
    let bom = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    for (kind, encoding, action, body) in [
        ("text/xml; charset=utf-16", None, "\"urn:microsoft-dynamics-schemas/page/customer:Read\"", utf16),
        ("text/xml;charset=\"ISO-8859-1\"", None, "urn:microsoft-dynamics-schemas/codeunit/Tools:Post", latin1),
        ("application/soap+xml; action=\"urn:x\"", Some("gzip"), "\"\"", gzip),
        ("TEXT/XML ; Charset=UTF-8", None, "#Read", bom),
    ] {
        let rig = taking_posts().await;
        let mut headers = vec![("content-type", kind), ("soapaction", action)];
        headers.extend(encoding.map(|encoding| ("content-encoding", encoding)));
        let response = rig.send(Method::POST, "/soap/Page/Customer", &headers, body.clone()).await;
        assert_eq!(response.status, 200);
        let received = only(&rig);
        assert_eq!((received.headers["content-type"].as_bytes(), received.body), (kind.as_bytes(), body.into()));
        assert_eq!(received.headers["soapaction"].as_bytes(), action.as_bytes());
        let sent = received.headers.get("content-encoding").map(|value| value.to_str().unwrap());
        assert_eq!(sent, encoding);
    }
}

#[tokio::test]
async fn an_empty_post_says_so() {
    for body in ["Content-Length: 0\r\n\r\n", "\r\n", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"] {
        let rig = taking_posts().await;
        let mut client = Wire::connect(rig.address()).await;
        client.send(format!("POST /api/items HTTP/1.1\r\nHost: erp\r\n{body}")).await;
        assert_eq!(client.response().await.0.status(), StatusCode::OK);
        let received = only(&rig);
        assert_eq!(received.headers.get("content-length").unwrap(), "0", "{body:?}");
        assert!(!received.headers.contains_key("transfer-encoding"), "{body:?}");
    }
}

#[tokio::test]
async fn trailers_are_dropped_both_ways() {
    let rig = Rig::new().await;
    let trailer = (HeaderName::from_static("x-checksum"), HeaderValue::from_static("1"));
    let script = Script::response(StatusCode::OK).send("body").trailer(trailer.0, trailer.1);
    rig.script(Times::Always, script);
    for filling in ["", &"x".repeat(2 << 20)] {
        let mut client = Wire::connect(rig.address()).await;
        let head = "POST /api/items HTTP/1.1\r\nHost: erp\r\nTE: trailers\r\nConnection: TE\r\nTrailer: x-sum\r\n";
        let body = format!("{:x}\r\nab{filling}\r\n0\r\nx-sum: 7\r\n\r\n", filling.len() + 2);
        client.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n{body}")).await;
        let (head, body) = client.response().await;
        assert_eq!(body, b"body");
        assert_eq!(head.header("trailer"), None);
        let received = rig.received().pop().unwrap();
        assert_eq!((received.complete, received.body_length), (true, filling.len() as u64 + 2));
        for dropped in ["x-sum", "trailer", "te"] {
            assert!(!received.headers.contains_key(dropped), "{dropped}");
        }
    }
}

#[tokio::test]
async fn a_client_that_stops_reading_stops_business_central_until_it_goes_on() {
    let rig = Rig::new().await;
    let length = 64 << 20;
    let script = Script::response(StatusCode::OK).fill(length);
    rig.script(Times::Always, script);
    let mut slow = Wire::connect(rig.address()).await;
    slow.send("GET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    assert_eq!(slow.head().await.header("content-length"), Some(length.to_string().as_str()));
    // Others are answered as if nothing was: time enough for the large answer to run ahead, if it could.
    for _ in 0..50 {
        assert_eq!(rig.get("/api/customers").await.status, 200);
    }
    assert_eq!(rig.received()[0].outcome, Outcome::Pending);
    slow.count(length).await;
    rig.wait_for(|received| received[0].outcome == Outcome::Answered).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_down_and_300_mebibytes_up_pass_in_40_mebibytes_of_memory() {
    use bcproxy::simulator::Framing;

    use crate::process::Process;
    use crate::rig::Plan;

    let prepared = Plan::default().prepare().await;
    let business_central = prepared.simulator.business_central();
    let down = Script::response(StatusCode::OK).framing(Framing::Chunked).fill(1 << 30);
    business_central.script(Matcher::any().method(Method::GET).path_ending("/items"), Times::Always, down);
    business_central.script(Matcher::any().method(Method::POST), Times::Always, Script::response(StatusCode::OK));
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;

    let mut client = Wire::connect(address).await;
    client.send("GET /api/items HTTP/1.0\r\n\r\n").await;
    client.head().await;
    client.count(1 << 30).await;

    let mut client = Wire::connect(address).await;
    client.send(format!("POST /api/items HTTP/1.1\r\nHost: erp\r\nContent-Length: {}\r\n\r\n", 300 << 20)).await;
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..300 {
        client.send(&piece).await;
    }
    assert_eq!(client.response().await.0.status(), StatusCode::OK);
    assert_eq!(prepared.simulator.received().last().unwrap().body_length, 300 << 20);

    let peak = process.peak_memory();
    assert!(peak < 40 * 1024, "{peak} KiB");
}
