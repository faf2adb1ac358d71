//! A plain request in, a Business Central answer out.

use bcproxy::simulator::{Script, Times};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

use crate::rig::Rig;

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
