//! The list of companies on a route that has one: that one, whatever is asked.

use bcproxy::simulator::{Matcher, Script, Times};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};

use crate::batch;
use crate::batch_bad::gzip;
use crate::rig::{ClientResponse, Plan, Rig};

const CRONUS: &str = "CRONUS International Ltd.";

async fn names(rig: &Rig, path: &str) -> Vec<String> {
    let response = rig.get(path).await;
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    let list = response.json()["value"].as_array().unwrap().clone();
    let name = |company: &serde_json::Value| company["name"].as_str().or(company["Name"].as_str()).unwrap().to_owned();
    list.iter().map(name).collect()
}

#[tokio::test]
async fn a_confined_route_lists_its_own_company_only() {
    let rig = Rig::new().await;
    let base = rig.simulator.settings().tenant_id;
    for path in [
        "/api/companies".to_owned(),
        "/api/companies?$top=5&$orderby=name".to_owned(),
        "/api/companies?$filter=name%20ne%20'x'".to_owned(),
        "/odata/Company".to_owned(),
        "/nav/BC140/ODataV4/Company".to_owned(),
        "/nav/BC140/api/v2.0/companies".to_owned(),
        format!("/nav/v2.0/{base}/Production/api/v2.0/companies"),
    ] {
        assert_eq!(names(&rig, &path).await, [CRONUS], "{path}");
    }
    assert!(names(&rig, "/api/companies?$filter=name%20eq%20'My%20Company'").await.is_empty());
    // Asking what may be done changes nothing.
    rig.send(Method::OPTIONS, "/api/companies", &[], "").await;
    assert_eq!(rig.received().pop().unwrap().method, Method::OPTIONS);
    assert_eq!(rig.get("/api/companies/$count").await.text().trim_start_matches('\u{feff}'), "1");
}

