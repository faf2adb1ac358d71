//! Addresses, both ways: what a client writes leads to the right place, and what it finds in an answer leads back here.

use bcproxy::simulator::{Matcher, Script, Times};
use hyper::header::{CONTENT_ENCODING, CONTENT_LOCATION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::rig::{ClientResponse, Plan, Rig, send};

/// The upstream paths of what was sent, below the environment.
fn sent(rig: &Rig) -> Vec<String> {
    let base = format!("/v2.0/{}/Production", rig.simulator.settings().tenant_id);
    let below = |target: String| target.strip_prefix(&base).unwrap().to_owned();
    rig.received()
        .into_iter()
        .map(|received| below(received.target))
        .filter(|path| !path.ends_with("$metadata"))
        .collect()
}

fn local(rig: &Rig, path: &str) -> String {
    format!("http://{}{path}", rig.address())
}

/// Follows an address that was found in an answer.
async fn follow(rig: &Rig, address: &Value) -> ClientResponse {
    let path = address.as_str().unwrap().strip_prefix(&local(rig, "")).unwrap_or_else(|| panic!("{address}"));
    rig.get(path).await
}

#[tokio::test]
async fn links_lead_back_to_the_route_they_were_found_on() {
    let rig = Rig::new().await;
    let page = rig.get("/api/customers?$select=number").await.json();
    assert_eq!(
        page["@odata.context"],
        local(&rig, "/api/$metadata#companies(824820a2-508c-ed11-aada-0000000000a1)/customers")
    );
    let next = page["@odata.nextLink"].as_str().unwrap();
    assert!(next.starts_with(&local(&rig, "/api/customers?$select=number&aid=FIN&$skiptoken=")), "{next}");
    assert_eq!(follow(&rig, &page["@odata.nextLink"]).await.json()["value"][0]["number"], "10200");

    let page = rig.get("/odata/Customer").await.json();
    let next = page["@odata.nextLink"].as_str().unwrap();
    assert!(next.starts_with(&local(&rig, "/odata/Customer?")), "{next}");
    assert_eq!(follow(&rig, &page["@odata.nextLink"]).await.json()["value"][0]["No"], "10200");

    let wsdl = rig.get("/soap/Page/Customer?wsdl").await;
    let address = format!("location=\"{}\"", local(&rig, "/soap/Page/Customer"));
    assert!(wsdl.text().contains(&address), "{}", wsdl.text());
    assert!(!wsdl.text().contains(rig.simulator.base_url()));
}

#[tokio::test]
async fn a_created_record_is_found_where_the_headers_say() {
    let rig = Rig::new().await;
    let created = rig.post_json("/api/customers", r#"{"displayName":"New"}"#).await;
    assert_eq!(created.status, StatusCode::CREATED);
    for name in ["location", "odata-entityid"] {
        let address = Value::from(created.headers[name].to_str().unwrap());
        assert_eq!(follow(&rig, &address).await.json()["displayName"], "New", "{name}");
    }
}

#[tokio::test]
async fn addresses_in_headers_and_annotations_are_local_whatever_their_form() {
    let rig = Rig::new().await;
    let (tenant, id) = (rig.simulator.settings().tenant_id, rig.simulator.settings().companies[0].id);
    let below = format!("/api/v2.0/companies({id})/items(1)?a=%2f&b=c");
    for upstream in [
        format!("{}/v2.0/{tenant}/Production{below}", rig.simulator.base_url()),
        format!("{}/v2.0/production{below}", rig.simulator.base_url().to_uppercase().replace("HTTPS", "https")),
        format!("https://api.businesscentral.dynamics.com:443/v2.0/Production{below}"),
        // From the root of the server, as HTTP allows in headers.
        format!("/v2.0/{tenant}/Production{below}"),
    ] {
        let names =
            ["context", "nextLink", "deltaLink", "id", "editLink", "readLink", "mediaReadLink", "mediaEditLink"];
        let annotations = names.iter().map(|name| (format!("@odata.{name}"), upstream.as_str().into()));
        let body = Value::Object(annotations.chain([("text".to_owned(), upstream.as_str().into())]).collect());
        let mut script = Script::response(StatusCode::OK)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .send(body.to_string());
        for name in [LOCATION, CONTENT_LOCATION, HeaderName::from_static("odata-entityid")] {
            script = script.header(name, HeaderValue::try_from(&upstream).unwrap());
        }
        rig.script(Times::Next(1), script);
        let response = rig.get("/api/items").await;
        let rewritten = local(&rig, "/api/items(1)?a=%2f&b=c");
        for name in ["location", "content-location", "odata-entityid"] {
            assert_eq!(response.headers[name], rewritten, "{name}");
        }
        let body = response.json();
        assert_eq!(body["text"], upstream);
        for name in names.iter().filter(|_| upstream.starts_with("https")) {
            assert_eq!(body[format!("@odata.{name}")], rewritten, "{name}");
        }
    }
}

#[tokio::test]
async fn the_base_is_what_the_client_used() {
    let rig = Rig::new().await;
    for host in ["erp-gw:8080", "oldserver", "[::1]:7048"] {
        let mut stream = rig.connect().await;
        let request = format!("GET /api/companies HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
        let (response, _) = crate::rig::read_to_end(&mut stream).await;
        assert!(
            response.contains(&format!("\"@odata.context\":\"http://{host}/api/$metadata#companies\"")),
            "{response}"
        );
    }
    let (response, _) = rig.raw("GET /api/companies HTTP/1.0\r\n\r\n").await;
    assert!(
        response.contains(&format!("\"@odata.context\":\"{}", local(&rig, "/api/$metadata#companies"))),
        "{response}"
    );
}

#[tokio::test]
async fn data_that_looks_like_an_address_arrives_as_it_is_stored() {
    let rig = Rig::new().await;
    let base = rig.simulator.base_url().to_owned();
    let filter = "$filter=number%20eq%20'10010'%20or%20number%20eq%20'10030'";
    let page = rig.get(&format!("/api/customers?{filter}")).await.json();
    let [one, deceptive] = page["value"].as_array().unwrap().as_slice() else { panic!("{page}") };
    assert!(one["website"].as_str().unwrap().starts_with(&format!("{base}/v2.0/")), "{one}");
    assert!(
        one["note"].as_str().unwrap().contains("https://api.businesscentral.dynamics.com/v2.0/Production/ODataV4/")
    );
    assert!(deceptive["note"].as_str().unwrap().contains(&base), "{deceptive}");

    let odata = rig.get("/odata/Customer('10010')").await.json();
    assert_eq!(odata["Home_Page"], one["website"]);
    let written = one["website"].clone();
    let path = format!("/api/customers({})", one["id"].as_str().unwrap());
    let headers = [("content-type", "application/json"), ("if-match", "*")];
    let patch = serde_json::json!({ "website": written }).to_string();
    assert_eq!(rig.send(Method::PATCH, &path, &headers, patch).await.json()["website"], one["website"]);
}

#[tokio::test]
async fn an_old_servers_addresses_work_and_come_back_in_its_spelling() {
    let plan =
        Plan::default().connector("companies: { \"CRONUS DE\": \"CRONUS International Ltd.\", Zwei: My Company }");
    let rig = plan.start().await;
    let wsdl = rig.get("/nav/DynamicsNAV100/WS/CRONUS%20DE/Page/Customer?wsdl").await.text();
    let address = format!("location=\"{}\"", local(&rig, "/nav/DynamicsNAV100/WS/CRONUS%20DE/Page/Customer"));
    assert!(wsdl.contains(&address), "{wsdl}");
    let page = rig.get("/BC140/ODataV4/Company('CRONUS%20DE')/Customer").await.json();
    let next = page["@odata.nextLink"].as_str().unwrap();
    assert!(next.starts_with(&local(&rig, "/BC140/ODataV4/Company('CRONUS%20DE')/Customer?")), "{next}");
    assert_eq!(follow(&rig, &page["@odata.nextLink"]).await.status, 200);
    assert_eq!(rig.get("/BC140/ODataV4/Company('Zwei')/Customer?tenant=default&$top=1").await.status, 200);

    let rejection = rig.get("/BC140/ODataV4/Company('Drei')/Customer").await.rejection();
    assert_eq!((rejection.status, rejection.code.as_str()), (403, "Proxy_NotAllowed"));
    assert!(rejection.message.contains("companies: { \"Drei\":"), "{}", rejection.message);
    let cronus = "Company('CRONUS%20International%20Ltd.')";
    let sent = sent(&rig);
    assert_eq!(sent[0], "/WS/CRONUS%20International%20Ltd./Page/Customer?wsdl");
    assert_eq!(sent[1], format!("/ODataV4/{cronus}/Customer"));
    assert_eq!(sent[3], "/ODataV4/Company('My%20Company')/Customer?$top=1");
    assert_eq!(sent.len(), 4);
}

#[tokio::test]
async fn an_unbound_action_runs_in_the_routes_company() {
    let rig = Rig::new().await;
    let response = rig.post_json("/odata/Tools_Echo", r#"{"text":"hello"}"#).await;
    assert_eq!(
        (response.status, &response.json()["value"]),
        (StatusCode::OK, &Value::from("hello")),
        "{}",
        response.text()
    );
    assert_eq!(sent(&rig), ["/ODataV4/Tools_Echo?company=CRONUS%20International%20Ltd."]);
}

#[tokio::test]
async fn an_address_no_route_covers_says_which_route_to_add() {
    let rig = Plan::default()
        .top("routes:\n  - { path: /all, to: environment }\n  - { path: /api, to: api/v2.0 }")
        .start()
        .await;
    let custom = rig.get("/all/api/cronus/warehouse/v1.0/companies").await.json();
    assert_eq!(custom["@odata.context"], local(&rig, "/all/api/cronus/warehouse/v1.0/$metadata#companies"));

    let rig = Plan::default().top("routes:\n  - { path: /api, to: api/v2.0 }").start().await;
    let rejection = rig.get("/unrouted/ODataV4/Company('X')/Customer").await.rejection();
    assert_eq!((rejection.status, rejection.code.as_str()), (404, "Proxy_NoRoute"));
    assert!(rejection.message.contains("{ path: /NAME, to: odata }"), "{}", rejection.message);
}

#[tokio::test]
async fn compression_is_asked_for_and_undone() {
    let rig = Rig::new().await;
    for (accept, coding) in [("gzip", None::<&str>), ("identity", None), ("none", None)] {
        let response = send(rig.address(), Method::GET, "/api/customers", &[("accept-encoding", accept)], "").await;
        assert_eq!(response.headers.get("content-encoding").map(|it| it.to_str().unwrap()), coding, "{accept}");
        assert_eq!(response.headers["content-length"], response.body.len().to_string(), "{accept}");
        assert_eq!(response.json()["value"].as_array().unwrap().len(), 20, "{accept}");
    }
    let requested: Vec<_> = rig.received().iter().map(|received| received.headers["accept-encoding"].clone()).collect();
    assert_eq!(requested, ["gzip"; 3]);
    let head = rig.send(Method::HEAD, "/api/customers", &[], "").await;
    assert!(!head.headers.contains_key("content-length") && !head.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn a_body_coded_in_a_way_nobody_asked_for_passes_untouched() {
    let rig = Rig::new().await;
    let body = r#"{"@odata.context":"not really brotli"}"#;
    let script = Script::response(StatusCode::OK)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(CONTENT_ENCODING, HeaderValue::from_static("br"))
        .send(body);
    rig.simulator.business_central().script(Matcher::any().path_ending("/customers"), Times::Always, script);
    let response = rig.get("/api/customers").await;
    assert_eq!((response.headers["content-encoding"].to_str().unwrap(), response.text().as_str()), ("br", body));
}

#[tokio::test]
async fn compression_that_breaks_off_is_no_whole_response() {
    let rig = Rig::new().await;
    let script = Script::response(StatusCode::OK)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(CONTENT_ENCODING, HeaderValue::from_static("gzip"))
        .send(&b"\x1f\x8b\x08\0\0\0\0\0\0\x03"[..]);
    rig.simulator.business_central().script(Matcher::any().path_ending("/customers"), Times::Always, script);
    let rejection = rig.get("/api/customers").await.rejection();
    assert_eq!((rejection.status, rejection.code.as_str()), (502, "Proxy_ResponseBroken"));
}

#[tokio::test]
async fn files_pass_untouched() {
    let rig = Rig::new().await;
    let items = rig.get("/api/items?$top=1").await.json();
    let id = items["value"][0]["id"].as_str().unwrap();
    let picture = rig.get(&format!("/api/items({id})/picture")).await.json();
    let link = &picture["pictureContent@odata.mediaReadLink"];
    let content = follow(&rig, link).await;
    assert_eq!(content.headers["content-type"], "image/png");
    let text = String::from_utf8_lossy(&content.body).into_owned();
    assert!(text.contains(rig.simulator.base_url()), "the file holds an address, and keeps it");
    let path = link.as_str().unwrap().strip_prefix(&local(&rig, "")).unwrap();
    let part = rig.send(Method::GET, path, &[("range", "bytes=0-7")], "").await;
    assert_eq!((part.status, part.body.len()), (StatusCode::PARTIAL_CONTENT, 8));
}
