//! The encoding of responses: compressed, or with escaped slashes.

use std::io::Read;

use bcproxy::simulator::Settings;
use flate2::read::GzDecoder;
use serde_json::Value;

use crate::World;

#[tokio::test]
async fn responses_are_compressed_for_clients_that_accept_gzip() {
    let world = World::new().await;
    let token = world.token().await;
    let read = async |url: &str, accept: &str| {
        let request = world.client.get(url).bearer_auth(&token).header("accept-encoding", accept);
        let response = request.send().await.unwrap();
        (response.headers().get("content-encoding").cloned(), response.bytes().await.unwrap())
    };
    let plain = world.get(&world.customers()).await.bytes().await.unwrap();
    for accept in ["gzip", "deflate, GZIP;q=0.5", "*"] {
        let (encoding, body) = read(&world.customers(), accept).await;
        assert_eq!(encoding.unwrap(), "gzip", "{accept}");
        assert!(body.len() < plain.len());
        let mut text = Vec::new();
        GzDecoder::new(&body[..]).read_to_end(&mut text).unwrap();
        assert_eq!(text, plain);
    }
    for accept in ["identity", "br", "gzip;q=0"] {
        assert_eq!(read(&world.customers(), accept).await, (None, plain.clone()), "{accept}");
    }
    let item = world.get_json(&format!("{}?$expand=picture", world.set("items"))).await;
    let picture = item["value"][0]["picture"]["pictureContent@odata.mediaReadLink"].as_str().unwrap();
    assert_eq!(read(picture, "gzip").await.0, None);

    let ranged = world.client.get(world.customers()).bearer_auth(&token).header("range", "bytes=0-");
    let ranged = ranged.header("accept-encoding", "gzip").send().await.unwrap();
    assert!(!ranged.headers().contains_key("content-encoding"));
    let never = World::with(Settings { compress_responses: false, ..Settings::default() }).await;
    let request = never.client.get(never.customers()).bearer_auth(never.token().await);
    let response = request.header("accept-encoding", "gzip").send().await.unwrap();
    assert!(!response.headers().contains_key("content-encoding"));
}

#[tokio::test]
async fn slashes_may_be_escaped() {
    let world = World::with(Settings { escape_slashes: true, ..Settings::default() }).await;
    let text = world.get(&world.customers()).await.text().await.unwrap();
    assert!(text.contains("\"@odata.nextLink\":\"https:\\/\\/localhost"), "{text}");
    assert_eq!(text.matches('/').count(), text.matches("\\/").count());
    let page: Value = serde_json::from_str(&text).unwrap();
    assert!(page["@odata.nextLink"].as_str().unwrap().starts_with(&world.customers()));
}
