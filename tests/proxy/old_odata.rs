//! OData V3, which Business Central online no longer speaks: refused with the address of V4, in the words its programs
//! read.

use hyper::{Method, StatusCode};

use crate::rig::{ClientResponse, Rig};

const ATOM: (&str, &str) = ("accept", "application/atom+xml,application/xml");
const VERSION: (&str, &str) = ("dataserviceversion", "3.0;NetFx");

/// Code and message of an error as Atom services write it.
fn atom_error(response: &ClientResponse) -> (String, String) {
    assert_eq!(response.headers["content-type"], "application/xml; charset=utf-8");
    let text = response.text();
    let document = roxmltree::Document::parse(&text).unwrap();
    let part = |name: &str| {
        let element = document.root_element().children().find(|element| element.tag_name().name() == name);
        element.and_then(|element| element.text()).unwrap().to_owned()
    };
    assert_eq!(document.root_element().tag_name().name(), "error");
    (part("code"), part("message"))
}

#[tokio::test]
async fn an_address_of_v3_is_rejected_with_that_of_v4() {
    let rig = Rig::new().await;
    for path in ["/nav/BC140/OData/Company('CRONUS')/Customer", "/nav/BC140/odata/Company('CRONUS')/Customer"] {
        let (code, message) = rig.get(path).await.error();
        assert_eq!(code, "Proxy_NotImplemented");
        assert!(message.contains("/nav/BC140/ODataV4/Company('CRONUS')/Customer"), "{message}");
        let response = rig.send(Method::GET, path, &[ATOM, VERSION], "").await;
        assert_eq!(response.status, StatusCode::NOT_IMPLEMENTED);
        assert_eq!(atom_error(&response), (code, message));
    }
    // For a program that can't have a path put before its own.
    let (_, message) = rig.get("/BC140/OData/Company('CRONUS')/Customer").await.error();
    assert!(message.contains(" /BC140/ODataV4/"), "{message}");
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn the_address_of_v3_and_the_route_of_v4_are_told_apart() {
    let rig = Rig::new().await;
    let (code, message) = rig.get("/OData/Customer").await.error();
    assert_eq!(code, "Proxy_NotImplemented");
    for part in ["`/OData` is OData V3", "use /ODataV4/Customer", "the route /odata, which leads to OData V4"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    // Not of this name.
    let (_, message) = rig.get("/nav/BC140/odata/Customer").await.error();
    assert!(message.contains("`/nav/BC140/odata` is OData V3") && !message.contains("confuse"), "{message}");
    assert!(rig.received().is_empty());
    assert_eq!(rig.get("/odata/Customer").await.status, 200);
}

#[tokio::test]
async fn what_only_v3_knows_is_rejected_at_an_address_of_v4() {
    let rig = Rig::new().await;
    let customer = "/odata/Customer('10000')";
    let merge = Method::from_bytes(b"MERGE").unwrap();
    for (method, headers, sign) in [
        (merge, &[("content-type", "application/json")][..], "MERGE"),
        (Method::POST, &[("x-http-method", "MERGE")], "MERGE"),
        (Method::POST, &[("content-type", "application/atom+xml;type=entry")], "Atom document"),
        (Method::GET, &[ATOM], "request for Atom"),
        (Method::GET, &[ATOM, VERSION], "request for Atom"),
        (Method::POST, &[("content-type", "application/json"), VERSION], "DataServiceVersion"),
        (Method::PATCH, &[("maxdataserviceversion", "3.0")], "DataServiceVersion"),
    ] {
        let response = rig.send(method.clone(), customer, headers, "{}").await;
        assert_eq!(response.status, StatusCode::NOT_IMPLEMENTED, "{method} {headers:?}");
        let text = response.text();
        assert!(text.contains(sign) && text.contains("OData V4"), "{text}");
    }
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn what_reads_json_passes() {
    let rig = Rig::new().await;
    for accept in
        ["application/json", "*/*", "application/json;odata=verbose, text/plain", "application/atom+xml, */*;q=0.1"]
    {
        let headers = [("accept", accept), VERSION, ("maxdataserviceversion", "3.0")];
        let response = rig
            .send(
                Method::GET,
                "/nav/BC140/ODataV4/Company('CRONUS International Ltd.')/Customer?$top=1".replace(' ', "%20").as_str(),
                &headers,
                "",
            )
            .await;
        assert_eq!(response.status, 200, "{accept}");
        assert_eq!(response.json()["value"].as_array().unwrap().len(), 1);
        let received = rig.received().pop().unwrap();
        assert!(!received.headers.contains_key("dataserviceversion"), "{received:?}");
    }
}
