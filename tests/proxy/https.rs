//! Programs that are hard-wired to https: all that is true of plain HTTP is true there.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bcproxy::simulator::{Break, Framing, Latch, Matcher, Outcome, Script, Times};
use hyper::{Method, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;

use crate::process::{Process, message};
use crate::rig::{HeldClock, Plan, Rig, SECURED, SOAP_ECHO, certify};
use crate::wire::{Wire, chunked};

/// A client that believes the authority in this folder.
fn tls(folder: &Path, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("local-ca.pem")).unwrap()).unwrap();
    ClientConfig::builder_with_provider(bcproxy::tls::provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

async fn secured() -> Rig {
    Plan::default().secured().start().await
}

async fn connect(rig: &Rig) -> Wire {
    Wire::connect_tls(rig.address(), tls(rig.folder.path(), &[&TLS13])).await.unwrap()
}

#[tokio::test]
async fn a_conversation_goes_on_as_over_plain_http() {
    let rig = secured().await;
    for version in [&TLS12, &TLS13] {
        let mut client = Wire::connect_tls(rig.address(), tls(rig.folder.path(), &[version])).await.unwrap();
        let old = |more: &str, body: &str| {
            format!(
                "POST /nav/BC140/WS/CRONUS International Ltd./Codeunit/Tools HTTP/1.1\r\nHost: erp:7047\r\n{more}SOAPAction: \
                 \"urn:microsoft-dynamics-schemas/codeunit/Tools:Echo\"\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: \
                 {}\r\n\r\n{body}",
                body.len()
            )
        };
        let type_1 = "TlRMTVNTUAABAAAABoIIAAAAAAAAAAAAAAAAAAAAAAA=";
        let type_3 = STANDARD.encode([b"NTLMSSP\0\x03\0\0\0".as_slice(), &[0; 52]].concat());
        client.send(old(&format!("Authorization: NTLM {type_1}\r\n"), "")).await;
        let (head, _) = client.response().await;
        assert_eq!((head.status(), head.all("www-authenticate").len()), (StatusCode::UNAUTHORIZED, 1));
        client.send(old(&format!("Authorization: NTLM {type_3}\r\n"), SOAP_ECHO)).await;
        assert_eq!(client.response().await.0.status(), StatusCode::OK);

        let expecting = old("Expect: 100-continue\r\n", SOAP_ECHO);
        let (head, body) = expecting.split_at(expecting.len() - SOAP_ECHO.len());
        client.send(head).await;
        assert_eq!(client.bytes(25).await, b"HTTP/1.1 100 Continue\r\n\r\n");
        client.send(body).await;
        assert_eq!(client.response().await.0.status(), StatusCode::OK);

        client
            .send("POST /soap/Codeunit/Tools HTTP/1.1\r\nHost: erp\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        client.send(chunked(SOAP_ECHO.as_bytes())).await;
        assert_eq!(client.response().await.0.status(), StatusCode::OK);

        client
            .send("GET /nav/BC140/WS/CRONUS International Ltd./Page/Customer?wsdl HTTP/1.1\r\nHost: erp:7047\r\n\r\n")
            .await;
        let (_, wsdl) = client.response().await;
        let wsdl = String::from_utf8(wsdl).unwrap();
        assert!(wsdl.contains("https://erp:7047/nav/BC140/WS/"), "{wsdl}");
        client.send("GET /api/customers?$top=1 HTTP/1.0\r\n\r\n").await;
        let (head, body) = client.response().await;
        assert_eq!((head.status(), head.header("transfer-encoding")), (StatusCode::OK, None));
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains(&format!("\"https://{}/api/$metadata", rig.address())), "{body}");
        client.rest().await.1.unwrap();
    }
    let whole = rig.received().iter().filter(|received| received.body == SOAP_ECHO && received.complete).count();
    assert_eq!(whole, 2 * 3);
}

#[tokio::test]
async fn what_is_spoken_is_http_1() {
    let rig = secured().await;
    for (offered, accepted) in
        [(&["h2", "http/1.1"][..], Some("http/1.1")), (&["http/1.0"], Some("http/1.0")), (&[], None)]
    {
        let mut tls = tls(rig.folder.path(), &[&TLS12, &TLS13]);
        tls.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let socket = TcpStream::connect(rig.address()).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(tls));
        let stream = connector.connect("localhost".try_into().unwrap(), socket).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), accepted.map(str::as_bytes));
    }
    let mut tls = tls(rig.folder.path(), &[&TLS13]);
    tls.alpn_protocols = vec![b"h2".to_vec()];
    assert!(Wire::connect_tls(rig.address(), tls).await.is_err());
}

