//! Who is heard: programs that call us by a name of ours, and no web page.

use bcproxy::config::HostName;
use hyper::{Method, StatusCode};

use crate::rig::{ClientResponse, Plan, Rig, SECURED, SOAP_ECHO};
use crate::wire::Wire;

/// Each: a Host that nobody said we have, and how the answer names it.
const UNKNOWN: [(&str, &str); 6] = [
    ("evil.example", "evil.example"),
    ("evil.example:8080", "evil.example"),
    ("EVIL.Example", "evil.example"),
    ("localhost.evil.example", "localhost.evil.example"),
    ("127.0.0.1.evil.example", "127.0.0.1.evil.example"),
    ("erp.evil.example", "erp.evil.example"),
];

async fn get(rig: &Rig, headers: &[(&str, &str)]) -> ClientResponse {
    rig.send(Method::GET, "/api/customers?$top=1", headers, "").await
}

/// The status of the answer to a request with this first line and these lines of headers.
async fn status(rig: &Rig, line: &str, headers: &str) -> StatusCode {
    let mut client = Wire::connect(rig.address()).await;
    client.send(format!("{line}\r\n{headers}\r\n")).await;
    client.response().await.0.status()
}

#[tokio::test]
async fn a_name_that_is_known_is_answered_in_any_case_and_with_any_port() {
    let rig = Plan::default().top("public_url: http://Gateway.contoso.local:9000").start().await;
    let own = HostName::of_this_machine().map_or("localhost".to_owned(), |name| name.to_string());
    let short = own.split('.').next().unwrap();
    for host in [
        "localhost",
        "LOCALHOST:7047",
        "localhost.",
        "nav.localhost",
        "127.0.0.1",
        "127.0.0.1:1",
        "192.168.1.20:8080",
        "[::1]",
        "[::1]:7048",
        "[2001:db8::1]:80",
        "[fe80::1%25eth0]",
        "erp",
        "ERP:7047",
        "Erp-GW",
        "oldserver:",
        "oldserver.",
        "gateway.contoso.local",
        "GATEWAY.contoso.local:80",
        &own,
        &own.to_uppercase(),
        &format!("{short}:8080"),
    ] {
        assert_eq!(get(&rig, &[("host", host)]).await.status, 200, "{host}");
    }
    let received = rig.received();
    assert_eq!(received.len(), 21);
    assert!(received.iter().all(|received| received.headers["host"] != "erp"));
}

#[tokio::test]
async fn a_name_nobody_gave_us_is_misdirected_and_the_response_says_how_to_give_it() {
    let rig = Rig::new().await;
    for (host, named) in UNKNOWN {
        let rejection = get(&rig, &[("host", host)]).await.rejection();
        assert_eq!((rejection.status, rejection.code.as_str()), (421, "Proxy_UnknownHost"), "{host}");
        assert!(rejection.message.contains(&format!("access: {{ hosts: [{named}] }}")), "{}", rejection.message);
    }
    assert!(rig.received().is_empty());

    let hosts = "access: { hosts: [evil.example, localhost.evil.example, 127.0.0.1.evil.example, erp.evil.example] }";
    let rig = Plan::default().top(hosts).start().await;
    for (host, _) in UNKNOWN {
        assert_eq!(get(&rig, &[("host", host)]).await.status, 200, "{host}: the advice helps");
    }
}

#[tokio::test]
async fn what_is_no_name_or_more_than_one_or_none_is_a_bad_request_that_ends_the_connection() {
    let rig = Rig::new().await;
    for headers in [
        "Host: a b\r\n",
        "Host: erp:x\r\n",
        "Host: u@erp\r\n",
        "Host: [::1]x\r\n",
        "Host: http://erp\r\n",
        "Host: <script>\r\n",
        "Host: :80\r\n",
        "Host: gr\u{fc}n\r\n",
        "Host: erp\r\nHost: erp\r\n",
        "Host: erp\r\nHost: evil.example\r\n",
        "",
    ] {
        let (response, end) = rig.raw(format!("GET /api/customers HTTP/1.1\r\n{headers}\r\n")).await;
        end.unwrap();
        assert!(response.starts_with("HTTP/1.1 400 "), "{headers}: {response}");
    }
    assert!(rig.received().is_empty());
    for (version, headers) in [("1.0", ""), ("1.1", "Host:\r\n"), ("1.0", "Host: erp\r\n")] {
        let line = format!("GET /api/customers?$top=1 HTTP/{version}");
        assert_eq!(status(&rig, &line, headers).await, StatusCode::OK, "{version} {headers}");
    }
}

#[tokio::test]
async fn a_host_in_the_request_line_is_checked_like_one_in_a_header() {
    let rig = Rig::new().await;
    for (target, headers, expected) in [
        ("http://erp:7047", "Host: erp:7047\r\n", 200),
        ("http://localhost", "Host:\r\n", 200),
        ("http://localhost", "", 400),
        ("http://evil.example", "Host: erp\r\n", 421),
        ("http://evil.example", "Host:\r\n", 421),
        ("http://erp", "Host: evil.example\r\n", 421),
    ] {
        let line = format!("GET {target}/api/customers?$top=1 HTTP/1.1");
        assert_eq!(status(&rig, &line, headers).await, expected, "{target} {headers}");
    }
    assert_eq!(rig.received().len(), 2);
}

