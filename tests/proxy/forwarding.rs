//! A plain request in, a Business Central answer out.

use bcproxy::simulator::{Script, Times};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

use crate::rig::{Plan, Rig, SOAP_ECHO};

#[tokio::test]
async fn each_surface_is_answered_with_data_of_the_routes_company() {
    let rig = Rig::new().await;
    let api = rig.get("/api/customers?$top=2").await;
    assert_eq!(api.status, 200);
    assert_eq!(api.json()["value"][0]["displayName"], "CRONUS International Ltd. customer 10000");

    let odata = rig.get("/odata/Customer?$top=1").await;
    assert_eq!(odata.json()["value"][0]["Name"], "CRONUS International Ltd. customer 10000");

    let soap = rig.get("/soap/SystemService").await;
    assert_eq!(soap.status, 200);

    let targets: Vec<String> = rig.received().into_iter().map(|received| received.target).collect();
    let base = format!("/v2.0/{}/Production", rig.simulator.settings().tenant_id);
    let company = rig.simulator.settings().companies[0].id;
    assert_eq!(
        targets,
        [
            format!("{base}/api/v2.0/companies({company})/customers?$top=2"),
            format!("{base}/ODataV4/Company('CRONUS%20International%20Ltd.')/Customer?$top=1"),
            format!("{base}/WS/SystemService"),
        ]
    );
}

#[tokio::test]
async fn what_belongs_to_the_client_never_reaches_business_central_and_the_other_way_round() {
    let rig = Rig::new().await;
    let headers = [
        ("authorization", "Basic aGFuczpnZWhlaW0="),
        ("cookie", "session=1"),
        ("x-forwarded-for", "203.0.113.9"),
        ("forwarded", "for=203.0.113.9"),
        ("proxy-authorization", "Basic eDp5"),
        ("connection", "keep-alive, Upgrade, HTTP2-Settings, x-hop"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABk"),
        ("x-hop", "1"),
        ("x-original-url", "/admin"),
        ("x-rewrite-url", "/admin"),
        ("x-host", "evil.example"),
        ("x-real-ip", "203.0.113.9"),
        ("true-client-ip", "203.0.113.9"),
        ("x_forwarded_for", "203.0.113.9"),
        ("content_length", "5"),
        ("accept-language", "de-DE"),
    ];
    let response = rig.send(Method::GET, "/api/customers", &headers, "").await;
    assert_eq!(response.status, 200);
    for dropped in ["set-cookie", "www-authenticate"] {
        assert!(!response.headers.contains_key(dropped), "{dropped}");
    }
    let received = &rig.received()[0];
    assert!(received.headers["authorization"].to_str().unwrap().starts_with("Bearer "));
    assert_eq!(received.headers["accept-language"], "de-DE");
    assert_eq!(received.headers["client-request-id"], response.headers["x-request-id"]);
    assert!(rig.simulator.base_url().ends_with(received.headers["host"].to_str().unwrap()));
    for dropped in [
        "cookie",
        "x-forwarded-for",
        "forwarded",
        "proxy-authorization",
        "connection",
        "upgrade",
        "http2-settings",
        "x-hop",
        "x-original-url",
        "x-rewrite-url",
        "x-host",
        "x-real-ip",
        "true-client-ip",
        "x_forwarded_for",
        "content_length",
    ] {
        assert!(!received.headers.contains_key(dropped), "{dropped}");
    }
}

#[tokio::test]
async fn what_programs_and_business_central_tell_each_other_in_headers_passes_both_ways() {
    let rig = Rig::new().await;
    let told = [
        ("etag", "W/\"JzQ0O==\""),
        ("preference-applied", "odata.maxpagesize=5"),
        ("odata-version", "4.0"),
        ("content-language", "de-DE"),
        ("retry-after", "7"),
        ("ms-correlation-x", "b5c9"),
        ("last-modified", "Wed, 25 Nov 2026 10:00:00 GMT"),
        ("content-disposition", "attachment; filename=\"a.pdf\""),
    ];
    let script = told.iter().fold(Script::response(StatusCode::OK), |script, (name, value)| {
        script.header(HeaderName::from_static(name), HeaderValue::from_static(value))
    });
    rig.script(Times::Always, script);
    let asked = [
        ("prefer", "return=minimal, odata.maxpagesize=5"),
        ("if-match", "W/\"JzQ0O==\""),
        ("if-none-match", "*"),
        ("isolation", "snapshot"),
        ("odata-isolation", "snapshot"),
        ("data-access-intent", "ReadOnly"),
        ("accept-language", "de-AT, de;q=0.5"),
        ("accept", "application/json;odata.metadata=none"),
        ("odata-maxversion", "4.0"),
        ("user-agent", "Old/1.0"),
        ("return-client-request-id", "true"),
        ("client-request-id", "mine"),
        ("range", "bytes=0-9"),
    ];
    let response = rig.send(Method::GET, "/api/items", &asked, "").await;
    for (name, value) in told {
        assert_eq!(response.headers[name], value, "{name}");
    }
    let received = rig.received().pop().unwrap();
    for (name, value) in asked {
        assert_eq!(received.headers[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_route_may_set_a_header_that_clients_cannot_send() {
    let routes = "routes: [ { path: /api, to: api/v2.0, headers: { request: { set: { X_Partner: ours, X-Real-IP: 10.0.0.1 } } } } ]";
    let rig = Plan::default().top(routes).start().await;
    let headers = [("x_partner", "theirs"), ("x-real-ip", "203.0.113.9")];
    assert_eq!(rig.send(Method::GET, "/api/customers", &headers, "").await.status, 200);
    let received = &rig.received()[0];
    assert_eq!(
        (&received.headers["x_partner"], &received.headers["x-real-ip"]),
        (&HeaderValue::from_static("ours"), &HeaderValue::from_static("10.0.0.1"))
    );
}

#[tokio::test]
async fn a_header_that_names_another_method_is_sent_only_with_a_post_to_odata() {
    let rig = Rig::new().await;
    let soap = [("content-type", "text/xml; charset=utf-8"), ("soapaction", "\"x\"")];
    for (method, path, body, is_sent) in [
        (Method::GET, "/api/customers", "", false),
        (Method::POST, "/soap/Codeunit/Tools", SOAP_ECHO, false),
        (Method::POST, "/api/items", "", true),
        (Method::POST, "/nav/BC140/ODataV4/Company('CRONUS%20International%20Ltd.')/items", "", true),
    ] {
        for name in ["x-http-method", "x-http-method-override", "x-method-override"] {
            let kind = if body.is_empty() { &[][..] } else { &soap };
            rig.send(method.clone(), path, &[kind, &[(name, "PATCH")]].concat(), body).await;
            assert_eq!(rig.received().pop().unwrap().headers.contains_key(name), is_sent, "{method} {path} {name}");
        }
    }
}
