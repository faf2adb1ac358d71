//! The rejections of bcproxy: in the form the client reads, with the step to fix, and with nothing sent.

use std::time::Duration;

use bcproxy::simulator::{Latch, Matcher, Script, Settings, Simulator, Times};
use hyper::Method;

use crate::rig::{HeldClock, Plan, Rejection, Rig, send};

fn assert_says(rejection: &Rejection, status: u16, code: &str, parts: &[&str]) {
    assert_eq!((rejection.status, rejection.code.as_str()), (status, code), "{}", rejection.message);
    for part in parts {
        assert!(rejection.message.contains(part), "{part}: {}", rejection.message);
    }
    assert!(rejection.message.ends_with('.'), "{}", rejection.message);
}

#[tokio::test]
async fn a_path_no_route_covers_is_answered_with_those_there_are() {
    let rig =
        Plan::default().top("routes: [ { path: /erp/api, to: api/v2.0 }, { path: /ws, to: soap } ]").start().await;
    for path in ["/", "/erp", "/erp/apis/customers", "/ERP/api/customers", "/wsx"] {
        let rejection = rig.get(path).await.rejection();
        assert_says(&rejection, 404, "Proxy_NoRoute", &["/erp/api", "/ws", "base address", "proxy.yaml"]);
        let soap = rig.call_soap(path).await;
        assert_eq!((soap.status.as_u16(), soap.rejection()), (500, rejection), "{path}");
    }
    assert!(rig.simulator.received().is_empty());
}

#[tokio::test]
async fn a_path_no_route_covers_is_answered_with_the_one_that_is_meant() {
    let default_routes = Rig::new().await;
    for (path, meant) in [
        ("/customers", Some("Try /api/customers. ")),
        ("/customers('10000')/contacts", Some("Try /api/customers('10000')/contacts. ")),
        ("/Customer", Some("Try /odata/Customer. ")),
        ("/Page/Customer", Some("Try /soap/Page/Customer. ")),
        ("/CRONUS/Codeunit/Tools", Some("Try /soap/CRONUS/Codeunit/Tools. ")),
        ("/API/customers", Some("Try /api/customers. ")),
        ("/sopa/Page/Customer", Some("Try /soap/Page/Customer. ")),
        ("/", None),
        ("/BC140/V5/Company/Customer", None),
    ] {
        let rejection = default_routes.get(path).await.rejection();
        let routes = "The routes are: /, /api, /nav, /odata, /soap. ";
        assert_says(&rejection, 404, "Proxy_NoRoute", &[meant.unwrap_or_default(), routes]);
        assert_eq!(rejection.message.contains("Try "), meant.is_some(), "{}", rejection.message);
    }
    let long = "/customers".repeat(30);
    let rejection = default_routes.get(&long).await.rejection();
    assert!(rejection.status == 404 && !rejection.message.contains("/customers"), "{}", rejection.message);

    // Which of two routes of one kind is meant can't be told, but a misspelled one can.
    let many: String = (0..30).map(|number| format!("\n  - {{ path: /n{number:02}/api, to: api/v2.0 }}")).collect();
    let rig = Plan::default().top(&format!("routes:{many}")).start().await;
    let rejection = rig.get("/customers").await.rejection();
    assert_says(&rejection, 404, "Proxy_NoRoute", &["/n00/api, ", "/n19/api, …. "]);
    assert!(!rejection.message.contains("Try "), "{}", rejection.message);
    let rejection = rig.get("/n07/Api/customers").await.rejection();
    assert_says(&rejection, 404, "Proxy_NoRoute", &["Try /n07/api/customers. "]);
}

