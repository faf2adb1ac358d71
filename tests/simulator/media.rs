//! Pictures and documents.

use hyper::StatusCode;

use crate::World;

#[tokio::test]
async fn a_picture_can_be_described_read_in_ranges_and_replaced() {
    let world = World::new().await;
    let items = world.set("items");
    let item = world.get_json(&items).await["value"][0]["id"].as_str().unwrap().to_owned();
    let picture = world.get_json(&format!("{items}({item})/picture")).await;
    let content = format!("{items}({item})/picture/pictureContent");
    assert_eq!(picture["pictureContent@odata.mediaReadLink"], content);
    assert_eq!(picture["pictureContent@odata.mediaEditLink"], content);
    assert!(picture["@odata.context"].as_str().unwrap().ends_with(&format!("/items({item})/picture/$entity")));
    let response = world.get(&content).await;
    assert_eq!(response.headers()["content-type"], "image/png");
    let bytes = response.bytes().await.unwrap();
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
    assert!(String::from_utf8_lossy(&bytes).contains(&format!("\"@odata.nextLink\":\"{}\"", world.customers())));

    let token = world.token().await;
    let part = async |range: &str| {
        let request = world.client.get(&content).bearer_auth(&token).header("range", range);
        request.header("accept-encoding", "gzip").send().await.unwrap()
    };
    let response = part("bytes=1-3").await;
    assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(response.headers()["content-range"], format!("bytes 1-3/{}", bytes.len()));
    assert_eq!(response.bytes().await.unwrap(), "PNG");
    assert_eq!(part(&format!("bytes={}-", bytes.len())).await.status(), StatusCode::RANGE_NOT_SATISFIABLE);

    let etag = picture["@odata.etag"].as_str().unwrap();
    for (content_type, tag, status) in [
        ("image/png", None, StatusCode::PRECONDITION_FAILED),
        ("application/json", Some("*"), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("image/png", Some(etag), StatusCode::NO_CONTENT),
        ("image/png", Some(etag), StatusCode::CONFLICT),
    ] {
        let mut request = world.client.patch(&content).bearer_auth(&token).header("content-type", content_type);
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        let response = request.body(vec![0_u8; 2 << 20]).send().await.unwrap();
        assert_eq!(response.status(), status, "{content_type} {tag:?}");
    }
    assert_eq!(world.get(&content).await.bytes().await.unwrap().len(), 2 << 20);
}

#[tokio::test]
async fn the_document_of_an_order_is_read_only() {
    let world = World::new().await;
    let orders = world.get_json(&format!("{}?$expand=pdfDocument", world.set("salesOrders"))).await;
    let link = orders["value"][0]["pdfDocument"]["pdfDocumentContent@odata.mediaReadLink"].as_str().unwrap();
    assert!(link.starts_with(&world.set("salesOrders")), "{link}");
    let response = world.get(link).await;
    assert_eq!(response.headers()["content-type"], "application/pdf");
    assert!(response.bytes().await.unwrap().starts_with(b"%PDF-"));
    let write = world.client.patch(link).bearer_auth(world.token().await).header("if-match", "*").body("x");
    assert_eq!(write.send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
}
