//! JSON that can't be read, or not at once: what a confined route rejects, and what passes as it came.

use hyper::Method;

use crate::batch_bad::gzip;
use crate::rig::{Plan, Rig};

const JSON: (&str, &str) = ("content-type", "application/json");
const BOM: &str = "\u{feff}";

/// Bodies that can't be read, and where.
const UNREADABLE: [(&str, &str); 9] = [
    (r#"{"name":"\ud83d"}"#, "line 1 column 16"),
    ("{\"name\":\"a\tb\"}", "line 1 column"),
    ("{'name':'a'}", "line 1 column 2"),
    ("{\n\"name\": nothing}", "line 2 column"),
    (r#"{"name":"a"} {"#, "line 1 column 14"),
    (r#"{"name":"\u00e4"#, "line 1 column 15"),
    (r#"{"x@odata.bind":"customers(\ud83d)"}"#, "line 1 column"),
    (r#"{"x@odata.bind":["customers(1)", 'a']}"#, "line 1 column"),
    ("no JSON at all", "line 1 column 2"),
];

async fn open_rig() -> (Rig, String) {
    let rig = Plan::default().connector("company: -").start().await;
    let company = rig.simulator.settings().companies[0].id;
    (rig, format!("/api/companies({company})"))
}

fn deep() -> String {
    format!("{}{}", "[".repeat(200), "]".repeat(200))
}

#[tokio::test]
async fn json_that_can_not_be_read_is_rejected_with_its_position_whatever_it_holds() {
    let rig = Rig::new().await;
    let deep = deep();
    for (body, position) in UNREADABLE.into_iter().chain([(deep.as_str(), "line 1 column 128")]) {
        for path in ["/api/salesOrders", "/api/subscriptions"] {
            let rejection = rig.post_json(path, body).await.rejection();
            assert_eq!(rejection.status, 400, "{body}");
            assert!(rejection.message.contains(position), "{body}: {}", rejection.message);
        }
    }
    let rejection = rig.send(Method::POST, "/api/salesOrders", &[JSON], &b"{\"a\":\"\xe4\"}"[..]).await.rejection();
    assert_eq!(rejection.status, 400);
    assert!(rejection.message.contains("byte 7"), "{}", rejection.message);
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn what_can_not_be_read_passes_as_it_came_on_a_route_that_reaches_any_company() {
    let (rig, company) = open_rig().await;
    let deep = deep();
    let mut bodies: Vec<Vec<u8>> = UNREADABLE.iter().map(|(body, _)| body.as_bytes().to_vec()).collect();
    bodies.extend([deep.into_bytes(), b"{\"x@odata.bind\":\"\xe4\"}".to_vec(), vec![0xff, 0xfe, b'{', 0]]);
    for body in bodies {
        for set in ["salesOrders", "subscriptions"] {
            rig.send(Method::POST, &format!("{company}/{set}"), &[JSON], body.clone()).await;
            assert_eq!(rig.received().pop().unwrap().body.to_vec(), body, "{}", String::from_utf8_lossy(&body));
        }
    }
    for headers in [
        [("content-type", "application/json; charset=iso-8859-1"), ("x-a", "1")],
        [("content-type", "application/json; charset=utf-16"), ("x-a", "1")],
        [JSON, ("content-encoding", "br")],
        [JSON, ("content-encoding", "gzip")],
    ] {
        let body = r#"{"x@odata.bind":"customers(1)"}"#;
        rig.send(Method::POST, &format!("{company}/salesOrders"), &headers, body).await;
        assert_eq!(rig.received().pop().unwrap().body, body.as_bytes(), "{headers:?}");
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_skipped_by_the_check_and_sent_as_it_came() {
    let rig = Rig::new().await;
    let local = format!("http://{}/api/customers(1)", rig.address());
    let settings = rig.simulator.settings();
    let upstream = format!(
        "{}/v2.0/{}/Production/api/v2.0/companies({})/customers(1)",
        rig.simulator.base_url(),
        settings.tenant_id,
        settings.companies[0].id
    );
    for body in [r#"{"name":"a"}"#.to_owned(), format!(r#"{{"x@odata.bind":"{local}"}}"#)] {
        let body = format!("{BOM}{body}");
        rig.post_json("/api/salesOrders", &body).await;
        let received = rig.received().pop().unwrap();
        assert_eq!(String::from_utf8(received.body.to_vec()).unwrap(), body.replace(&local, &upstream));
    }
    let batch = format!(r#"{BOM}{{"requests":[{{"id":"1","method":"GET","url":"items"}}]}}"#);
    let response = rig.post_json("/api/$batch", &batch).await;
    assert_eq!(response.status, 200, "{}", response.text());
    let compressed = gzip(format!(r#"{BOM}{{"name":"a"}}"#).as_bytes());
    rig.send(Method::POST, "/api/salesOrders", &[JSON, ("content-encoding", "gzip")], compressed.clone()).await;
    assert_eq!(rig.received().pop().unwrap().body.to_vec(), compressed);
    let other = settings.companies[2].id;
    let rejection = rig.post_json("/api/salesOrders", &format!(r#"{BOM}{{"@odata.id":"companies({other})"}}"#)).await;
    assert_eq!(rejection.status, 403);
}

#[tokio::test]
async fn json_declared_in_another_charset_is_rejected_and_other_bodies_pass() {
    let rig = Rig::new().await;
    for kind in ["application/json; charset=iso-8859-1", "text/json;charset=\"windows-1252\""] {
        let rejection = rig.send(Method::POST, "/api/salesOrders", &[("content-type", kind)], "{}").await.rejection();
        assert_eq!(rejection.status, 415, "{kind}");
    }
    assert!(rig.received().is_empty());
    // A request without a body declares nothing.
    let kind = [("content-type", "application/json; charset=iso-8859-1")];
    assert_eq!(rig.send(Method::GET, "/api/items", &kind, "").await.status, 200);
    for kind in ["application/json; charset=UTF-8", "application/json; charset=us-ascii", "text/plain; charset=utf-16"]
    {
        let body = r#"{"name":"a"}"#;
        rig.send(Method::POST, "/api/salesOrders", &[("content-type", kind)], body).await;
        assert_eq!(rig.received().pop().unwrap().body, body.as_bytes(), "{kind}");
    }
    rig.post_json("/api/salesOrders(1)/Microsoft.NAV.ship", "\r\n").await;
    assert_eq!(rig.received().pop().unwrap().body, "\r\n".as_bytes());
}
