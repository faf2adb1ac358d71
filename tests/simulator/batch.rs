//! `$batch`: several requests in one.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::{Method, StatusCode};
use reqwest::Response;
use serde_json::{Value, json};

use crate::World;

async fn batch(world: &World, headers: &[(&str, &str)], requests: Value) -> Vec<Value> {
    let url = format!("{}/api/v2.0/$batch", world.root());
    let response = world.send(Method::POST, &url, headers, &json!({"requests": requests})).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["odata-version"], "4.0");
    response.json::<Value>().await.unwrap()["responses"].as_array().unwrap().clone()
}

fn statuses(responses: &[Value]) -> Vec<u64> {
    responses.iter().map(|response| response["status"].as_u64().unwrap()).collect()
}

fn post(id: &str, url: &str, name: &str) -> Value {
    json!({"id": id, "method": "POST", "url": url, "headers": {"Content-Type": "application/json"},
           "body": {"displayName": name}})
}

fn get(id: &str, url: &str) -> Value {
    json!({"id": id, "method": "GET", "url": url})
}

#[tokio::test]
async fn urls_may_be_relative_to_service_or_server_or_absolute() {
    let world = World::new().await;
    let absolute = world.customers();
    let from_root = absolute.strip_prefix(world.simulator.base_url()).unwrap();
    let relative = absolute.split_once("/api/v2.0/").unwrap().1;
    let responses = batch(
        &world,
        &[],
        json!([
            get("a", &format!("{relative}?$top=1")),
            get("b", &format!("{from_root}?$top=1")),
            get("c", &format!("{absolute}?$top=1")),
            get("d", &format!("{relative}/$count")),
            {"ID": "e", "Method": "get", "URL": "companies", "Headers": {"Accept": "application/json"}},
        ]),
    )
    .await;
    assert_eq!(statuses(&responses), [200; 5]);
    for response in &responses[..3] {
        assert_eq!(
            response["headers"]["content-type"],
            "application/json; odata.metadata=minimal; odata.streaming=true"
        );
        assert_eq!(response["headers"]["odata-version"], "4.0");
        let context = format!("{}/api/v2.0/$metadata#{relative}", world.root());
        assert_eq!(response["body"]["@odata.context"], context);
        assert!(response["body"]["@odata.nextLink"].is_null());
    }
    assert_eq!(responses[3]["body"], "50");
    assert_eq!(responses[4]["body"]["value"].as_array().unwrap().len(), 3);
    for elsewhere in [
        "https://api.businesscentral.dynamics.com/v2.0/Production/api/v2.0/companies",
        "//localhost/v2.0/Production/api/v2.0/companies",
        &format!("{}v2.0/Production/api/v2.0/companies", world.simulator.base_url()),
        "/v2.0/Sandbox/api/v2.0/companies",
        "/v2.0/contoso.com/Production/api/v2.0/companies",
        "/v2.0/Production/ODataV4/Company",
        "../../../Sandbox/api/v2.0/companies",
        "/companies",
        "$batch",
    ] {
        let responses = batch(&world, &[], json!([get("1", elsewhere)])).await;
        assert!(responses[0]["status"].as_u64().unwrap() >= 400, "{elsewhere}");
    }
}

#[tokio::test]
async fn a_request_without_a_company_writes_to_the_default_company() {
    let world = World::new().await;
    let business_central = world.simulator.business_central();
    let named = json!({"id": "2", "method": "POST", "url": "customers", "body": {"displayName": "Named"},
                       "headers": {"company": "Müller & Söhne's Großhandel", "CONTENT-TYPE": "application/json"}});
    let first = world.customers().split_once("/api/v2.0/").unwrap().1.to_owned();
    let responses =
        batch(&world, &[], json!([post("1", "customers", "Lost"), named, post("3", &first, "Addressed")])).await;
    assert_eq!(statuses(&responses), [201; 3]);
    for company in &world.simulator.settings().companies {
        assert_eq!(business_central.customers(&company.name), Some(51), "{}", company.name);
    }
    let headers = &responses[2]["headers"];
    let location = headers["location"].as_str().unwrap();
    assert!(location.starts_with(&world.customers()), "{location}");
    assert_eq!(headers["odata-entityid"], location);
    assert_eq!(headers["etag"], responses[2]["body"]["@odata.etag"]);
    assert_eq!(world.get_json(location).await["displayName"], "Addressed");
}

#[tokio::test]
async fn a_failure_ends_the_batch_unless_the_client_prefers_to_continue() {
    let world = World::new().await;
    let set = world.customers();
    let requests = json!([
        post("1", &set, "One"),
        {"id": "2", "method": "POST", "url": set, "body": {"colour": "red"}, "atomicityGroup": "g"},
        {"id": "3", "method": "GET", "url": set, "dependsOn": ["g"]},
        {"id": "4", "method": "PATCH", "url": "$1", "headers": {"If-Match": "*"}, "body": {"city": "Graz"}, "dependsOn": ["1"]},
    ]);
    assert_eq!(statuses(&batch(&world, &[], requests.clone()).await), [201, 400]);
    let continues = [("prefer", "odata.continue-on-error")];
    let responses = batch(&world, &continues, requests.clone()).await;
    assert_eq!(statuses(&responses), [201, 400, 424, 200]);
    assert_eq!(responses[3]["body"]["city"], "Graz");
    assert_eq!(responses[3]["body"]["displayName"], "One");
    let writes = world.simulator.business_central().writes();
    assert_eq!(statuses(&batch(&world, &[("isolation", "snapshot")], requests).await), [201, 400]);
    assert_eq!(world.simulator.business_central().writes(), writes);
    assert_eq!(world.simulator.business_central().customers("CRONUS International Ltd."), Some(52));
}

#[tokio::test]
async fn batches_may_be_compressed_and_malformed_ones_are_rejected() {
    let world = World::new().await;
    let url = format!("{}/ODataV4/$batch", world.root());
    let token = world.token().await;
    let send = async |content_type: &str, encoding: &str, body: Vec<u8>| -> Response {
        let request = world.client.post(&url).bearer_auth(&token).header("content-type", content_type);
        request.header("content-encoding", encoding).body(body).send().await.unwrap()
    };
    let gzip = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let request = json!({"requests": [get("1", "Company('My%20Company')/Customer('10000')")]}).to_string();
    let response: Value = send("application/json", "gzip", gzip(&request)).await.json().await.unwrap();
    assert_eq!(response["responses"][0]["body"]["No"], "10000");

    let many: Vec<Value> = (0..101).map(|id| get(&id.to_string(), "Company")).collect();
    let many = json!({"requests": many}).to_string();
    let same = json!({"requests": [get("1", "Company"), get("1", "Company")]}).to_string();
    let mut cut = gzip(&request);
    cut.truncate(cut.len() - 5);
    for (content_type, encoding, body, status) in [
        ("application/json", "identity", many.into_bytes(), 400),
        ("application/json", "identity", same.into_bytes(), 400),
        ("application/json", "identity", b"{\"requests\":[".to_vec(), 400),
        ("application/json", "gzip", cut, 400),
        ("application/json", "gzip", gzip(&" ".repeat((16 << 20) + 1)), 413),
        ("application/json", "br", request.clone().into_bytes(), 415),
        ("multipart/mixed; boundary=b", "identity", request.clone().into_bytes(), 415),
    ] {
        assert_eq!(send(content_type, encoding, body).await.status(), status, "{content_type} {encoding}");
    }
    assert_eq!(world.get(&url).await.status(), StatusCode::METHOD_NOT_ALLOWED);
}