#[tokio::test]
async fn a_filter_that_would_close_ours_is_rejected() {
    let rig = Rig::new().await;
    for filter in ["true)%20or%20(true", "name%20eq%20'x", "(name%20ne%20'x'", "name%20ne%20'x')or(name%20ne%20'x'"] {
        let rejection = rig.get(&format!("/api/companies?$filter={filter}")).await.rejection();
        assert_eq!((rejection.status, rejection.code.as_str()), (400, "Proxy_BadRequest"), "{filter}");
        assert!(rejection.message.contains("parentheses or quotes"), "{}", rejection.message);
    }
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn a_route_without_a_company_lists_them_all() {
    let rig = Plan::default().connector("company: -").start().await;
    for path in ["/api/companies", "/odata/Company"] {
        assert_eq!(names(&rig, path).await.len(), 3, "{path}");
        assert!(!rig.received().pop().unwrap().target.contains('?'), "{path}");
    }
    assert_eq!(rig.send(Method::HEAD, "/api/companies", &[], "").await.status, 200);
}

const LIST: &str = r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><Companies xmlns="urn:microsoft-dynamics-schemas/nav/system/"/></s:Body></s:Envelope>"#;

/// Asks the system service which companies there are.
async fn ask(rig: &Rig, path: &str, coding: &str) -> ClientResponse {
    let headers = [
        ("content-type", "text/xml; charset=utf-8"),
        ("soapaction", "\"urn:microsoft-dynamics-schemas/nav/system/:Companies\""),
        ("accept-encoding", coding),
    ];
    rig.send(Method::POST, path, &headers, LIST).await
}

fn companies_of(response: &ClientResponse) -> Vec<String> {
    let text = response.text();
    let document = roxmltree::Document::parse(&text).unwrap();
    let names = document.descendants().filter(|node| node.has_tag_name(NAME_ELEMENT));
    names.map(|node| node.text().unwrap().to_owned()).collect()
}

const NAME_ELEMENT: (&str, &str) = ("urn:microsoft-dynamics-schemas/nav/system/", "return_value");

#[tokio::test]
async fn the_system_service_of_a_confined_route_names_its_company_only() {
    for company in [CRONUS, "Müller & Söhne's Großhandel"] {
        let rig = Plan::default().connector(&format!("company: \"{company}\"")).start().await;
        let encoded = percent_encoding::utf8_percent_encode(company, percent_encoding::NON_ALPHANUMERIC).to_string();
        let within = [format!("/soap/{encoded}/SystemService"), format!("/nav/BC140/WS/{encoded}/systemservice")];
        let paths = ["/soap/SystemService", "/nav/BC140/WS/SystemService", "/BC140/WS/SYSTEMSERVICE"];
        for path in paths.into_iter().chain(within.iter().map(String::as_str)) {
            for coding in ["identity", "gzip"] {
                let response = ask(&rig, path, coding).await;
                assert_eq!(response.status, 200, "{path}: {}", response.text());
                assert_eq!(companies_of(&response), [company], "{path}");
                assert_eq!(response.headers["content-length"], response.body.len().to_string());
                assert!(!response.headers.contains_key("content-encoding"));
            }
        }
        // What it is, everybody may know; and a fault is a fault.
        assert!(rig.get("/soap/SystemService").await.text().contains("definitions"));
        let call = LIST.replace("Companies", "Nonsense");
        let fault = rig.send(Method::POST, "/soap/SystemService", &[("content-type", "text/xml")], call).await;
        assert!(fault.status == 500 && fault.text().contains("Fault"), "{}", fault.text());
    }
    let open = Plan::default().connector("company: -").start().await;
    assert_eq!(companies_of(&ask(&open, "/soap/SystemService", "identity").await).len(), 3);
}

#[tokio::test]
async fn an_response_of_the_system_service_that_can_not_be_narrowed_is_not_passed_on() {
    let rig = Rig::new().await;
    let other = "<a>My Company</a>".to_owned();
    let large = format!("<a>{}</a>", "My Company".repeat(200_000));
    for (body, coding) in [(other.clone(), None), (large, None), (other, Some("br"))] {
        let mut script =
            Script::response(StatusCode::OK).header(CONTENT_TYPE, HeaderValue::from_static("text/xml")).send(body);
        if let Some(coding) = coding {
            script = script.header(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        rig.simulator.business_central().script(Matcher::any().path_ending("/SystemService"), Times::Next(1), script);
        let rejection = ask(&rig, "/soap/SystemService", "gzip").await.rejection();
        assert_eq!((rejection.status, rejection.code.as_str()), (502, "Proxy_ResponseBroken"));
    }
    let compressed = gzip(b"<a>My Company</a>");
    let script =
        Script::response(StatusCode::OK).header(CONTENT_ENCODING, HeaderValue::from_static("gzip")).send(compressed);
    rig.simulator.business_central().script(Matcher::any().path_ending("/SystemService"), Times::Next(1), script);
    assert_eq!(ask(&rig, "/soap/SystemService", "gzip").await.rejection().status, 502);
}

#[tokio::test]
async fn a_nav_route_with_old_names_lists_the_companies_it_leads_to_and_takes_both_names() {
    let mapped = "companies: { \"Alte Firma\": \"My Company\", Zwei: \"Müller & Söhne's Großhandel\" }";
    let leads_to = ["My Company", "Müller & Söhne's Großhandel"];
    let rig = Plan::default().connector("company: -").connector(mapped).start().await;
    let ids: Vec<_> = rig.simulator.settings().companies.iter().map(|company| company.id).collect();
    for path in
        ["/nav/BC/ODataV4/Company", "/nav/BC/api/v2.0/companies", "/nav/BC/api/v2.0/companies?$filter=name%20ne%20'x'"]
    {
        let mut listed = names(&rig, path).await;
        listed.sort();
        assert_eq!(listed, leads_to, "{path}");
    }
    let mut listed = companies_of(&ask(&rig, "/nav/BC/WS/SystemService", "gzip").await);
    listed.sort();
    assert_eq!(listed, leads_to);
    let count = rig.get("/nav/BC/api/v2.0/companies/$count").await;
    assert_eq!(count.text().trim_start_matches('\u{feff}'), "2");
    for path in [
        "/nav/BC/ODataV4/Company('Alte%20Firma')/Customer?$top=1".to_owned(),
        "/nav/BC/ODataV4/Company('My%20Company')/Customer?$top=1".to_owned(),
        format!("/nav/BC/api/v2.0/companies({})/customers?$top=1", ids[2]),
    ] {
        assert!(rig.get(&path).await.text().contains("My Company customer 10000"), "{path}");
    }
    let links = rig.get("/nav/BC/ODataV4/Company/$ref").await.json();
    for link in links["value"].as_array().unwrap() {
        let path = link["@odata.id"].as_str().unwrap().split_once(&rig.address().to_string()).unwrap().1;
        assert_eq!(rig.get(path).await.status, 200, "{path}");
    }
    let before = rig.received().len();
    for path in [
        format!("/nav/BC/api/v2.0/companies({})/customers", ids[0]),
        "/nav/BC/ODataV4/Company('CRONUS%20International%20Ltd.')/Customer".to_owned(),
        "/nav/BC/WS/CRONUS%20International%20Ltd./SystemService".to_owned(),
        "/nav/BC/ODataV4/Company?company=CRONUS%20International%20Ltd.".to_owned(),
    ] {
        let rejection = rig.get(&path).await.rejection();
        assert_eq!((rejection.status, rejection.code.as_str()), (403, "Proxy_NotAllowed"), "{path}");
        assert!(rejection.message.contains("companies: {"), "{}", rejection.message);
    }
    for (method, path) in
        [(Method::POST, "/nav/BC/api/v2.0/companies"), (Method::GET, "/nav/BC/ODataV4/Company/$value")]
    {
        assert_eq!(rig.send(method, path, &[], "").await.rejection().status, 403, "{path}");
    }
    assert_eq!(rig.get("/nav/BC/ODataV4/Customer").await.rejection().status, 400);
    assert_eq!(rig.received().len(), before);

    // With a company of its own, that one is among them.
    let rig = Plan::default().connector("companies: { \"Alte Firma\": \"My Company\" }").start().await;
    let mut listed = names(&rig, "/nav/BC/ODataV4/Company").await;
    listed.sort();
    assert_eq!(listed, [CRONUS, "My Company"]);
    assert_eq!(names(&rig, "/odata/Company").await, [CRONUS]);
    assert!(rig.get("/nav/BC/ODataV4/Customer?$top=1").await.text().contains("CRONUS International Ltd. customer"));
    // A company that is gone hides no other.
    let rig = Plan::default().connector("company: -").connector("companies: { A: My Company, B: Gone }").start().await;
    assert_eq!(names(&rig, "/nav/BC/ODataV4/Company").await, ["My Company"]);
    assert_eq!(rig.get("/nav/BC/ODataV4/Company('B')/Customer").await.rejection().status, 404);
}

#[tokio::test]
async fn the_companies_of_the_automation_api_are_kept_to_the_routes_too() {
    let routes = "routes: [ { path: /auto, to: api/microsoft/automation/v2.0 } ]";
    let rig = Plan::default().top(routes).start().await;
    let (own, other) = (rig.simulator.settings().companies[0].id, rig.simulator.settings().companies[2].id);
    for path in ["/auto/automationCompanies".to_owned(), format!("/auto/companies({own})/AutomationCompanies")] {
        rig.get(&path).await;
        let target = rig.received().pop().unwrap().target;
        assert!(
            target.to_lowercase().ends_with(&format!("/companies({own})/automationcompanies?$filter=id%20eq%20{own}")),
            "{target}"
        );
    }
    rig.send(Method::PATCH, &format!("/auto/automationCompanies({own})"), &[("if-match", "*")], "{}").await;
    assert_eq!(rig.received().len(), 3);
    for (method, path) in [
        (Method::GET, format!("/auto/automationCompanies({other})")),
        (Method::DELETE, format!("/auto/companies({own})/automationCompanies({other})")),
        (Method::POST, "/auto/automationCompanies".to_owned()),
        (Method::POST, format!("/auto/companies({own})/automationCompanies")),
        (Method::POST, "/auto/companies".to_owned()),
        (Method::GET, "/auto/companies/Microsoft.NAV.all".to_owned()),
    ] {
        let rejection =
            rig.send(method.clone(), &path, &[("content-type", "application/json")], "{}").await.rejection();
        assert_eq!((rejection.status, rejection.code.as_str()), (403, "Proxy_NotAllowed"), "{method} {path}");
        assert!(rejection.message.contains(CRONUS), "{}", rejection.message);
        let part = serde_json::json!([{"id": "1", "method": method.as_str(), "url": path.trim_start_matches("/auto/"), "body": {}}]);
        assert_eq!(batch::rejection(&rig, "/auto/$batch", part).await.status, 403, "{method} {path}");
    }
    assert_eq!(rig.received().len(), 3);
}
