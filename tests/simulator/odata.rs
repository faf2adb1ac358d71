//! The API and the OData V4 web services over one database.

use std::collections::BTreeSet;

use bcproxy::simulator::Settings;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::World;

#[tokio::test]
async fn urls_lead_to_a_resource_or_give_the_right_error() {
    let world = World::new().await;
    let root = world.root();
    let id = world.simulator.settings().companies[1].id;
    let name = "M%C3%BCller%20%26%20S%C3%B6hne%27%27s%20Gro%C3%9Fhandel";
    for (path, status, code) in [
        ("/api/v2.0", 200, ""),
        ("/api/v2.0/companies", 200, ""),
        (&format!("/api/v2.0/companies({id})/items?$top=1"), 200, ""),
        (&format!("/api/v2.0/vendors?company={id}"), 200, ""),
        ("/api/v2.0/companies(00000000-0000-0000-0000-000000000000)/items", 404, "Internal_CompanyNotFound"),
        (&format!("/api/v2.0/companies({id})/unknown"), 404, "BadRequest_ResourceNotFound"),
        (&format!("/api/v2.0/companies({id})/items(x)"), 404, "BadRequest_NotFound"),
        (&format!("/api/v2.0/companies({id})/items?$filter=x"), 400, "BadRequest"),
        (&format!("/api/cronus/warehouse/v1.0/companies({id})/bins"), 200, ""),
        ("/ODataV4", 200, ""),
        ("/ODataV4/Company", 200, ""),
        (&format!("/ODataV4/Company('{name}')/Customer('10000')"), 200, ""),
        (&format!("/ODataV4/Company(Id={id})/Customers"), 200, ""),
        (&format!("/ODataV4/Item?company='{name}'"), 200, ""),
        ("/ODataV4/Company('m%C3%BCller')/Customer", 404, "Internal_CompanyNotFound"),
        ("/WS/Services", 200, ""),
        ("/elsewhere", 404, "BadRequest_ResourceNotFound"),
    ] {
        let response = world.get(&format!("{root}{path}")).await;
        assert_eq!(response.status(), status, "{path}");
        if status != 200 {
            assert_eq!(response.json::<Value>().await.unwrap()["error"]["code"], code, "{path}");
        }
    }
    let elsewhere = root.replace("/Production", "/Sandbox") + "/api/v2.0/companies";
    let response = world.get(&elsewhere).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let expected = json!({"error": {"code": "NoEnvironment", "message": "Environment does not exist."}});
    assert_eq!(response.json::<Value>().await.unwrap(), expected);
    let without_tenant = format!("{}/v2.0/production/api/v2.0/companies", world.simulator.base_url());
    let companies = world.get_json(&without_tenant).await;
    let context = format!("{}/v2.0/production/api/v2.0/$metadata#companies", world.simulator.base_url());
    assert_eq!(companies["@odata.context"], context);
    assert_eq!(companies["value"][1]["name"], "Müller & Söhne's Großhandel");
}

#[tokio::test]
async fn a_request_without_a_company_uses_the_default_one() {
    let world = World::new().await;
    let url = format!("{}/api/v2.0/customers", world.root());
    let request = world.client.post(&url).bearer_auth(world.token().await).json(&json!({"displayName": "Lost"}));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(world.simulator.business_central().customers("My Company"), Some(51));

    let strict = World::with(Settings { default_company: None, ..Settings::default() }).await;
    let response = strict.get(&format!("{}/api/v2.0/customers", strict.root())).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.json::<Value>().await.unwrap()["error"]["code"], "Internal_CompanyNotFound");
}

#[tokio::test]
async fn paging_returns_every_customer_once() {
    let world = World::new().await;
    let odata = format!("{}/ODataV4/Company('CRONUS%20International%20Ltd.')/Customers", world.root());
    for (start, number, expected, pages) in [
        (world.customers(), "number", 50, 3),
        (format!("{}?$top=45&$skip=1&$select=number", world.customers()), "number", 45, 3),
        (format!("{}?$orderby=city%20desc,number&$filter=balance%20ge%20125", world.customers()), "number", 40, 2),
        (odata, "No", 50, 3),
    ] {
        let (mut seen, mut visited) = (BTreeSet::new(), 0);
        let mut next = Some(start.clone());
        while let Some(url) = next {
            let page = world.get_json(&url).await;
            for customer in page["value"].as_array().unwrap() {
                assert!(seen.insert(customer[number].as_str().unwrap().to_owned()));
            }
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
            if let Some(link) = &next {
                assert!(link.contains("aid=FIN&$skiptoken="), "{link}");
                assert!(link.starts_with(&world.root()), "{link}");
            }
            visited += 1;
        }
        assert_eq!((seen.len(), visited), (expected, pages), "{start}");
    }
    let token = world.token().await;
    let request = world.client.get(world.customers()).bearer_auth(token).header("prefer", "odata.maxpagesize=100");
    let page: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(page["value"].as_array().unwrap().len(), 50);
    let counted = world.get_json(&format!("{}?$count=true&$top=1", world.customers())).await;
    assert_eq!((&counted["@odata.count"], &counted["@odata.nextLink"]), (&json!(50), &Value::Null));
}

