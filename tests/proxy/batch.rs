//! `$batch`: each of its requests goes through the same table as one that came alone.

use hyper::Method;
use serde_json::{Value, json};

use crate::rig::{ClientResponse, Plan, Rejection, Rig};

pub const CRONUS: &str = "CRONUS International Ltd.";
pub const OTHER: &str = "My Company";

pub async fn send(rig: &Rig, path: &str, requests: Value) -> ClientResponse {
    rig.post_json(path, &json!({"requests": requests}).to_string()).await
}

async fn responses_to(rig: &Rig, path: &str, requests: Value) -> Vec<Value> {
    let response = send(rig, path, requests).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()["responses"].as_array().unwrap().clone()
}

fn get(url: &str) -> Value {
    json!([{"id": "1", "method": "GET", "url": url}])
}

pub fn create(url: &str) -> Value {
    json!([{"id": "1", "method": "POST", "url": url, "body": {"displayName": "New"}}])
}

/// The batch as Business Central got it.
pub fn sent(rig: &Rig) -> Value {
    serde_json::from_slice(&rig.received().pop().unwrap().body).unwrap()
}

pub async fn rejection(rig: &Rig, path: &str, requests: Value) -> Rejection {
    send(rig, path, requests).await.rejection()
}

#[tokio::test]
async fn a_request_that_names_no_company_writes_into_the_routes() {
    let rig = Rig::new().await;
    let business_central = rig.simulator.business_central();
    assert_eq!(rig.simulator.settings().default_company.as_deref(), Some(OTHER));
    let host = rig.address();
    for url in [
        "customers".to_owned(),
        "/api/customers".to_owned(),
        "/api/v2.0/customers".to_owned(),
        "//api//customers".to_owned(),
        format!("http://{host}/api/customers"),
        format!("http://{host}//api/customers"),
        format!("HTTP://{}/api/customers", host.to_string().to_uppercase()),
        "/v2.0/production/api/v2.0/customers".to_owned(),
        format!("/v2.0/{}/Production/api/v2.0/customers", rig.simulator.settings().tenant_id),
        format!("{}/v2.0/Production/api/v2.0/customers", rig.simulator.base_url()),
        "https://api.businesscentral.dynamics.com/v2.0/Production/api/v2.0/customers".to_owned(),
    ] {
        let before = business_central.customers(CRONUS).unwrap();
        let responses = responses_to(&rig, "/api/$batch", create(&url)).await;
        assert_eq!(responses[0]["status"], 201, "{url}: {responses:?}");
        assert_eq!(business_central.customers(CRONUS), Some(before + 1), "{url}");
    }
    assert_eq!(business_central.customers(OTHER), Some(50));
}

#[tokio::test]
async fn what_is_sent_names_the_company_in_the_path_and_in_no_header() {
    let rig = Rig::new().await;
    let id = rig.simulator.settings().companies[0].id;
    let name = "CRONUS%20International%20Ltd.";
    for (batch, url, upstream) in [
        ("/api/$batch", "customers?$top=1&$filter=a%2Bb", format!("companies({id})/customers?$top=1&$filter=a%2Bb")),
        ("/api/$batch", "companies", format!("companies?$filter=id%20eq%20{id}")),
        ("/api/$batch", "$metadata", "$metadata".to_owned()),
        ("/api/$batch", "entityDefinitions", "entityDefinitions".to_owned()),
        ("/odata/$batch", "Customer('a#b')", format!("Company('{name}')/Customer('a%23b')")),
        ("/odata/$batch", "/odata/Customer", format!("Company('{name}')/Customer")),
        (
            "/odata/$batch",
            "Tools_Echo?company=CRONUS+International+Ltd.",
            "Tools_Echo?company=CRONUS+International+Ltd.".to_owned(),
        ),
        ("/nav/BC140/ODataV4/$batch", "Customer", format!("Company('{name}')/Customer")),
        ("/nav/BC140/ODataV4/$batch", "/nav/BC140/ODataV4/Customer?tenant=x", format!("Company('{name}')/Customer")),
        ("/nav/BC140/ODataV4/$batch", "/v2.0/Production/ODataV4/Customer", format!("Company('{name}')/Customer")),
        ("/nav/BC140/api/v2.0/$batch", "customers", format!("companies({id})/customers")),
    ] {
        let request = json!([{"id": "1", "method": "GET", "url": url, "headers": {"COMPANY": CRONUS, "Accept": "x"}}]);
        send(&rig, batch, request).await;
        let expected = json!({"requests": [{"id": "1", "method": "GET", "url": upstream, "headers": {"Accept": "x"}}]});
        assert_eq!(sent(&rig), expected, "{batch} {url}");
    }
}