#[tokio::test]
async fn a_client_that_has_left_is_told_from_one_that_is_done_sending() {
    let post = "POST /api/customers HTTP/1.1\r\nHost: erp\r\nContent-Type: application/json\r\nContent-Length: 26\r\n\r\n\
                {\"displayName\":\"TLS Ltd.\"}";
    let rig = secured().await;
    for leave in [Wire::reset, Wire::vanish, |client: Wire| drop(client)] {
        let before = rig.received().len();
        rig.script(Times::Next(1), Script::ordinary().hold_head(&Latch::closed()));
        let mut client = connect(&rig).await;
        client.send("GET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;
        rig.wait_for(|received| received.len() > before).await;
        leave(client);
        rig.wait_for(|received| received[before].outcome == Outcome::Broken).await;
    }
    // With and without a word in TLS.
    for orderly in [true, false] {
        let latch = Latch::closed();
        let (before, held) = (rig.received().len(), Script::ordinary().hold_head(&latch));
        rig.simulator.business_central().script(Matcher::any().method(Method::POST), Times::Next(1), held);
        let mut client = connect(&rig).await;
        client.send(post).await;
        if orderly {
            client.finish_sending().await
        } else {
            client.finish_silently()
        }
        rig.wait_for(|received| received.len() > before && received[before].complete).await;
        latch.open();
        let head = client.head().await;
        assert_eq!(head.status(), StatusCode::CREATED, "orderly: {orderly}");
        client.bytes(head.header("content-length").unwrap().parse().unwrap()).await;
        client.rest().await.1.unwrap();
    }
    // A POST outlives its client.
    let latch = Latch::closed();
    let (before, held) = (rig.received().len(), Script::ordinary().hold_head(&latch));
    rig.simulator.business_central().script(Matcher::any().method(Method::POST), Times::Next(1), held);
    let mut client = connect(&rig).await;
    client.send(post).await;
    rig.wait_for(|received| received.len() > before && received[before].complete).await;
    client.reset();
    latch.open();
    rig.wait_for(|received| received[before].outcome == Outcome::Answered).await;
    assert_eq!(rig.simulator.business_central().writes(), 3);
}

#[tokio::test]
async fn a_client_that_sends_the_next_request_early_has_not_left() {
    let (rig, latch) = (secured().await, Latch::closed());
    rig.script(Times::Next(1), Script::ordinary().hold_head(&latch));
    let mut client = connect(&rig).await;
    client.send("GET /api/items?$top=1 HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    rig.wait_for(|received| !received.is_empty()).await;
    client.send("GET /api/customers?$top=1 HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    for _ in 0..3 {
        let mut other = connect(&rig).await;
        other.send("GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n").await;
        assert_eq!(other.response().await.0.status(), StatusCode::OK);
    }
    latch.open();
    for _ in 0..2 {
        assert_eq!(client.response().await.0.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_cut_response_looks_cut_and_a_whole_one_does_not() {
    let rig = secured().await;
    for framing in [Framing::ContentLength, Framing::Chunked, Framing::Close] {
        for manner in ["HTTP/1.1\r\nHost: erp", "HTTP/1.0"] {
            let latch = Latch::closed();
            let begun = Script::response(StatusCode::OK).framing(framing).send("begun").hold(&latch);
            rig.script(Times::Next(1), begun.cut());
            let mut client = connect(&rig).await;
            client.send(format!("GET /api/items {manner}\r\n\r\n")).await;
            let head = client.head().await;
            let begin =
                if head.header("transfer-encoding").is_some() { client.chunk().await } else { client.bytes(5).await };
            assert_eq!(begin, b"begun");
            latch.open();
            let (rest, end) = client.rest().await;
            assert!(rest.is_empty(), "{framing:?} {manner}: {rest:?}");
            let end = end.expect_err("no orderly end").kind();
            if manner == "HTTP/1.0" {
                assert_eq!(end, ErrorKind::ConnectionReset, "{framing:?}");
            }

            let whole = Script::response(StatusCode::OK).framing(framing).send("whole");
            rig.script(Times::Next(1), whole);
            let mut client = connect(&rig).await;
            client.send(format!("GET /api/items {manner}\r\nConnection: close\r\n\r\n")).await;
            client.head().await;
            client.rest().await.1.unwrap();
        }
    }
    rig.simulator.business_central().script(
        Matcher::any().method(Method::POST),
        Times::Always,
        Script::ordinary().break_before_response(Break::Reset),
    );
    let mut client = connect(&rig).await;
    client.send("POST /api/items HTTP/1.1\r\nHost: erp\r\nContent-Length: 2\r\n\r\n{}").await;
    assert_eq!(client.response().await.0.status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn a_client_that_does_not_begin_keeps_nobody_waiting_and_is_not_waited_for_long() {
    let rig = secured().await;
    let mut silent = TcpStream::connect(rig.address()).await.unwrap();
    let mut slow = TcpStream::connect(rig.address()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut slow, b"\x16\x03\x01").await.unwrap();
    let mut client = connect(&rig).await;
    let clock = HeldClock::new();
    client.send("GET /api/customers?$top=1 HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    assert_eq!(client.response().await.0.status(), StatusCode::OK);
    clock.advance(Duration::from_secs(10)).await;
    for waiting in [&mut silent, &mut slow] {
        let (read, end) = crate::rig::read_to_end(waiting).await;
        assert!(read.is_empty() && end.is_ok());
    }
    client.send("GET /api/customers?$top=1 HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    assert_eq!(client.response().await.0.status(), StatusCode::OK);
}

#[tokio::test]
async fn http_at_an_address_for_https_is_told_so() {
    let rig = secured().await;
    for (request, status, dialect) in [
        ("GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n".to_owned(), 400, "{\"error\""),
        ("GET / HTTP/1.0\r\n\r\n".to_owned(), 400, "{\"error\""),
        (
            format!(
                "POST /soap/Page/Customer HTTP/1.1\r\nHost: erp\r\nSOAPAction: x\r\nContent-Length: 9\r\n\r\n{SOAP_ECHO}"
            ),
            500,
            "<faultcode>",
        ),
    ] {
        let (response, end) = rig.raw(&request).await;
        end.unwrap();
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
        assert!(response.contains("Change its base address to https://") && response.contains(dialect), "{response}");
    }
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn several_listeners_lead_to_the_same_house() {
    let other = "\"[::1]:0\"";
    let rig = Plan::default().top(&format!("listen: [{SECURED}, 127.0.0.1:0, {other}]")).prepare().await;
    certify(rig.folder.path());
    let rig = rig.start().await;
    let addresses = rig.proxy.addresses();
    let [secured, v4, v6] = &addresses[..] else { panic!("{addresses:?}") };
    assert!(secured.to_string().starts_with("https://127.0.0.1:"), "{secured}");
    assert!(v6.to_string().starts_with("http://[::1]:"), "{v6}");
    let mut clients = [
        Wire::connect_tls(secured.socket, tls(rig.folder.path(), &[&TLS13])).await.unwrap(),
        Wire::connect(v4.socket).await,
        Wire::connect(v6.socket).await,
    ];
    for (client, listener) in clients.iter_mut().zip([secured, v4, v6]) {
        client.send("GET /api/customers?$top=1 HTTP/1.1\r\nHost:\r\n\r\n").await;
        let body = String::from_utf8(client.response().await.1).unwrap();
        assert!(body.contains(&format!("\"{listener}/api/$metadata")), "{body}");
    }
    assert_eq!(rig.received().len(), 3);
}

#[tokio::test]
async fn the_log_says_why_a_handshake_failed() {
    let prepared = Plan::default().secured().top("log: { format: json }").prepare().await;
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    let other = tempfile::TempDir::new().unwrap();
    certify(other.path());
    assert!(Wire::connect_tls(address, tls(other.path(), &[&TLS12])).await.is_err());
    assert!(Wire::connect_tls(address, tls(other.path(), &[&TLS13])).await.is_err());
    for _ in 0..2 {
        let line = process.log_line(|line| message(line).contains("HTTPS")).await;
        assert!(message(&line).contains("does not trust the certificate") && line["client"] == "127.0.0.1", "{line}");
    }
    // TLS 1.0, as .NET Framework 3.5 begins it; SSL 2.
    let body = [&[3, 1][..], &[7; 32], &[0, 0, 2, 0, 0x2F, 1, 0]].concat();
    let hello = [&[0x16, 3, 1, 0, body.len() as u8 + 4, 1, 0, 0, body.len() as u8][..], &body].concat();
    for begin in [&hello[..], b"\x80\x2e\x01\x03\x01"] {
        let mut client = Wire::connect(address).await;
        client.send(begin).await;
        let _ = client.rest().await;
        let line = process.log_line(|line| message(line).contains("HTTPS")).await;
        assert!(message(&line).contains("neither TLS 1.2 nor 1.3"), "{line}");
    }
    let mut client = Wire::connect(address).await;
    client.send("GET / HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    client.rest().await.1.unwrap();
    let line = process.log_line(|line| message(line).contains("HTTPS")).await;
    assert!(message(&line).contains("plain HTTP"), "{line}");
    // Whoever only looks in is no news.
    drop(Wire::connect(address).await);
    let mut client = Wire::connect_tls(address, tls(prepared.folder.path(), &[&TLS13])).await.unwrap();
    client.send("GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    client.response().await;
    let line = process.log_line(|line| line["level"] == "WARN" || line.get("outcome").is_some()).await;
    assert_eq!(line["outcome"], "complete", "{line}");
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_after_a_reload_and_nobody_is_dropped() {
    let mut rig = secured().await;
    let before = rig.address();
    let file = rig.folder.path().join("proxy.yaml");
    let old = tls(rig.folder.path(), &[&TLS13]);
    let mut client = connect(&rig).await;
    client.send("GET /api/customers?$top=1 HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    assert_eq!(client.response().await.0.status(), StatusCode::OK);

    certify(rig.folder.path());
    let config = bcproxy::config::Config::load(&file).unwrap().config;
    rig.proxy.reload(&config).await.unwrap();
    assert_eq!(rig.address(), before);
    assert!(Wire::connect_tls(before, old).await.is_err(), "the authority is another one now");
    connect(&rig).await;
    client.send("GET /api/customers?$top=1 HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    assert_eq!(client.response().await.0.status(), StatusCode::OK);

    std::fs::write(config.listen[0].tls.as_ref().unwrap().private_key.clone(), "no key").unwrap();
    assert!(rig.proxy.reload(&config).await.unwrap_err().to_string().contains("private key"));
    connect(&rig).await;
}
