//! The company a request belongs to: looked up once, written in every surface's way, never left, never missing.

use std::time::Duration;

use bcproxy::simulator::{Latch, Matcher, Received, Script, Simulator, Times};
use hyper::header::{CONTENT_ENCODING, HeaderValue};
use hyper::{Method, StatusCode};

use crate::batch_bad::gzip;
use crate::rig::{HeldClock, Plan, Rig, at_once, begin_soap_call, read_to_end, within};

const CRONUS: &str = "CRONUS International Ltd.";
const UMLAUTS: &str = "Müller & Söhne's Großhandel";

fn look_ups(rig: &Rig) -> usize {
    let look_up =
        |received: &Received| received.target.ends_with("/api/v2.0/companies") && !received.headers.contains_key("via");
    rig.simulator.received().into_iter().filter(look_up).count()
}

#[tokio::test]
async fn a_hundred_first_requests_look_the_company_up_once() {
    let _clock = HeldClock::new();
    let latch = Latch::closed();
    let hold = Script::ordinary().hold_head(&latch);
    let companies = Matcher::any().path_ending("/companies");
    let plan = Plan::default();
    let rig = plan.start_after(|simulator| simulator.business_central().script(companies, Times::Always, hold)).await;
    let address = rig.address();
    let clients = at_once(100, move |_| begin_soap_call(address)).await;
    within(rig.simulator.wait_for(|received| !received.is_empty())).await;
    latch.open();
    for mut client in clients {
        let (response, end) = read_to_end(&mut client).await;
        assert!(response.starts_with("HTTP/1.1 200 ") && end.is_ok(), "{response}");
    }
    assert_eq!(rig.get("/api/customers").await.status, 200);
    assert_eq!(look_ups(&rig), 1);
}

#[tokio::test]
async fn a_company_that_does_not_exist_is_answered_with_those_that_do() {
    let rig = Plan::default().connector("company: Cronus").start().await;
    let rejection = rig.get("/api/customers").await.rejection();
    assert_eq!((rejection.status, rejection.code.as_str()), (404, "Proxy_UnknownCompany"));
    assert!(rejection.message.starts_with("There is no company `Cronus`"), "{}", rejection.message);
    for company in &rig.simulator.settings().companies {
        assert!(rejection.message.contains(&format!("`{}` ({})", company.name, company.id)), "{}", rejection.message);
    }
    assert_eq!(rig.get("/odata/Customer").await.rejection(), rejection);
    assert_eq!(rig.call_soap("/soap/Codeunit/Tools").await.rejection(), rejection);
    assert!(rig.received().is_empty());
    assert_eq!(look_ups(&rig), 1, "the list is believed for a while");
}