#[tokio::test]
async fn what_a_web_page_sends_is_rejected_unless_the_file_allows_it() {
    let page: [&[(&str, &str)]; 7] = [
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:8080")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")],
        &[("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")],
    ];
    let rig = Rig::new().await;
    for headers in page {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let rejection = rig.send(method, "/api/customers", headers, "").await.rejection();
            assert_eq!((rejection.status, rejection.code.as_str()), (403, "Proxy_NotAllowed"), "{headers:?}");
            assert!(rejection.message.contains("access: { browsers: allow }"), "{}", rejection.message);
        }
    }
    assert!(rig.received().is_empty());
    for site in ["none", "same-origin"] {
        assert_eq!(get(&rig, &[("sec-fetch-site", site)]).await.status, 200, "{site}");
    }

    let rig = Plan::default().top("access: { browsers: allow }").start().await;
    for headers in page {
        assert_eq!(get(&rig, headers).await.status, 200, "{headers:?}");
    }
    let rebound = [("origin", "http://evil.example"), ("host", "evil.example")];
    assert_eq!(get(&rig, &rebound).await.status, 421, "a page is allowed, a name that is not ours still isn't");
}

/// What Chromium sends to a host name over plain HTTP: of an address that was typed, and of a script without referrer.
const NAVIGATION: [(&str, &str); 3] =
    [("upgrade-insecure-requests", "1"), ("accept-language", "en-US,en;q=0.9"), CHROMIUM];
const SCRIPT: [(&str, &str); 3] = [("accept", "*/*"), ("accept-language", "en-US,en;q=0.9"), CHROMIUM];
const CHROMIUM: (&str, &str) =
    ("user-agent", "Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36");

#[tokio::test]
async fn what_a_browser_sends_to_a_plain_name_is_rejected_unless_the_file_allows_it() {
    let rig = Rig::new().await;
    let rejection = get(&rig, &SCRIPT).await.rejection();
    assert_eq!((rejection.status, rejection.code.as_str()), (403, "Proxy_NotAllowed"));
    assert!(rejection.message.contains("access: { browsers: allow }"), "{}", rejection.message);
    assert_eq!(get(&rig, &NAVIGATION).await.status, 403);
    assert!(rig.received().is_empty());
    for headers in [NAVIGATION, SCRIPT] {
        let typed = [headers.as_slice(), &[("sec-fetch-site", "none")]].concat();
        assert_eq!(get(&rig, &typed).await.status, 200, "the browser says that it was typed");
    }
    let rig = Plan::default().top("access: { browsers: allow }").start().await;
    for headers in [NAVIGATION, SCRIPT] {
        assert_eq!(get(&rig, &headers).await.status, 200);
    }
}

#[tokio::test]
async fn a_browser_reads_at_the_root_what_this_is_and_a_program_an_error() {
    let rig = Rig::new().await;
    let typed = [NAVIGATION.as_slice(), &[("sec-fetch-site", "none")]].concat();
    for (headers, status) in [(NAVIGATION.as_slice(), 403), (&typed, 404)] {
        let response = rig.send(Method::GET, "/", headers, "").await;
        assert_eq!(
            (response.status.as_u16(), &response.headers["content-type"]),
            (status, &"text/html; charset=utf-8".parse().unwrap())
        );
        assert!(response.text().contains("reverse proxy for Dynamics 365 Business Central"), "{}", response.text());
    }
    assert_eq!(rig.get("/").await.rejection().status, 404);

    let rig = Plan::default().top("routes: [ { path: /, to: api/v2.0 } ]").start().await;
    assert_eq!(rig.send(Method::GET, "/", &NAVIGATION, "").await.status, 403);
    assert!(rig.received().is_empty());
    rig.send(Method::GET, "/", &typed, "").await;
    rig.get("/").await;
    assert_eq!(rig.received().len(), 2, "a route at the root serves programs");
}

#[tokio::test]
async fn a_soap_program_reads_a_fault() {
    let rig = Rig::new().await;
    let soap = [("content-type", "text/xml; charset=utf-8"), ("soapaction", "\"x\"")];
    for (header, status) in [(("host", "evil.example"), 421), (("origin", "null"), 403)] {
        let headers = [soap[0], soap[1], header];
        let response = rig.send(Method::POST, "/soap/Codeunit/Tools", &headers, SOAP_ECHO).await;
        assert_eq!(response.headers["content-type"], "text/xml; charset=utf-8");
        assert_eq!(response.rejection().status, status, "{header:?}");
    }
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn the_names_in_a_listeners_certificate_are_known() {
    let plan = Plan::default().secured().top("access: { browsers: deny }");
    let prepared = plan.prepare().await;
    let lifetime = time::Duration::days(30);
    let names = ["secure.contoso.local", "*.nav.contoso.local", "192.0.2.7"].map(str::to_owned);
    let authority = bcproxy::tls::CertificateAuthority::new("test CA", &names, lifetime).unwrap();
    let certified = authority.issue(names.to_vec(), lifetime).unwrap();
    std::fs::write(prepared.folder.path().join("server.pem"), &certified.certificate).unwrap();
    std::fs::write(prepared.folder.path().join("server-key.pem"), certified.private_key.as_bytes()).unwrap();
    // A second door, without TLS, is called by the same names.
    let text = std::fs::read_to_string(&prepared.file).unwrap();
    std::fs::write(
        &prepared.file,
        text.replace(&format!("listen: {SECURED}"), &format!("listen: [ 127.0.0.1:0, {SECURED} ]")),
    )
    .unwrap();
    let rig = prepared.start().await;
    for (host, expected) in [
        ("Secure.contoso.local", 200),
        ("old.nav.contoso.local:8080", 200),
        ("nav.contoso.local", 421),
        ("a.b.nav.contoso.local", 421),
    ] {
        assert_eq!(get(&rig, &[("host", host)]).await.status, expected, "{host}");
    }
}
