//! Addresses in a request's body: local ones reach Business Central as its own, and none leads to another company.

use hyper::Method;
use serde_json::{Value, json};

use crate::batch::{self, CRONUS};
use crate::batch_bad::gzip;
use crate::rig::{Plan, Rig};

/// What Business Central got of this body.
async fn passed(rig: &Rig, path: &str, body: &str) -> String {
    rig.post_json(path, body).await;
    let posted = rig.received().into_iter().rfind(|received| received.method == Method::POST);
    String::from_utf8(posted.unwrap().body.to_vec()).unwrap()
}

fn upstream(rig: &Rig) -> String {
    let settings = rig.simulator.settings();
    let base = rig.simulator.base_url();
    format!("{base}/v2.0/{}/Production/api/v2.0/companies({})", settings.tenant_id, settings.companies[0].id)
}

#[tokio::test]
async fn a_local_address_that_is_bound_becomes_business_centrals() {
    let rig = Rig::new().await;
    let (host, upstream) = (rig.address(), upstream(&rig));
    for local in [
        format!("http://{host}/api/customers(1)"),
        format!("http:\\/\\/{host}\\/api\\/customers(1)"),
        "/api/customers(1)".to_owned(),
        "//api//customers(1)".to_owned(),
        format!("http://{host}//api/customers(1)"),
    ] {
        let body = format!(
            r#"{{ "a@odata.bind" : "{local}", "list":[{{"@odata.id":"{local}"}}], "b@odata.bind":["{local}" , "x(2)"], "n":1.50 }}"#
        );
        assert_eq!(
            passed(&rig, "/api/salesOrders", &body).await,
            body.replace(&local, &format!("{upstream}/customers(1)"))
        );
        let received = rig.received().pop().unwrap();
        assert_eq!(received.headers["content-length"], received.body.len().to_string().as_str());
    }
}

