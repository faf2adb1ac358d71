//! Windows authentication as old programs begin it: answered, never forwarded, never asked for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bcproxy::simulator::{Matcher, Script, Times};
use hyper::{Method, StatusCode};

use crate::process::Process;
use crate::rig::{Plan, Rig, SOAP_ECHO};
use crate::wire::Wire;

/// Types 1 and 3 as curl sends them, the latter shortened to fields without values.
const TYPE_1: &str = "TlRMTVNTUAABAAAABoIIAAAAAAAAAAAAAAAAAAAAAAA=";

fn type_3() -> Vec<u8> {
    [b"NTLMSSP\0\x03\0\0\0".as_slice(), &[0; 52]].concat()
}

/// In a NegTokenResp, as far as a server that does not look into it can tell.
fn in_spnego(tag: u8, message: &[u8]) -> String {
    STANDARD.encode([&[tag, 0x30, 0x30, 0x2E, 0x06, 0x06][..], message].concat())
}

/// A SOAP call with these headers, each on its own line.
fn call(headers: &str, body: &str) -> String {
    format!(
        "POST /soap/Codeunit/Tools HTTP/1.1\r\nHost: erp\r\nContent-Type: text/xml; charset=utf-8\r\n{headers}\r\nSOAPAction: \
         \"urn:microsoft-dynamics-schemas/codeunit/Tools:Echo\"\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn a_handshake_is_answered_and_the_call_goes_out_once_with_its_body() {
    let rig = Rig::new().await;
    let raw = STANDARD.encode(type_3());
    for (begin, end, response, done) in [
        (format!("NTLM {TYPE_1}"), format!("NTLM {raw}"), "NTLM TlRMTVNTUAACAAAADgAOADgAAAAFgomi", None),
        (format!("Negotiate {TYPE_1}"), format!("Negotiate {raw}"), "Negotiate TlRMTVNTUAACAAAA", None),
        (
            format!("Negotiate {}", in_spnego(0x60, &STANDARD.decode(TYPE_1).unwrap())),
            format!("Negotiate {}", in_spnego(0xA1, &type_3())),
            "Negotiate oYHSMIHPoAMKAQGhDAYKKwYBBAGCNwICCqKBuQSBtk5UTE1TU1AAAgAAA",
            Some("Negotiate oQcwBaADCgEA"),
        ),
    ] {
        let mut client = Wire::connect(rig.address()).await;
        // Some send the body with their first step, some don't.
        for body in ["", SOAP_ECHO] {
            client.send(call(&format!("Authorization: {begin}"), body)).await;
            let (head, body) = client.response().await;
            assert_eq!((head.status(), body.len()), (StatusCode::UNAUTHORIZED, 0));
            assert_eq!(head.all("www-authenticate").len(), 1, "{head:?}");
            assert!(head.header("www-authenticate").unwrap().starts_with(response), "{head:?}");
            assert_eq!(head.header("connection"), None);
        }
        let before = rig.received().len();
        client.send(call(&format!("Authorization: {end}"), SOAP_ECHO)).await;
        let (head, _) = client.response().await;
        assert_eq!((head.status(), head.header("www-authenticate")), (StatusCode::OK, done));
        // Later ones on the connection say nothing of who they are.
        client.send(call("Accept: */*", SOAP_ECHO)).await;
        assert_eq!(client.response().await.0.status(), StatusCode::OK);
        let received = rig.received();
        assert_eq!(received.len(), before + 2);
        for received in &received[before..] {
            assert!(received.body == SOAP_ECHO && received.complete);
            assert!(received.token_accepted());
        }
    }
}

#[tokio::test]
async fn only_an_allowed_request_on_a_known_route_is_challenged() {
    let routes = "routes:\n  - { path: /api, to: api/v2.0 }\n  \
                  - { path: /elsewhere, to: odata, allow_from: [192.0.2.0/24] }\n  \
                  - { path: /read, to: api/v2.0, methods: [GET] }\n";
    let rig = Plan::default().top(routes).start().await;
    let credentials = format!("NTLM {TYPE_1}");
    for (target, host, status) in [
        ("/api/customers", "evil.example", StatusCode::MISDIRECTED_REQUEST),
        ("http://evil.example/api/customers", "localhost", StatusCode::MISDIRECTED_REQUEST),
        ("/nowhere", "localhost", StatusCode::NOT_FOUND),
        ("/api/customers%zz", "localhost", StatusCode::BAD_REQUEST),
        ("/elsewhere/Customer", "localhost", StatusCode::FORBIDDEN),
        ("/api/customers", "localhost", StatusCode::UNAUTHORIZED),
    ] {
        for scheme in [credentials.clone(), format!("Negotiate {TYPE_1}")] {
            let mut client = Wire::connect(rig.address()).await;
            client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {scheme}\r\n\r\n")).await;
            let (head, _) = client.response().await;
            assert_eq!(head.status(), status, "{target} at {host}");
            let challenges = usize::from(status == StatusCode::UNAUTHORIZED);
            assert_eq!(head.all("www-authenticate").len(), challenges, "{head:?}");
        }
    }
    // A method the route does not allow: the route's own rejection, not a challenge.
    let response = rig.send(Method::DELETE, "/read/customers", &[("authorization", &credentials)], "").await;
    assert_eq!(response.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(!response.headers.contains_key("www-authenticate"));
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn a_handshake_and_raw_addresses_share_a_connection() {
    let rig = Rig::new().await;
    let mut client = Wire::connect(rig.address()).await;
    let old = |more: &str, body: &str| {
        format!(
            "POST /nav/BC140/WS/CRONUS International Ltd./Codeunit/Tools HTTP/1.1\r\nHost: erp\r\n{more}SOAPAction: \
             \"urn:microsoft-dynamics-schemas/codeunit/Tools:Echo\"\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: \
             {}\r\n\r\n{body}",
            body.len()
        )
    };
    let type_3 = STANDARD.encode(type_3());
    client.send(old(&format!("Authorization: NTLM {TYPE_1}\r\n"), "")).await;
    assert_eq!(client.response().await.0.status(), StatusCode::UNAUTHORIZED);
    client.send(old(&format!("Authorization: NTLM {type_3}\r\n"), SOAP_ECHO)).await;
    assert_eq!(client.response().await.0.status(), StatusCode::OK);
    for _ in 0..3 {
        client.send(old("", SOAP_ECHO)).await;
        assert_eq!(client.response().await.0.status(), StatusCode::OK);
    }
    assert_eq!(rig.received().iter().filter(|received| received.body == SOAP_ECHO).count(), 4);
    assert_eq!(rig.received().len(), 4);
}

#[tokio::test]
async fn credentials_that_begin_no_handshake_are_dropped() {
    let rig = Rig::new().await;
    for authorization in [
        format!("NTLM {}", STANDARD.encode(type_3())),
        "Basic dTpw".to_owned(),
        "Basic".to_owned(),
        "Digest username=\"u\", realm=\"r\"".to_owned(),
        "Negotiate YIIFSgYGKwYBBQUCoIIFPjCCBTqgDTALBgkqhkiG9xIBAgI=".to_owned(),
        "Negotiate".to_owned(),
        "Bearer of.their.own".to_owned(),
    ] {
        let response = rig.send(Method::GET, "/api/customers", &[("authorization", &authorization)], "").await;
        assert_eq!(response.status, StatusCode::OK, "{authorization}");
        assert!(!response.headers.contains_key("www-authenticate"));
    }
    let accepted: Vec<bool> = rig.received().iter().map(|received| received.token_accepted()).collect();
    assert_eq!(accepted, [true; 7]);
}

#[tokio::test]
async fn a_broken_message_ends_the_connection() {
    let rig = Rig::new().await;
    let type_2 = STANDARD.encode([b"NTLMSSP\0\x02\0\0\0".as_slice(), &[0; 44]].concat());
    let beyond = {
        let mut message = type_3();
        message[20..28].copy_from_slice(&[24, 0, 24, 0, 0xF0, 0xFF, 0xFF, 0xFF]);
        STANDARD.encode(message)
    };
    let endless = STANDARD.encode([b"NTLMSSP\0\x01\0\0\0".as_slice(), &[0; 40_000]].concat());
    for (token, reason) in [
        ("NTLM not base64 at all".to_owned(), "not base64"),
        ("NTLM TlRMTVNTUAAB".to_owned(), "is truncated"),
        ("NTLM TlRMTVNTUAADAAAA".to_owned(), "is truncated"),
        ("NTLM dGhpcyBpcyBubyBOVExN".to_owned(), "does not start with NTLMSSP"),
        (format!("Negotiate {type_2}"), "type 2"),
        (format!("NTLM {beyond}"), "out of bounds"),
        (format!("NTLM {endless}"), "longer than 16 KiB"),
    ] {
        let mut client = Wire::connect(rig.address()).await;
        client.send(call(&format!("Authorization: {token}"), SOAP_ECHO)).await;
        let (head, body) = client.response().await;
        assert_eq!((head.status(), head.header("connection")), (StatusCode::BAD_REQUEST, Some("close")), "{token}");
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains("Proxy_BrokenHandshake") && body.contains(reason), "{body}");
        client.rest().await.1.unwrap();
    }
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn a_large_body_with_the_first_step_is_read_up_to_a_bound() {
    let rig = Rig::new().await;
    let head = |length: usize, more: &str| {
        format!(
            "POST /soap/Codeunit/Tools HTTP/1.1\r\nHost: erp\r\n{more}Authorization: NTLM {TYPE_1}\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let mut client = Wire::connect(rig.address()).await;
    for _ in 0..2 {
        client.send(head(5_000_000, "Expect: 100-continue\r\n")).await;
        assert_eq!(client.bytes(25).await, b"HTTP/1.1 100 Continue\r\n\r\n");
        client.send(vec![b'x'; 5_000_000]).await;
        assert_eq!(client.response().await.0.status(), StatusCode::UNAUTHORIZED);
    }

    let mut client = Wire::connect(rig.address()).await;
    client.send(head(300 << 20, "")).await;
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..66 {
        client.send(&piece).await;
    }
    // The rest is still to come when the answer does.
    let head = client.head().await;
    assert_eq!((head.status(), head.header("connection")), (StatusCode::UNAUTHORIZED, Some("close")));
    client.finish_sending().await;
    client.rest().await.1.unwrap();
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn an_empty_soap_call_is_never_forwarded() {
    let rig = Rig::new().await;
    let chunks =
        "POST /soap/Page/Customer HTTP/1.1\r\nHost: erp\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned();
    let old =
        "POST /nav/BC140/ws/CRONUS International Ltd./page/Customer HTTP/1.1\r\nHost: erp\r\nContent-Length: 0\r\n\r\n";
    for empty in [call("Authorization: Digest username=\"u\"", ""), chunks, old.to_owned()] {
        let mut client = Wire::connect(rig.address()).await;
        client.send(&empty).await;
        let (head, body) = client.response().await;
        assert_eq!(head.status(), StatusCode::INTERNAL_SERVER_ERROR, "{empty}");
        assert!(
            String::from_utf8(body).unwrap().contains("The SOAP call has no envelope and was not forwarded"),
            "{empty}"
        );
    }
    assert!(rig.received().is_empty());
    // An OData action may be empty, and is executed once.
    let mut client = Wire::connect(rig.address()).await;
    let action = "/api/salesInvoices(5d115c9c-44e3-ea11-bb43-000d3a2feca1)/Microsoft.NAV.post";
    rig.simulator.business_central().script(
        Matcher::any().path_ending("/Microsoft.NAV.post"),
        Times::Always,
        Script::response(StatusCode::NO_CONTENT),
    );
    for (token, status) in [(TYPE_1.to_owned(), 401), (STANDARD.encode(type_3()), 204)] {
        client
            .send(format!(
                "POST {action} HTTP/1.1\r\nHost: erp\r\nAuthorization: NTLM {token}\r\nContent-Length: 0\r\n\r\n"
            ))
            .await;
        let head = client.head().await;
        assert_eq!(head.status().as_u16(), status);
    }
    assert_eq!(rig.received().len(), 1);
}

#[tokio::test]
async fn a_client_that_waits_for_its_handshake_reads_rejections_too() {
    let rig = Rig::new().await;
    let mut client = Wire::connect(rig.address()).await;
    client.send(call(&format!("Authorization: Negotiate {}", in_spnego(0xA1, &type_3())), "")).await;
    let (head, _) = client.response().await;
    assert_eq!((head.status().as_u16(), head.header("www-authenticate")), (500, Some("Negotiate oQcwBaADCgEA")));
}

#[tokio::test]
async fn each_request_of_a_kind_is_seen_in_the_log() {
    let prepared = Plan::default().top("log: { format: json }").prepare().await;
    let mut process = Process::run(&prepared.file);
    let mut client = Wire::connect(process.address().await).await;
    let type_3 = STANDARD.encode(type_3());
    for (version, authorization, credentials, outcome) in [
        ("1.1", format!("NTLM {TYPE_1}"), "ntlm", "handshake"),
        ("1.1", format!("NTLM {type_3}"), "ntlm", "complete"),
        ("1.1", "Basic dTpw".to_owned(), "basic", "complete"),
        ("1.0", "Digest a".to_owned(), "other", "complete"),
    ] {
        client
            .send(format!(
                "GET /api/customers HTTP/{version}\r\nHost: erp\r\nUser-Agent: Till \"7\"\r\nAuthorization: {authorization}\r\nConnection: \
                 keep-alive\r\n\r\n"
            ))
            .await;
        client.response().await;
        let line = process.log_line(|line| line.get("outcome").is_some()).await;
        assert_eq!(line["credentials"], credentials, "{line}");
        assert_eq!(line["outcome"], outcome, "{line}");
        assert_eq!(line["http"], version, "{line}");
        assert_eq!(line["attempts"].as_u64(), (outcome == "complete").then_some(1), "as often as it was sent: {line}");
        assert_eq!(line["user_agent"], "Till \"7\"", "{line}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_loops_is_stopped_and_costs_no_memory() {
    let prepared = Plan::default().prepare().await;
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    let request = format!("GET /api/customers HTTP/1.1\r\nHost: erp\r\nAuthorization: NTLM {TYPE_1}\r\n\r\n");
    let mut handshakes = 0;
    let mut after_a_tenth = 0;
    while handshakes < 50_000 {
        let mut client = Wire::connect(address).await;
        for _ in 0..16 {
            client.send(&request).await;
            assert_eq!(client.response().await.0.status(), StatusCode::UNAUTHORIZED);
            handshakes += 1;
        }
        client.send(&request).await;
        assert_eq!(client.response().await.0.status(), StatusCode::BAD_REQUEST);
        client.rest().await.1.unwrap();
        if handshakes % 10_000 == 0 {
            let mut other = Wire::connect(address).await;
            other.send("GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n").await;
            assert_eq!(other.response().await.0.status(), StatusCode::OK);
        }
        if handshakes == 8_000 {
            after_a_tenth = process.peak_memory();
        }
    }
    let peak = process.peak_memory();
    assert!(peak < after_a_tenth + 4 * 1024, "{after_a_tenth} KiB, then {peak} KiB");
}