#[tokio::test]
async fn a_client_from_elsewhere_is_told_which_key_would_let_it_in() {
    let plan = Plan::default().top(
        "routes:
  - { path: /far, to: api/v2.0, allow_from: [10.0.0.0/8] }
  - { path: /far-soap, to: soap, allow_from: [10.0.0.0/8] }
  - { path: /near, to: api/v2.0 }",
    );
    let rig = plan.start().await;
    let named = ["`/far`", "127.0.0.1", "`allow_from`"];
    let forwarded = [("x-forwarded-for", "10.1.2.3"), ("forwarded", "for=10.1.2.3")];
    let rejection = rig.send(Method::GET, "/far/customers", &forwarded, "").await.rejection();
    assert_says(&rejection, 403, "Proxy_NotAllowed", &named);
    let soap = rig.call_soap("/far-soap/Codeunit/Tools").await.rejection();
    assert_says(&soap, 403, "Proxy_NotAllowed", &["`/far-soap`", "`allow_from`"]);
    assert!(rig.simulator.received().is_empty());
    assert_eq!(rig.get("/near/customers").await.status, 200);
}

#[tokio::test]
async fn a_method_that_is_not_allowed_is_rejected_hidden_or_not() {
    let plan = Plan::default().top("routes: [ { path: /api, to: api/v2.0, methods: [GET, POST] } ]");
    let rig = plan.start().await;
    let hidden = |name| [(name, "DELETE")];
    for (method, headers) in [
        (Method::DELETE, None),
        (Method::PATCH, None),
        (Method::POST, Some(hidden("x-http-method"))),
        (Method::POST, Some(hidden("x-http-method-override"))),
        (Method::POST, Some([("x-method-override", "delete")])),
    ] {
        let headers = headers.as_ref().map_or(&[][..], |headers| headers);
        let response = rig.send(method, "/api/customers", headers, "").await;
        assert_says(&response.rejection(), 405, "Proxy_MethodNotAllowed", &["`/api`", "GET, POST", "`methods`"]);
        assert_eq!(response.headers["allow"], "GET, POST");
    }
    assert!(rig.simulator.received().is_empty());

    let routes = "routes: [ { path: /api, to: api/v2.0, methods: [GET] } ]";
    let rig = Plan::default().top(routes).start().await;
    for name in ["X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override"] {
        for name in [name, &name.to_uppercase(), &name.replace('-', "_"), &name.replacen('-', "_", 1)] {
            for headers in [
                &[(name, "delete")][..],
                &[(name, "GET"), (name, "DELETE")],
                &[("x-http-method", "GET"), (name, "PUT")],
            ] {
                let rejection = rig.send(Method::GET, "/api/customers", headers, "").await.rejection();
                assert_eq!(rejection.status, 405, "{headers:?}");
            }
        }
    }
    assert!(rig.simulator.received().is_empty());

    let trace = Rig::new().await.send(Method::TRACE, "/api/customers", &[], "").await;
    assert_eq!(trace.rejection().status, 405);
    assert_eq!(trace.headers["allow"], "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
}

#[tokio::test]
async fn a_method_that_business_central_does_not_know_is_not_implemented() {
    let rig = Rig::new().await;
    for method in ["TRACK", "CONNECTION", "PROPFIND", "get", "Post", "XYZZY"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        for path in ["/api/customers", "/soap/Page/Customer", "/nav/BC140/WS/SystemService", "/nowhere"] {
            let rejection = rig.send(method.clone(), path, &[], "").await.rejection();
            assert_says(&rejection, 501, "Proxy_NotImplemented", &["method", "GET, HEAD"]);
        }
    }
    for hidden in ["TRACK", "", "DELETE, GET", "DELETE;a"] {
        let headers = [("x-http-method", "GET"), ("x-http-method-override", hidden)];
        let rejection = rig.send(Method::POST, "/api/customers", &headers, "").await.rejection();
        assert_says(&rejection, 501, "Proxy_NotImplemented", &["x-http-method-override"]);
    }
    assert!(rig.simulator.received().is_empty());
}

#[tokio::test]
async fn a_path_that_could_climb_or_cheat_is_rejected_before_anything_is_sent() {
    let rig = Rig::new().await;
    for path in [
        "/api/../admin",
        "/api/customers/..",
        "/api/./customers",
        "/api/%2e%2e/admin",
        "/api/%2E./admin",
        "/api/..%2Fadmin",
        "/api/..%5cadmin",
        "/odata/Company('x/../y')/Customer",
        "/api/customers%00",
        "/api/customers%0d%0aX: y",
        "/api/customers%7f",
        "/api/%",
        "/api/100%",
        "/api/%zz",
        "/api/%u0041",
    ] {
        let path = path.replace(' ', "%20");
        let rejection = rig.get(&path).await.rejection();
        assert_says(&rejection, 400, "Proxy_BadRequest", &["path"]);
    }
    let rejection = rig.call_soap("/soap/../Codeunit/Tools").await.rejection();
    assert_eq!(rejection.status, 400, "{}", rejection.message);
    for raw in ["GET /api/a\u{1}b HTTP/1.1\r\n", "GET /api/a\u{7f}b HTTP/1.1\r\n", "GET /api/a\0b HTTP/1.1\r\n"] {
        let (response, _) = rig.raw(format!("{raw}Host: x\r\nConnection: close\r\n\r\n")).await;
        assert!(response.starts_with("HTTP/1.1 400 "), "{raw:?}: {response}");
    }
    assert!(rig.simulator.received().is_empty());
}

#[tokio::test]
async fn an_address_of_no_soap_service_says_how_one_goes_on() {
    let rig = Rig::new().await;
    for path in ["/soap", "/soap/", "/soap/Customer", "/soap/Table/Customer"] {
        let response = rig.call_soap(path).await;
        assert_eq!(response.status, 500);
        assert_says(&response.rejection(), 404, "Proxy_NoRoute", &["/Page/", "/Codeunit/", "/SystemService"]);
    }
    assert!(rig.simulator.received().is_empty());
}

#[tokio::test]
async fn a_request_that_is_framed_twice_or_meant_for_two_hosts_is_never_passed_on_like_that() {
    let rig = Rig::new().await;
    let two_hosts = "GET /api/customers HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n";
    let (response, _) = rig.raw(two_hosts).await;
    assert!(response.starts_with("HTTP/1.1 400 ") && response.contains("more than one Host header"), "{response}");

    for two_lengths in
        ["Content-Length: 1\r\nContent-Length: 2", "Content-Length: 1, 2", "Transfer-Encoding: chunked, x"]
    {
        let request =
            format!("POST /api/customers HTTP/1.1\r\nHost: erp\r\n{two_lengths}\r\nConnection: close\r\n\r\nab");
        let (response, _) = rig.raw(request).await;
        assert!(response.starts_with("HTTP/1.1 400 "), "{two_lengths}: {response}");
    }
    assert!(rig.simulator.received().is_empty());

    let (chunked, length) = ("Transfer-Encoding: chunked", "Content-Length: 100");
    for framing in [format!("{chunked}\r\n{length}"), format!("{length}\r\n{chunked}")] {
        let request = format!(
            "POST /api/customers HTTP/1.1\r\nHost: erp\r\nContent-Type: application/json\r\n{framing}\r\n\r\n\
             2\r\n{{}}\r\n0\r\n\r\nGET /api/smuggled HTTP/1.1\r\nHost: erp\r\n\r\n"
        );
        let (response, _) = rig.raw(request).await;
        assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
        assert_eq!(response.matches("HTTP/1.1 ").count(), 1, "{response}");
    }
    assert!(rig.simulator.received().is_empty());
}

#[tokio::test]
async fn an_address_no_server_ever_had_is_named() {
    let rig = Rig::new().await;
    for path in ["/nav/BC/Foo/CRONUS", "/anything", "/"] {
        assert_says(
            &rig.get(path).await.rejection(),
            404,
            "Proxy_NoRoute",
            &["/{instance}/WS/", "/{instance}/ODataV4/"],
        );
        let soap = rig.call_soap(path).await;
        assert_eq!((soap.status.as_u16(), soap.rejection().status), (500, 404));
    }
    let old = rig.get("/nav/NAV/OData/Company('CRONUS%20International%20Ltd.')/Customer").await.rejection();
    assert_says(
        &old,
        501,
        "Proxy_NotImplemented",
        &["OData V3", "/NAV/ODataV4/Company('CRONUS%20International%20Ltd.')/Customer"],
    );
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_is_named_with_the_step_that_fails() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let stranger = Simulator::start(Settings::default()).await.unwrap();
    for (base_url, step, named) in [
        (format!("https://{address}"), "connection_refused", ["nothing listens there", "`base_url`"]),
        (stranger.base_url().to_owned(), "tls_certificate_error", ["certificate is not trusted", "`ca_file`"]),
    ] {
        let rig = Plan::default().connector(&format!("base_url: {base_url}")).start().await;
        // The first needs the company and fails at its look-up, the second needs none.
        for path in ["/api/customers", "/api/$metadata"] {
            let response = rig.get(path).await;
            assert_says(&response.rejection(), 502, "Proxy_Unreachable", &named);
            assert_eq!(response.headers["proxy-status"], format!("bcproxy; error={step}"), "{path}");
        }
        for path in ["/soap/Codeunit/Tools", "/soap/SystemService"] {
            assert_says(&rig.call_soap(path).await.rejection(), 502, "Proxy_Unreachable", &named);
        }
    }
    assert!(stranger.received().is_empty());
}

#[tokio::test]
async fn an_upstream_that_hangs_up_at_once_gives_a_bad_gateway() {
    let rig = Rig::new().await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    rig.simulator.close_connections().await;
    rig.simulator.business_central().reject_connections(Times::Always);
    let response = rig.post_json("/api/customers", r#"{"displayName":"x"}"#).await;
    assert_eq!(response.rejection().status, 502, "{}", response.text());
    rig.simulator.business_central().reject_connections(Times::Next(0));
    assert_eq!(rig.get("/api/customers").await.status, 200);
    assert_eq!(rig.simulator.business_central().writes(), 0);
}

#[tokio::test]
async fn an_response_that_does_not_come_is_given_up_after_the_routes_time() {
    let clock = HeldClock::new();
    let plan = Plan::default().connector("timeouts: { head: 20s }").top(
        "routes:
  - { path: /api, to: api/v2.0 }
  - { path: /soap, to: soap, timeouts: { head: 5s } }",
    );
    let rig = plan.start().await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    let (latch, address) = (Latch::closed(), rig.address());
    rig.simulator.business_central().script(Matcher::any(), Times::Always, Script::ordinary().hold_head(&latch));
    for (path, seconds, soap) in [("/api/customers", 20, false), ("/soap/SystemService", 5, true)] {
        let before = rig.received().len();
        let response = tokio::spawn(send(address, Method::GET, path, &[], ""));
        rig.wait_for(|received| received.len() > before && received[before].complete).await;
        clock.advance(Duration::from_secs(seconds - 1)).await;
        assert!(!response.is_finished());
        clock.advance(Duration::from_secs(1)).await;
        let response = response.await.unwrap();
        let named = [&*format!("within {seconds} s"), "check before repeating it"];
        assert_says(&response.rejection(), 504, "Proxy_ResponseTimeout", &named);
        assert_eq!(response.status.as_u16(), if soap { 500 } else { 504 });
        assert_eq!(response.headers["proxy-status"], "bcproxy; error=http_response_timeout");
    }
}

#[tokio::test]
async fn an_error_to_a_head_request_has_no_body() {
    let rig = Rig::new().await;
    let head = format!("HEAD /api/../x HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", rig.address());
    let (response, end) = rig.raw(head).await;
    assert!(response.starts_with("HTTP/1.1 400 ") && response.ends_with("\r\n\r\n") && end.is_ok(), "{response}");
    assert_eq!(response.matches("\r\n\r\n").count(), 1, "{response}");
    assert!(response.contains("X-Request-Id: "), "{response}");
}

#[tokio::test]
async fn every_response_has_a_request_id_of_its_own() {
    let rig = Rig::new().await;
    let mut ids = std::collections::BTreeSet::new();
    for path in ["/api/customers", "/api/nothing", "/api/..", "/soap/x", "/nav"] {
        ids.insert(rig.get(path).await.headers["x-request-id"].to_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 5);
}