#[tokio::test]
async fn data_that_looks_like_an_address_is_never_touched() {
    let rig = Rig::new().await;
    let host = rig.address();
    let other = rig.simulator.settings().companies[2].id;
    for body in [
        format!(
            r#"{{"website":"http://{host}/api/customers(1)","note":"\"a@odata.bind\":\"http://{host}/api/x\"", "n": 1.0 }}"#
        ),
        format!(r#"{{"@odata.context":"http://{host}/api/$metadata#x","@odata.etag":"W/\"x\""}}"#),
        format!(r#"{{"x@odata.bind":"https://elsewhere.example/customers(1)", "text":"companies({other})"}}"#),
        r#"{"x@odata.bind":"customers(1)", "y@odata.bind": null, "z@odata.bind":["$1"]}"#.to_owned(),
        format!(r#"{{"x@odata.bind":"{}/customers(1)"}}"#, upstream(&rig)),
    ] {
        assert_eq!(passed(&rig, "/api/salesOrders", &body).await, body);
    }
    let compressed = gzip(br#"{"x@odata.bind":"customers(1)"}"#);
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    rig.send(Method::POST, "/api/salesOrders", &headers, compressed.clone()).await;
    let received = rig.received().pop().unwrap();
    assert_eq!((received.body.to_vec(), &received.headers["content-encoding"]), (compressed, &"gzip".parse().unwrap()));
}

#[tokio::test]
async fn an_address_of_another_company_is_rejected_wherever_it_stands() {
    let rig = Rig::new().await;
    let other = rig.simulator.settings().companies[2].id;
    let (host, base) = (rig.address(), rig.simulator.base_url());
    for address in [
        format!("companies({other})/customers(1)"),
        format!("/api/companies({other})/customers(1)"),
        format!("http://{host}/api/companies({other})/customers(1)"),
        format!("/v2.0/Production/api/v2.0/companies({other})/customers(1)"),
        format!("{base}/v2.0/Production/api/v2.0/companies({other})/customers(1)"),
        format!("customers(1)?company={other}"),
        format!("//{}/v2.0/Production/api/v2.0/companies({other})/customers(1)", base.trim_start_matches("https://")),
        format!("https:\\\\x\\v2.0\\Production\\api\\v2.0\\companies({other})\\customers(1)"),
        format!("https://elsewhere.example/companies({other})/customers(1)"),
    ] {
        for body in [
            json!({"x@odata.bind": address}).to_string(),
            json!({"lines": [{"x@odata.bind": ["customers(1)", address]}]}).to_string(),
            json!({"@odata.id": address}).to_string(),
            json!({"x@ODATA.bind": address}).to_string().replace('@', "\\u0040"),
        ] {
            for method in [Method::POST, Method::PATCH, Method::PUT] {
                let headers = [("content-type", "application/json")];
                let rejection = rig.send(method, "/api/salesOrders(1)", &headers, body.clone()).await.rejection();
                assert_eq!((rejection.status, rejection.code.as_str()), (403, "Proxy_NotAllowed"), "{body}");
                assert!(rejection.message.contains(CRONUS), "{}", rejection.message);
            }
            let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
            let rejection =
                rig.send(Method::POST, "/api/salesOrders", &headers, gzip(body.as_bytes())).await.rejection();
            assert_eq!(rejection.status, 403, "{body}");
            let body: Value = serde_json::from_str(&body).unwrap();
            let part = json!([{"id": "1", "method": "POST", "url": "salesOrders", "body": body}]);
            assert_eq!(batch::rejection(&rig, "/api/$batch", part).await.status, 403, "{body}");
        }
    }
    let climbing = rig.post_json("/api/salesOrders", r#"{"x@odata.bind":"../../companies"}"#).await.rejection();
    assert_eq!(climbing.status, 400);
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn an_encoding_in_which_a_name_would_not_be_found_is_rejected() {
    let rig = Rig::new().await;
    let text = r#"{"x@odata.bind":"companies(1)/x"}"#;
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (kind, status) in [("application/json", 400), ("application/json; charset=\"UTF-16\"", 415)] {
        for path in ["/api/salesOrders", "/api/$batch"] {
            let response = rig.send(Method::POST, path, &[("content-type", kind)], wide.clone()).await;
            assert_eq!(response.rejection().status, status, "{kind}");
        }
    }
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn an_address_in_a_part_of_a_batch_is_turned_and_the_rest_of_the_body_stays() {
    let rig = Rig::new().await;
    let local = format!("http://{}/api/customers(1)", rig.address());
    let body = format!(r#"{{ "c@odata.bind":"{local}" , "website":"{local}", "n": 1.50 }}"#);
    let text = format!(r#"{{"requests":[{{"id":"1","method":"POST","url":"salesOrders","body":{body}}}]}}"#);
    let expected = body.replacen(&local, &format!("{}/customers(1)", upstream(&rig)), 1);
    assert!(passed(&rig, "/api/$batch", &text).await.contains(&expected));
}

#[tokio::test]
async fn a_webhook_watches_the_routes_company_and_its_receivers_address_stays() {
    let rig = Rig::new().await;
    let settings = rig.simulator.settings();
    let (own, other) = (settings.companies[0].id, settings.companies[2].id);
    let receiver = format!("http://{}/api/hook", rig.address());
    let subscription = |resource: &str| json!({"notificationUrl": receiver, "resource": resource}).to_string();
    for resource in [
        format!("/api/v2.0/companies({own})/customers"),
        format!("api/v2.0/companies({own})/customers"),
        format!("api/v2.0/customers?company={own}"),
    ] {
        let body = subscription(&resource);
        assert_eq!(passed(&rig, "/api/subscriptions", &body).await, body);
    }
    for local in [
        format!("http://{}/api/customers", rig.address()),
        format!("http:\\/\\/{}\\/api\\/companies({own})\\/customers", rig.address()),
        format!("http://{}/api/v2.0/customers", rig.address()),
        "/api/customers".to_owned(),
        "//api/customers".to_owned(),
    ] {
        let body = format!(r#"{{ "Resource" : "{local}", "notificationUrl":"{receiver}"}}"#);
        let expected = body.replace(&local, &format!("{}/customers", upstream(&rig)));
        for path in ["/api/subscriptions", "/api/subscriptions('1')"] {
            assert_eq!(passed(&rig, path, &body).await, expected);
        }
        let text = format!(r#"{{"requests":[{{"id":"1","method":"POST","url":"subscriptions","body":{body}}}]}}"#);
        assert!(passed(&rig, "/api/$batch", &text).await.contains(&expected));
    }
    let before = rig.received().len();
    for resource in [
        format!("http://{}/api/companies({other})/customers", rig.address()),
        format!("/api/companies({other})/customers"),
        format!("/api/v2.0/companies({other})/customers"),
        format!("/API/v2.0/Companies({other})/customers"),
        format!("api/v2.0/companies({own})/companies({other})/customers"),
        "/api/v2.0/customers".to_owned(),
        "/api/v2.0/companies".to_owned(),
        "/something/else".to_owned(),
        format!("https://elsewhere.example/api/v2.0/companies({own})/customers"),
    ] {
        let below = format!("/api/companies({own})/subscriptions");
        for (name, path) in
            [("resource", "/api/subscriptions"), ("Resource", "/api/subscriptions('1')"), ("resource", &below)]
        {
            let body = subscription(&resource).replace("\"resource\"", &format!("\"{name}\""));
            let rejection = rig.post_json(path, &body).await.rejection();
            assert_eq!((rejection.status, rejection.code.as_str()), (403, "Proxy_NotAllowed"), "{resource}");
            let part = json!([{"id": "1", "method": "POST", "url": "subscriptions", "body": {"resource": resource}}]);
            assert_eq!(batch::rejection(&rig, "/api/$batch", part).await.status, 403, "{resource}");
        }
    }
    assert_eq!(rig.received().len(), before);
}

#[tokio::test]
async fn a_webhooks_local_address_is_translated_on_a_route_that_reaches_any_company() {
    let rig = Plan::default().connector("company: -").start().await;
    let (host, company) = (rig.address(), rig.simulator.settings().companies[0].id);
    for local in
        [format!("http://{host}/api/companies({company})/customers"), format!("/api/companies({company})/customers")]
    {
        let body = format!(r#"{{"resource":"{local}","notificationUrl":"http://{host}/hook"}}"#);
        let expected = body.replace(&format!("\"{local}"), &format!("\"{}/customers", upstream(&rig)));
        assert_eq!(passed(&rig, "/api/subscriptions", &body).await, expected);
    }
    for resource in [format!("/api/v2.0/companies({company})/customers"), "https://elsewhere.example/x".to_owned()] {
        let body = json!({"resource": resource}).to_string();
        assert_eq!(passed(&rig, "/api/subscriptions", &body).await, body);
    }
}

#[tokio::test]
async fn an_event_is_subscribed_to_in_the_routes_company() {
    let rig = Rig::new().await;
    let (own, other) = (rig.simulator.settings().companies[0].id, rig.simulator.settings().companies[2].id);
    let (path, below) =
        ("/api/externaleventsubscriptions", format!("/api/companies({own})/externaleventsubscriptions"));
    for (path, body) in [
        (path, json!({"eventName": "x", "companyName": CRONUS})),
        (path, json!({"eventName": "x", "CompanyName": "", "companyid": own})),
        (&below, json!({"eventName": "x", "companyName": null})),
    ] {
        let body = body.to_string();
        assert_eq!(passed(&rig, path, &body).await, body);
    }
    let headers = [("content-type", "application/json"), ("if-match", "*")];
    let before = rig.received().len();
    rig.send(Method::PATCH, &format!("{path}('1')"), &headers, "{\"clientState\":\"x\"}").await;
    // It was looked at before it was changed.
    assert_eq!(rig.received().len(), before + 2);
    for body in [
        json!({"companyName": batch::OTHER}),
        json!({"COMPANYNAME": batch::OTHER}),
        json!({"companyName": CRONUS, "companyId": other}),
    ] {
        for path in [path, &format!("{path}('1')"), &below] {
            let rejection = rig.post_json(path, &body.to_string()).await.rejection();
            assert_eq!((rejection.status, rejection.code.as_str()), (403, "Proxy_NotAllowed"), "{path} {body}");
        }
        let part = json!([{"id": "1", "method": "POST", "url": "externaleventsubscriptions", "body": body}]);
        assert_eq!(batch::rejection(&rig, "/api/$batch", part).await.status, 403, "{body}");
    }
    let rejection = rig.post_json(path, r#"{"eventName":"x"}"#).await.rejection();
    assert_eq!(rejection.status, 400);
    assert!(rejection.message.contains("\"companyName\": \"CRONUS International Ltd.\""), "{}", rejection.message);
    assert_eq!(rig.received().len(), before + 2);
}

#[tokio::test]
async fn json_too_large_to_be_checked_is_rejected_on_a_confined_route_only() {
    let large = json!({"note": "x".repeat(16 << 20)}).to_string();
    let rig = Rig::new().await;
    let rejection = rig.post_json("/api/salesOrders", &large).await.rejection();
    assert_eq!((rejection.status, rejection.code.as_str()), (413, "Proxy_TooLarge"));
    assert!(rig.received().is_empty());
    let pictures = [("content-type", "image/png")];
    rig.send(Method::PATCH, "/api/items(1)/picture/pictureContent", &pictures, large.clone()).await;
    assert_eq!(rig.received().pop().unwrap().body_length, large.len() as u64);

    let open = Plan::default().connector("company: -").start().await;
    let company = open.simulator.settings().companies[0].id;
    open.post_json(&format!("/api/companies({company})/salesOrders"), &large).await;
    assert_eq!(open.received().pop().unwrap().body_length, large.len() as u64);
}
