//! Links in responses, with `$expand`, `odata.metadata` and `Prefer`.

use std::collections::{BTreeMap, BTreeSet};

use bcproxy::simulator::Settings;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::World;

#[tokio::test]
async fn orders_are_expanded_with_their_lines() {
    let world = World::new().await;
    let orders = world.set("salesOrders");
    let expand = "$expand=salesOrderLines($select=sequence;$filter=sequence%20gt%2010000;$count=true)&$top=2";
    let page = world.get_json(&format!("{orders}?{expand}")).await;
    for order in page["value"].as_array().unwrap() {
        let lines = order["salesOrderLines"].as_array().unwrap();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["sequence"], 20_000);
        assert!(lines[0]["description"].is_null());
        assert_eq!(order["salesOrderLines@odata.count"], 1);
        let context = order["salesOrderLines@odata.context"].as_str().unwrap();
        assert!(context.starts_with(&format!("{}/api/v2.0/$metadata#companies(", world.root())), "{context}");
    }
    for wrong in
        ["x", "salesOrderLines($top=x)", "salesOrderLines($filter=x)", "salesOrderLines(", "pdfDocument($top=1)"]
    {
        let status = world.get(&format!("{orders}?$expand={wrong}")).await.status();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn companies_can_be_expanded_with_their_data() {
    let world = World::new().await;
    let companies = format!("{}/api/v2.0/companies", world.root());
    let page = world
        .get_json(&format!("{companies}?$expand=customers($select=number),salesOrders($expand=salesOrderLines)"))
        .await;
    let mut seen = BTreeSet::new();
    for company in page["value"].as_array().unwrap() {
        assert_eq!(company["customers"].as_array().unwrap().len(), 20);
        assert_eq!(company["salesOrders"][0]["salesOrderLines"].as_array().unwrap().len(), 2);
        let next = company["customers@odata.nextLink"].as_str().unwrap();
        assert!(next.starts_with(&format!("{companies}({})/customers?", company["id"].as_str().unwrap())), "{next}");
        let next = world.get_json(next).await;
        assert_eq!(next["value"][0]["number"], "10200");
        assert!(next["value"][0]["city"].is_null());
        seen.insert(company["name"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen.len(), 3);
    let selected = world.get_json(&format!("{companies}?$filter=name%20eq%20'My%20Company'&$select=name")).await;
    assert_eq!(selected["value"].as_array().unwrap().len(), 1);
    let id = world.simulator.settings().companies[2].id;
    for path in [format!("({id})"), "(name='My%20Company')".to_owned(), format!("(id={id})")] {
        assert_eq!(world.get_json(&format!("{companies}{path}")).await["name"], "My Company");
        assert_eq!(
            world.get_json(&format!("{companies}{path}/items?$top=1")).await["value"].as_array().unwrap().len(),
            1
        );
    }
    assert_eq!(world.send(Method::POST, &companies, &[], &json!({})).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    let odata = format!("{}/ODataV4/Company('My%20Company')?$expand=Customer($top=1)", world.root());
    assert_eq!(world.get_json(&odata).await["Customer"][0]["No"], "10000");
}

#[tokio::test]
async fn full_metadata_has_a_link_for_everything() {
    let world = World::new().await;
    let read = async |url: &str, level: &str| -> Value {
        let accept = format!("application/json;odata.metadata={level}");
        let request = world.client.get(url).bearer_auth(world.token().await).header("accept", accept);
        let response = request.send().await.unwrap();
        assert!(response.headers()["content-type"].to_str().unwrap().contains(&format!("odata.metadata={level}")));
        response.json().await.unwrap()
    };
    let page = read(&format!("{}?$top=1", world.set("salesOrders")), "full").await;
    let order = &page["value"][0];
    let address = format!("{}({})", world.set("salesOrders"), order["id"].as_str().unwrap());
    assert_eq!((&order["@odata.id"], &order["@odata.editLink"]), (&json!(address), &json!(address)));
    assert_eq!(order["salesOrderLines@odata.navigationLink"], format!("{address}/salesOrderLines"));
    assert_eq!(order["@odata.type"], "#Microsoft.NAV.salesOrder");
    let odata = format!("{}/ODataV4/Company('My%20Company')/Customer('10000')", world.root());
    assert_eq!(read(&odata, "full").await["@odata.id"], odata);

    let bare = read(&format!("{}?$expand=pdfDocument", world.set("salesOrders")), "none").await;
    assert!(!bare.to_string().contains("@odata."), "{bare}");
    let bare = read(&world.customers(), "none").await;
    assert!(bare["@odata.nextLink"].is_string());
}

#[tokio::test]
async fn a_minimal_response_to_a_write_has_only_links() {
    let world = World::new().await;
    let minimal = [("prefer", "return=minimal"), ("if-match", "*")];
    let created = world.send(Method::POST, &world.customers(), &minimal, &json!({"displayName": "x"})).await;
    assert_eq!(created.status(), StatusCode::NO_CONTENT);
    assert_eq!(created.headers()["preference-applied"], "return=minimal");
    let location = created.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(created.headers()["odata-entityid"], location);
    let changed = world.send(Method::PATCH, &location, &minimal, &json!({"city": "Oslo"})).await;
    assert_eq!(changed.status(), StatusCode::NO_CONTENT);
    assert_eq!(changed.headers()["odata-entityid"], location);
    assert!(!changed.headers().contains_key("location"));
    assert_eq!(world.get_json(&location).await["city"], "Oslo");
}

/// Collects the links of a response, each with the name of its member.
fn links(value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| links(value, found)),
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str().filter(|_| name.contains("@odata.")) {
                    Some(text) if text.starts_with("https://") => {
                        let address = text.split('#').next().unwrap();
                        found.insert(address.to_owned(), name.clone());
                    }
                    _ => links(value, found),
                }
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn every_link_in_a_response_can_be_followed() {
    let world = World::with(Settings { customers: 5, page_size: 4, ..Settings::default() }).await;
    let token = world.token().await;
    let companies = format!("{}/api/v2.0/companies", world.root());
    let expanded = "customers($top=5),items($expand=picture;$top=2),salesOrders($expand=salesOrderLines,pdfDocument)";
    let mut waiting = vec![
        format!("{companies}?$expand={expanded}"),
        format!("{}/api/cronus/warehouse/v1.0/companies", world.root()),
        format!("{}/ODataV4/Company?$expand=Customer($top=5),SalesOrder", world.root()),
    ];
    let (mut seen, mut names): (BTreeSet<String>, BTreeSet<String>) =
        (waiting.iter().cloned().collect(), BTreeSet::new());
    while let Some(url) = waiting.pop() {
        let request =
            world.client.get(&url).bearer_auth(&token).header("accept", "application/json;odata.metadata=full");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{url}");
        let mut found = BTreeMap::new();
        if let Ok(response) = response.json::<Value>().await {
            links(&response, &mut found);
        }
        for (address, name) in found {
            assert!(address.starts_with(&world.root()), "{address}");
            names.insert(name);
            if seen.insert(address.clone()) {
                waiting.push(address);
            }
        }
    }
    for name in ["@odata.id", "@odata.nextLink", "customers@odata.nextLink", "pictureContent@odata.mediaReadLink"] {
        assert!(names.contains(name), "{names:?}");
    }
    assert!(seen.len() > 200, "{}", seen.len());
}
