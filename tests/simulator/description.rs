//! Service documents, metadata and actions.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::World;

#[tokio::test]
async fn every_service_has_a_document_and_metadata() {
    let world = World::new().await;
    for (service, set) in [
        ("api/v2.0", "EntitySet Name=\"salesOrders\""),
        ("api/cronus/warehouse/v1.0", "EntitySet Name=\"bins\""),
        ("ODataV4", "ActionImport Name=\"Tools_Echo\""),
    ] {
        let root = format!("{}/{service}", world.root());
        let document = world.get_json(&root).await;
        assert_eq!(document["@odata.context"], format!("{root}/$metadata"));
        for set in document["value"].as_array().unwrap() {
            let url = format!("{root}/{}", set["url"].as_str().unwrap());
            assert_eq!(world.get(&url).await.status(), StatusCode::OK, "{url}");
        }
        let response = world.get(&format!("{root}/$metadata")).await;
        assert_eq!(response.headers()["content-type"], "application/xml");
        let csdl = response.text().await.unwrap();
        assert!(csdl.contains(set), "{csdl}");
        assert!(!csdl.contains("localhost"), "{csdl}");
    }
}

#[tokio::test]
async fn codeunit_methods_are_unbound_actions() {
    let world = World::new().await;
    let url = |method: &str, company: &str| format!("{}/ODataV4/Tools_{method}?company={company}", world.root());
    let response = world.send(Method::POST, &url("Echo", "My%20Company"), &[], &json!({"text": "ä <"})).await;
    let response: Value = response.json().await.unwrap();
    let context = format!("{}/ODataV4/$metadata#Edm.String", world.root());
    assert_eq!(response, json!({"@odata.context": context, "value": "ä <"}));
    let id = world.simulator.settings().companies[0].id.to_string();
    let post = json!({"no": "S-ORD101001"});
    assert_eq!(world.send(Method::POST, &url("PostOrder", &id), &[], &post).await.status(), StatusCode::OK);
    let order = format!("{}/ODataV4/Company('CRONUS%20International%20Ltd.')/SalesOrder('S-ORD101001')", world.root());
    assert_eq!(world.get_json(&order).await["Status"], "Posted");
    assert_eq!(world.simulator.business_central().codeunit_calls("PostOrder"), 1);
    for (method, action, body, status) in [
        (Method::GET, "Echo", json!({}), StatusCode::METHOD_NOT_ALLOWED),
        (Method::POST, "Echo", json!({}), StatusCode::BAD_REQUEST),
        (Method::POST, "Explode", json!({}), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(world.send(method, &url(action, "My%20Company"), &[], &body).await.status(), status, "{action}");
    }
}

#[tokio::test]
async fn records_have_bound_actions() {
    let world = World::new().await;
    let order = format!(
        "{}({})",
        world.set("salesOrders"),
        world.get_json(&world.set("salesOrders")).await["value"][0]["id"].as_str().unwrap()
    );
    let posted = world.send(Method::POST, &format!("{order}/Microsoft.NAV.post"), &[], &json!({})).await;
    assert_eq!(posted.status(), StatusCode::NO_CONTENT);
    assert_eq!(posted.headers()["location"], order);
    assert_eq!(world.get_json(&order).await["status"], "Posted");
    let page = format!("{}/ODataV4/Company('CRONUS%20International%20Ltd.')/SalesOrder('S-ORD101001')", world.root());
    let released = world.send(Method::POST, &format!("{page}/NAV.Release"), &[], &json!({})).await;
    assert_eq!(released.status(), StatusCode::NO_CONTENT);
    assert_eq!(world.get_json(&page).await["Status"], "Released");
    let unknown = world.send(Method::POST, &format!("{order}/Microsoft.NAV.explode"), &[], &json!({})).await;
    assert_eq!(unknown.status(), StatusCode::NOT_IMPLEMENTED);
    let read = world.get(&format!("{order}/Microsoft.NAV.post")).await;
    assert_eq!(read.status(), StatusCode::METHOD_NOT_ALLOWED);
}
