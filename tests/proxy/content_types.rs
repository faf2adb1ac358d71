//! Whether a body is inspected does not depend on a `Content-Type` that Business Central may read otherwise.

use hyper::Method;

use crate::rig::{Plan, Rig};

#[tokio::test]
async fn a_content_type_that_can_be_read_in_two_ways_is_rejected_before_anything_is_sent() {
    let rig = Rig::new().await;
    let body = r#"{"x@odata.bind":"companies(1)/customers(1)"}"#;
    let post = async |rig: &Rig, path: &str, kinds: &[&[u8]]| {
        let mut request =
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len()).into_bytes();
        for kind in kinds {
            request.extend([b"Content-Type: ", *kind, b"\r\n"].concat());
        }
        request.extend_from_slice(format!("Connection: close\r\n\r\n{body}").as_bytes());
        let (response, _) = rig.raw(request).await;
        response.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    let ambiguous: [&[&[u8]]; 8] = [
        &[b"application/json; x=\xe4"],
        &[b"application/json\xa0"],
        &[b"\xa0application/json"],
        &[b"text/plain, application/json"],
        &[b"text/plain", b"application/json"],
        &[b"application/json", b"text/plain"],
        &[b"application/json charset=utf-8"],
        &[b"*/*"],
    ];
    for kinds in ambiguous {
        for path in ["/api/salesOrders", "/odata/Customer", "/api/subscriptions", "/nav/BC/api/v2.0/salesOrders"] {
            assert_eq!(post(&rig, path, kinds).await, "415", "{path} {}", kinds.concat().escape_ascii());
        }
    }
    assert!(rig.received().is_empty());

    let open = Plan::default().connector("company: -").start().await;
    let company = open.simulator.settings().companies[0].id;
    for (rig, path) in [
        (&rig, "/api/items(1)/picture/pictureContent".to_owned()),
        (&rig, "/soap/Page/Customer".to_owned()),
        (&open, format!("/api/companies({company})/salesOrders")),
    ] {
        for kind in [&b"text/xml; charset=\"utf-8\" ; x=\xe4"[..], b"application/json\xa0", b"image/png, a/b"] {
            post(rig, &path, &[kind]).await;
            let received = rig.received().pop().unwrap_or_else(|| panic!("{path}"));
            assert_eq!((received.method, received.headers["content-type"].as_bytes()), (Method::POST, kind), "{path}");
        }
    }
}