#[tokio::test]
async fn a_company_that_is_created_later_is_found_without_a_restart() {
    let clock = HeldClock::new();
    let rig = Plan::default().connector("company: Cronus").start().await;
    assert_eq!(rig.get("/api/$metadata").await.status, 200);
    for path in ["/api/customers", "/api/companies"] {
        assert_eq!(rig.get(path).await.rejection().status, 404, "{path}");
    }
    let id = rig.simulator.settings().companies[0].id;
    let list = format!(r#"{{"value":[{{"id":"{id}","name":"Cronus"}}]}}"#);
    let companies = Matcher::any().path_ending("/companies");
    rig.simulator.business_central().script(companies, Times::Always, Script::response(StatusCode::OK).send(list));
    clock.advance(Duration::from_secs(31)).await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
}

#[tokio::test]
async fn a_list_may_be_compressed_and_begin_with_a_byte_order_mark() {
    let companies = Matcher::any().path_ending("/companies");
    let list = "\u{feff}{\"value\":[{\"id\":\"824820a2-508c-ed11-aada-0000000000a1\",\"name\":\"Cronus\"}]}";
    let compressed = Script::response(StatusCode::OK).header(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    for script in [Script::response(StatusCode::OK).send(list), compressed.send(gzip(list.as_bytes()))] {
        let plan = Plan::default().connector("company: Acme");
        let rig = plan
            .start_after(|simulator| simulator.business_central().script(companies.clone(), Times::Always, script))
            .await;
        let rejection = rig.get("/api/customers").await.rejection();
        assert!(rejection.message.contains("this environment has: `Cronus`"), "{}", rejection.message);
    }
}

#[tokio::test]
async fn a_company_is_found_by_id_by_name_in_any_case_and_by_what_its_documents_say() {
    for written in [
        "824820a2-508c-ed11-aada-0000000000a2",
        "824820A2-508C-ED11-AADA-0000000000A2",
        UMLAUTS,
        "MÜLLER & SÖHNE'S GROßHANDEL",
        "Müller & Söhne GmbH & Co. KG",
    ] {
        let rig = Plan::default().connector(&format!("company: {written}")).start().await;
        for (path, field) in [("/api/customers?$top=1", "displayName"), ("/odata/Customer?$top=1", "Name")] {
            let response = rig.get(path).await;
            assert_eq!(response.json()["value"][0][field], format!("{UMLAUTS} customer 10000"), "{written}: {path}");
        }
    }
}

#[tokio::test]
async fn a_name_with_umlauts_apostrophe_and_ampersand_works_on_every_surface_whether_the_client_names_it_or_not() {
    let rig = Plan::default().connector(&format!("company: {UMLAUTS}")).start().await;
    let id = rig.simulator.settings().companies[1].id;
    let encoded = "M%C3%BCller%20%26%20S%C3%B6hne%27s%20Gro%C3%9Fhandel";
    let doubled = encoded.replace("%27", "%27%27");
    let base = format!("/v2.0/{}/Production", rig.simulator.settings().tenant_id);
    for (local, upstream) in [
        ("/api/customers".to_owned(), format!("/api/v2.0/companies({id})/customers")),
        (format!("/api/companies({id})/customers"), format!("/api/v2.0/companies({id})/customers")),
        ("/odata/Customer".to_owned(), format!("/ODataV4/Company('{doubled}')/Customer")),
        (format!("/odata/Company('{doubled}')/Customer"), format!("/ODataV4/Company('{doubled}')/Customer")),
        (
            format!("/odata/Company('{}')/Customer", doubled.replace("%27", "'").replace("%26", "&")),
            format!("/ODataV4/Company('{doubled}')/Customer"),
        ),
    ] {
        let response = rig.get(&local).await;
        let value = &response.json()["value"][0];
        let name = if local.starts_with("/api") { &value["displayName"] } else { &value["Name"] };
        assert_eq!(*name, format!("{UMLAUTS} customer 10000"), "{local}");
        assert_eq!(rig.received().pop().unwrap().target, format!("{base}{upstream}"), "{local}");
    }
    for local in ["/soap/Codeunit/Tools".to_owned(), format!("/soap/{encoded}/Codeunit/Tools")] {
        let response = rig.call_soap(&local).await;
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(rig.received().pop().unwrap().target, format!("{base}/WS/{encoded}/Codeunit/Tools"), "{local}");
    }
}

#[tokio::test]
async fn a_route_has_its_own_company_and_environment() {
    let plan = Plan::default().connector("environment: Sandbox").top(
        "routes:
  - { path: /mine, to: api/v2.0, environment: Production, company: My Company }
  - { path: /cronus, to: api/v2.0, environment: production }
  - { path: /sandbox, to: api/v2.0 }",
    );
    let rig = plan.start().await;
    let mine = rig.get("/mine/customers?$top=1").await;
    assert_eq!(mine.json()["value"][0]["displayName"], "My Company customer 10000");
    let cronus = rig.get("/cronus/customers?$top=1").await;
    assert_eq!(cronus.json()["value"][0]["displayName"], format!("{CRONUS} customer 10000"));
    assert_eq!(rig.get("/sandbox/$metadata").await.status, 404);
    assert!(rig.received().pop().unwrap().target.contains("/Sandbox/"));
    assert_eq!(look_ups(&rig), 1, "an environment's name may be written in any case");
}

#[tokio::test]
async fn an_environment_that_does_not_exist_is_named() {
    let rig = Plan::default().connector("environment: Prodcution").start().await;
    let rejection = rig.get("/api/customers").await.rejection();
    assert_eq!((rejection.status, rejection.code.as_str()), (502, "Proxy_UnknownEnvironment"));
    for part in ["`Prodcution`", "compare `environment`", "admin center"] {
        assert!(rejection.message.contains(part), "{}", rejection.message);
    }
    assert_eq!(rig.call_soap("/soap/Codeunit/Tools").await.rejection(), rejection);
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn nothing_that_needs_a_company_is_sent_without_one() {
    let rig = Plan::default().connector("company: -").start().await;
    for path in ["/api/customers", "/api/customers?company=", "/odata/Customer", "/api/v2.0/customers"] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let rejection = rig.send(method, path, &[], "").await.rejection();
            assert_eq!((rejection.status, rejection.code.as_str()), (400, "Proxy_BadRequest"), "{path}");
            assert!(rejection.message.contains("set `company`"), "{}", rejection.message);
        }
    }
    for path in ["/soap/Codeunit/Tools", "/soap/Services", "/soap/Page/Customer?company=My%20Company"] {
        let rejection = rig.call_soap(path).await.rejection();
        assert_eq!((rejection.status, rejection.code.as_str()), (400, "Proxy_BadRequest"), "{path}");
    }
    assert!(rig.simulator.received().is_empty());

    for path in [
        format!("/api/companies({})/customers", rig.simulator.settings().companies[2].id),
        "/api/customers?company=My%20Company".to_owned(),
        "/odata/Company('My%20Company')/Customer".to_owned(),
        "/api/companies".to_owned(),
        "/soap/SystemService".to_owned(),
    ] {
        assert_eq!(rig.get(&path).await.status, 200, "{path}");
    }
    assert_eq!(look_ups(&rig), 0, "the client names the company, so there is nothing to look up");
}

#[tokio::test]
async fn a_route_with_a_company_cannot_be_led_into_another_one() {
    let rig = Rig::new().await;
    let other = rig.simulator.settings().companies[2].id;
    let header = [("company", "My Company")];
    for (path, headers) in [
        (format!("/api/companies({other})/customers"), &[][..]),
        (format!("/api/companies%28{other}%29/customers"), &[]),
        (format!("/api/v2.0/COMPANIES({other})/customers"), &[]),
        ("/api/companies(name='My%20Company')/customers".to_owned(), &[]),
        ("/api/customers?company=My%20Company".to_owned(), &[]),
        (format!("/api/customers?Company={other}"), &[]),
        ("/api/customers?%63ompany=My+Company".to_owned(), &[]),
        ("/api/customers".to_owned(), &header),
        ("/odata/Company('My%20Company')/Customer".to_owned(), &[]),
        (format!("/odata/Company(Id={other})/Customer"), &[]),
        ("/odata/Customer?company='My%20Company'".to_owned(), &[]),
        ("/odata/Customer".to_owned(), &header),
        ("/soap/My%20Company/Codeunit/Tools".to_owned(), &[]),
        ("/soap/Codeunit/Tools?company=My%20Company".to_owned(), &[]),
        ("/soap/Codeunit/Tools".to_owned(), &header),
    ] {
        for method in [Method::GET, Method::POST] {
            let rejection = rig.send(method, &path, headers, "x").await.rejection();
            assert_eq!((rejection.status, rejection.code.as_str()), (403, "Proxy_NotAllowed"), "{path} {headers:?}");
            assert!(rejection.message.contains(&format!("`{CRONUS}`")), "{path}: {}", rejection.message);
        }
    }
    assert!(rig.received().is_empty());
}

/// What passes: it is over when the question is asked again.
fn passing_faults() -> [Script; 5] {
    [
        Script::busy(StatusCode::TOO_MANY_REQUESTS, Some(1)),
        Script::response(StatusCode::BAD_GATEWAY),
        Script::busy(StatusCode::SERVICE_UNAVAILABLE, None),
        Script::response(StatusCode::GATEWAY_TIMEOUT),
        Script::response(StatusCode::OK).send("{").cut(),
    ]
}

#[tokio::test]
async fn a_look_up_that_fails_once_is_repeated_for_the_client() {
    let companies = Matcher::any().path_ending("/companies");
    for fault in passing_faults() {
        for method in [Method::GET, Method::POST] {
            let plan = Plan::default();
            let rig = plan.prepare().await;
            rig.simulator.business_central().script(companies.clone(), Times::Next(1), fault.clone());
            let rig = rig.start().await;
            let body = if method == Method::POST { r#"{"displayName":"A"}"# } else { "" };
            let response =
                rig.send(method.clone(), "/api/customers", &[("content-type", "application/json")], body).await;
            assert!(response.status.is_success(), "{method}: {}", response.text());
            assert_eq!(look_ups(&rig), 2);
        }
    }
}

#[tokio::test]
async fn a_look_up_of_a_subscription_or_of_actions_that_fails_once_is_repeated() {
    for fault in passing_faults() {
        let rig = Rig::new().await;
        assert_eq!(rig.get("/api/customers?$top=1").await.status, 200);
        let bc = rig.simulator.business_central();
        bc.script(Matcher::any().path_containing("/subscriptions("), Times::Next(1), fault.clone());
        let response = rig.send(Method::DELETE, "/api/subscriptions('none')", &[("if-match", "*")], "").await;
        assert_eq!(response.status, 404, "as Business Central answers: {}", response.text());
        bc.script(Matcher::any().path_ending("/$metadata"), Times::Next(1), fault);
        let response = rig.post_json("/odata/Tools_Echo", r#"{"text":"hello"}"#).await;
        assert_eq!(response.status, 200, "{}", response.text());
        let is_metadata = |received: &&Received| received.target.ends_with("/$metadata");
        assert_eq!(rig.simulator.received().iter().filter(is_metadata).count(), 2);
    }
}

#[tokio::test]
async fn a_look_up_that_keeps_failing_is_told_and_made_again() {
    let companies = || Matcher::any().path_ending("/companies");
    let busy = Script::busy(StatusCode::SERVICE_UNAVAILABLE, None);
    let plan = Plan::default();
    let rig = plan.start_after(|simulator| simulator.business_central().script(companies(), Times::Always, busy)).await;
    let rejection = rig.get("/api/customers").await.rejection();
    assert_eq!(rejection.status, 502);
    let message = rejection.message;
    assert!(message.contains("503 Service Unavailable when asked for its companies"), "{message}");
    rig.simulator.business_central().clear_scripts();
    within(async { while rig.get("/api/customers").await.status != 200 {} }).await;

    let reject = |simulator: &Simulator| simulator.business_central().reject_connections(Times::Always);
    let rig = Plan::default().start_after(reject).await;
    let rejection = rig.get("/api/customers").await.rejection();
    assert_eq!((rejection.status, rejection.code.as_str()), (502, "Proxy_Unreachable"));
    rig.simulator.business_central().reject_connections(Times::Next(0));
    within(async { while rig.get("/api/customers").await.status != 200 {} }).await;
}

#[tokio::test]
async fn a_look_up_waits_for_a_permit_and_its_wait_is_part_of_the_requests() {
    let companies = Matcher::any().path_ending("/companies");
    let busy = Script::busy(StatusCode::TOO_MANY_REQUESTS, Some(60));
    let plan = Plan::default().connector("limits: { wait: 30s }");
    let rig = plan.start_after(|simulator| simulator.business_central().script(companies, Times::Next(1), busy)).await;
    let response = rig.get("/api/customers").await;
    assert_eq!(response.rejection().status, 429, "not after 30 s: {}", response.text());
    assert!((58..=60).contains(&response.retry_after()), "{}", response.retry_after());
}