#[tokio::test]
async fn a_request_to_another_company_rejects_the_whole_batch() {
    let rig = Rig::new().await;
    let other = rig.simulator.settings().companies[2].id;
    let (host, tenant) = (rig.address(), rig.simulator.settings().tenant_id);
    for url in [
        format!("companies({other})/customers"),
        format!("/api/companies({other})/customers"),
        format!("COMPANIES({other})/customers"),
        "companies(name='My%20Company')/customers".to_owned(),
        format!("/v2.0/Production/api/v2.0/companies({other})/customers"),
        format!("/v2.0/{tenant}/production/api/v2.0/companies({other})/customers"),
        format!("http://{host}/api/companies({other})/customers"),
        format!("{}/v2.0/Production/api/v2.0/companies({other})/customers", rig.simulator.base_url()),
        format!("customers?company={other}"),
        "customers?$top=1&%43ompany=My%20Company".to_owned(),
        format!("customers(1)/companies({other})/items"),
        format!("v2.0/companies({other})/customers"),
        format!("customers#/../../companies({other})/customers").replace("/../..", ""),
    ] {
        for url in [url.clone(), url.replace("companies(", "%63ompanies(")] {
            let requests = json!([create("customers")[0], {"id": "b", "method": "POST", "url": url, "body": {}}]);
            let rejection = rejection(&rig, "/api/$batch", requests).await;
            assert_eq!(
                (rejection.status, rejection.code.as_str()),
                (403, "Proxy_NotAllowed"),
                "{url}: {}",
                rejection.message
            );
            assert!(
                rejection
                    .message
                    .starts_with("Request `b` of the batch was rejected, and nothing of the batch was sent."),
                "{}",
                rejection.message
            );
            assert!(rejection.message.contains(CRONUS), "{}", rejection.message);
        }
    }
    for batch in ["/api/$batch", "/odata/$batch", "/nav/BC/ODataV4/$batch"] {
        for header in ["Company", "company", "COMPANY"] {
            let requests = json!([{"id": "1", "method": "GET", "url": "Customer", "headers": {header: OTHER}}]);
            assert_eq!(rejection(&rig, batch, requests).await.status, 403, "{batch} {header}");
        }
    }
    for url in
        ["Company('My%20Company')/Customer", "/odata/Company('My Company')/Customer", "Customer?company='My%20Company'"]
    {
        assert_eq!(rejection(&rig, "/odata/$batch", get(url)).await.status, 403, "{url}");
    }
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn an_unbound_action_in_a_batch_runs_in_the_routes_company() {
    let rig = Rig::new().await;
    let call = |method: &str, url: &str| json!([{"id": "1", "method": method, "url": url, "body": {"text": "hello"}}]);
    for (batch, url) in [
        ("/odata/$batch", "Tools_Echo"),
        ("/odata/$batch", "/odata/Tools_Echo"),
        ("/odata/$batch", "Tools_Echo?company=cronus international ltd."),
        ("/BC/ODataV4/$batch", "Tools_Echo"),
    ] {
        let responses = responses_to(&rig, batch, call("post", url)).await;
        assert_eq!(
            (responses[0]["status"].as_u64(), &responses[0]["body"]["value"]),
            (Some(200), &json!("hello")),
            "{url}"
        );
        assert_eq!(sent(&rig)["requests"][0]["url"], "Tools_Echo?company=CRONUS%20International%20Ltd.");
    }
    // Nothing of that name is an action.
    responses_to(&rig, "/odata/$batch", call("POST", "Chart_of_Accounts")).await;
    let name = "Company('CRONUS%20International%20Ltd.')";
    assert_eq!(sent(&rig)["requests"][0]["url"], format!("{name}/Chart_of_Accounts"));
    responses_to(&rig, "/odata/$batch", call("GET", "Tools_Echo")).await;
    assert_eq!(sent(&rig)["requests"][0]["url"], format!("{name}/Tools_Echo"));
}

#[tokio::test]
async fn a_request_that_climbs_or_leaves_the_service_is_rejected() {
    let rig = Rig::new().await;
    let climbs =
        ["../v2.0/customers", "customers/%2e%2e/x", "a/..%2fb", "..\\x", "$1/../x", "customers/./x", "a%0db", "a%zz"];
    let elsewhere = [
        "https://evil.example/api/customers",
        "//evil.example/api/customers",
        "/\\evil.example",
        "mailto:x",
        "/odata/Customer",
        "/v2.0/Sandbox/api/v2.0/customers",
        "/v2.0/Production/ODataV4/Customer",
        "/v2.0/Production/admin/x",
        "https://api.businesscentral.dynamics.com/admin/v2.0/x",
        "$batch",
        "/api/$batch",
        "%24BATCH",
        "customers/$batch",
    ];
    for url in climbs.into_iter().chain(elsewhere) {
        let rejection = rejection(&rig, "/api/$batch", get(url)).await;
        assert_eq!(rejection.status, 400, "{url}: {}", rejection.message);
        assert!(
            rejection.message.starts_with("Request `1` of the batch was rejected, and nothing of the batch was sent."),
            "{}",
            rejection.message
        );
    }
    assert_eq!(rejection(&rig, "/api/$batch", get("customers?tenant=x")).await.status, 403);
    assert_eq!(rejection(&rig, "/api/$batch", get("/v2.0/Production/api/v2.0/companies?tenant=x")).await.status, 403);
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn a_reference_to_an_earlier_request_passes_and_leads_nowhere_else() {
    let rig = Rig::new().await;
    let other = rig.simulator.settings().companies[2].id;
    let follow = |url: &str| {
        json!([create("customers")[0],
               {"id": "2", "method": "PATCH", "url": url, "headers": {"If-Match": "*"}, "body": {"city": "Graz"}}])
    };
    let responses = responses_to(&rig, "/api/$batch", follow("$1")).await;
    assert_eq!((responses[1]["status"].as_u64(), &responses[1]["body"]["city"]), (Some(200), &json!("Graz")));
    assert_eq!(sent(&rig)["requests"][1]["url"], "$1");
    for url in [format!("$1/companies({other})/x"), format!("$1?company={other}")] {
        assert_eq!(rejection(&rig, "/api/$batch", follow(&url)).await.status, 403, "{url}");
    }
    let list =
        |url: &str| json!([{"id": "1", "method": "GET", "url": "companies"}, {"id": "2", "method": "GET", "url": url}]);
    assert_eq!(rejection(&rig, "/api/$batch", list("$1?$filter=true")).await.status, 400);
    for response in responses_to(&rig, "/api/$batch", list("$1")).await {
        assert_eq!(response["body"]["value"].as_array().unwrap().len(), 1);
    }
    let other = format!("/api/v2.0/companies({other})/customers");
    let hooks = json!([{"id": "1", "method": "POST", "url": "subscriptions", "body": {}},
                       {"id": "2", "method": "PATCH", "url": "$1", "body": {"resource": other}}]);
    assert_eq!(rejection(&rig, "/api/$batch", hooks).await.status, 403);
}

#[tokio::test]
async fn a_method_the_route_does_not_allow_is_no_way_round_in_a_batch() {
    let rig = Plan::default().top("routes: [ { path: /api, to: api/v2.0, methods: [GET, POST] } ]").start().await;
    let part =
        |method: &str, headers: Value| json!([{"id": "1", "method": method, "url": "customers", "headers": headers}]);
    for (method, headers) in
        [("DELETE", json!({})), ("delete", json!({})), ("POST", json!({"x-HTTP-method": "delete"}))]
    {
        let rejection = rejection(&rig, "/api/$batch", part(method, headers)).await;
        assert_eq!(rejection.status, 405, "{method}");
        assert!(rejection.message.contains("does not allow DELETE"), "{}", rejection.message);
    }
    assert_eq!(responses_to(&rig, "/api/$batch", part("get", json!({}))).await[0]["status"], 200);
}

#[tokio::test]
async fn a_route_without_a_company_takes_only_requests_that_name_one() {
    let rig = Plan::default().connector("company: -").start().await;
    let other = rig.simulator.settings().companies[2].id;
    let lost = rejection(&rig, "/api/$batch", create("customers")).await;
    assert_eq!(lost.status, 400);
    assert!(lost.message.contains("The request names no company but needs one"), "{}", lost.message);
    let by_header = json!([{"id": "1", "method": "GET", "url": "customers?$top=1", "headers": {"Company": CRONUS}}]);
    for (requests, name) in [(get(&format!("companies({other})/customers")), OTHER), (by_header, CRONUS)] {
        let responses = responses_to(&rig, "/api/$batch", requests).await;
        assert_eq!(responses[0]["body"]["value"][0]["displayName"], format!("{name} customer 10000"));
    }
    let two = json!([{"id": "1", "method": "GET", "url": format!("companies({other})/customers"), "headers": {"Company": CRONUS}}]);
    assert_eq!(rejection(&rig, "/api/$batch", two).await.status, 400);
}

#[tokio::test]
async fn an_old_companys_name_is_translated_in_each_request() {
    let rig = Plan::default().connector("companies: { \"Alte Firma\": \"My Company\" }").start().await;
    let by_header =
        json!([{"id": "1", "method": "GET", "url": "Customer?$top=1", "headers": {"Company": "Alte Firma"}}]);
    let responses = responses_to(&rig, "/nav/BC/ODataV4/$batch", by_header).await;
    assert_eq!(responses[0]["body"]["value"][0]["Name"], format!("{OTHER} customer 10000"));
    for url in ["Company('Alte%20Firma')/Customer?$top=1", "Customer?$top=1&company='Alte%20Firma'"] {
        let responses = responses_to(&rig, "/nav/BC/ODataV4/$batch", get(url)).await;
        assert_eq!(responses[0]["body"]["value"][0]["Name"], format!("{OTHER} customer 10000"), "{url}");
    }
    let unmapped = rejection(&rig, "/nav/BC/ODataV4/$batch", get("Company('Alte')/Customer")).await;
    assert_eq!(unmapped.status, 403);
    assert!(unmapped.message.contains("companies: { \"Alte\""), "{}", unmapped.message);
}

#[tokio::test]
async fn every_address_in_the_responses_is_local_and_can_be_followed() {
    let rig = Rig::new().await;
    let home = format!("http://{}", rig.address());
    for (batch, list) in
        [("/api/$batch", "customers"), ("/odata/$batch", "Customer"), ("/nav/BC/ODataV4/$batch", "Customer")]
    {
        let responses = responses_to(&rig, batch, get(list)).await;
        let next = responses[0]["body"]["@odata.nextLink"].as_str().unwrap().strip_prefix(&home).unwrap();
        assert_eq!(rig.get(next).await.status, 200, "{next}");
        let again = responses_to(&rig, batch, get(next)).await;
        assert_eq!(again[0]["status"], 200, "{next}");
    }
    let created = responses_to(&rig, "/api/$batch", create("customers")).await;
    let location = created[0]["headers"]["location"].as_str().unwrap().strip_prefix(&home).unwrap().to_owned();
    assert_eq!(rig.get(&location).await.json()["displayName"], "New");
}

#[tokio::test]
async fn the_environments_own_batch_passes_untouched() {
    let rig = Plan::default().connector("company: -").top("routes: [ { path: /all, to: environment } ]").start().await;
    let body = "{ \"requests\" : [{\"id\":\"1\",\"method\":\"GET\",\"URL\":\"companies\"} ] }";
    assert_eq!(rig.post_json("/all/api/v2.0/$batch", body).await.status, 200);
    assert_eq!(rig.received().pop().unwrap().body, body);
    assert_eq!(rig.send(Method::GET, "/all/api/v2.0/companies", &[], "").await.status, 200);
}