#[tokio::test]
async fn writes_require_a_current_etag() {
    let world = World::new().await;
    let token = world.token().await;
    let send = |method: Method, url: &str, tag: Option<&str>, body: Value| {
        let mut request = world.client.request(method, url).bearer_auth(&token).json(&body);
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        async { request.send().await.unwrap() }
    };
    let customer = json!({"displayName": "Ødegård & Co", "website": "https://x.example"});
    let created = send(Method::POST, &world.customers(), None, customer).await;
    assert_eq!(created.status(), StatusCode::CREATED);
    let location = created.headers()["location"].to_str().unwrap().to_owned();
    let created: Value = created.json().await.unwrap();
    let (etag, number) = (created["@odata.etag"].as_str().unwrap(), created["number"].as_str().unwrap());
    assert!(etag.starts_with("W/\"JzQ0O"), "{etag}");
    assert_eq!(world.get_json(&location).await["displayName"], "Ødegård & Co");

    let change = json!({"city": "Oslo"});
    for (tag, status) in [
        (None, StatusCode::PRECONDITION_FAILED),
        (Some("nonsense"), StatusCode::PRECONDITION_FAILED),
        (Some("W/\"JzQ0O29sZCc=\""), StatusCode::CONFLICT),
        (Some(etag), StatusCode::OK),
        (Some(etag), StatusCode::CONFLICT),
        (Some("*"), StatusCode::OK),
    ] {
        assert_eq!(send(Method::PATCH, &location, tag, change.clone()).await.status(), status, "{tag:?}");
    }
    for (body, status) in [
        (json!({"colour": "red"}), StatusCode::BAD_REQUEST),
        (json!({"city": 7}), StatusCode::BAD_REQUEST),
        (json!({"balance": 7}), StatusCode::BAD_REQUEST),
        (json!({"number": "10000"}), StatusCode::BAD_REQUEST),
        (json!({"city": "x".repeat(31)}), StatusCode::BAD_REQUEST),
        (json!([]), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(send(Method::PATCH, &location, Some("*"), body.clone()).await.status(), status, "{body}");
    }
    let plain =
        world.client.post(world.customers()).bearer_auth(&token).header("content-type", "text/plain").body("{}");
    assert_eq!(plain.send().await.unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(send(Method::PUT, &location, None, json!({})).await.status(), StatusCode::METHOD_NOT_ALLOWED);

    let same = format!("{}/ODataV4/Company('CRONUS%20International%20Ltd.')/Customer('{number}')", world.root());
    assert_eq!(world.get_json(&same).await["City"], "Oslo");
    for (tag, status) in [
        (None, StatusCode::PRECONDITION_FAILED),
        (Some(etag), StatusCode::CONFLICT),
        (Some("*"), StatusCode::NO_CONTENT),
    ] {
        assert_eq!(send(Method::DELETE, &same, tag, json!({})).await.status(), status, "{tag:?}");
    }
    assert_eq!(world.get(&location).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(world.simulator.business_central().writes(), 4);
}

#[tokio::test]
async fn data_may_contain_urls_and_awkward_names() {
    let world = World::new().await;
    for company in &world.simulator.settings().companies {
        let url = format!("{}/api/v2.0/companies({})/customers", world.root(), company.id);
        let customers = world.get_json(&url).await;
        assert_eq!(customers["value"][1]["website"], url);
        assert_eq!(customers["value"][2]["displayName"], "Größe <M> & \"Söhne\" Åse's");
        let deceptive = &customers["value"][3];
        let name = deceptive["displayName"].as_str().unwrap();
        assert!(name.starts_with("\"@odata.nextLink\":\"https://localhost:"), "{name}");
        let note = deceptive["note"].as_str().unwrap();
        assert!(note.contains(&format!("<soap:address location=\"{url}\"/>")), "{note}");
        let id = deceptive["id"].as_str().unwrap();
        // The same value can be written back.
        let same = json!({"displayName": name, "note": note});
        let written = world.send(Method::PATCH, &format!("{url}({id})"), &[("if-match", "*")], &same).await;
        assert_eq!(written.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn data_may_be_without_urls_of_the_simulator() {
    let world = World::with(Settings { addresses_in_data: false, ..Settings::default() }).await;
    let customers = world.get_json(&format!("{}?$top=50", world.customers())).await;
    let values = customers["value"].to_string();
    assert!(values.contains("customer 10030") && !values.contains("localhost"), "{values}");
}

#[tokio::test]
async fn fifty_thousand_customers_are_paged_to_the_end() {
    let settings = Settings { customers: 50_000, page_size: 2_000, ..Settings::default() };
    let companies = settings.companies[..1].to_vec();
    let world = World::with(Settings { companies, default_company: None, ..settings }).await;
    let (mut next, mut seen) = (Some(format!("{}?$select=number", world.customers())), BTreeSet::new());
    while let Some(url) = next {
        let page = world.get_json(&url).await;
        seen.extend(
            page["value"].as_array().unwrap().iter().map(|record| record["number"].as_str().unwrap().to_owned()),
        );
        next = page["@odata.nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(seen.len(), 50_000);
}

#[tokio::test]
async fn orders_have_lines() {
    let world = World::new().await;
    let orders = world.customers().replace("/customers", "/salesOrders");
    let order = world.get_json(&orders).await["value"][1]["id"].as_str().unwrap().to_owned();
    let lines = format!("{orders}({order})/salesOrderLines");
    let page = world.get_json(&lines).await;
    assert_eq!(page["value"].as_array().unwrap().len(), 2);
    assert!(page["value"].as_array().unwrap().iter().all(|line| line["documentId"] == order));
}
