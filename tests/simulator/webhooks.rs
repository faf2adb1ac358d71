//! Webhook subscriptions and the validation of their receivers.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::World;

/// A receiver of notifications. It returns the token of validation requests only if it is `honest`.
async fn receiver(honest: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let request = String::from_utf8(request).unwrap();
            let target = request.split(' ').nth(1).unwrap();
            let token = target.split("validationToken=").nth(1).unwrap();
            let token = if honest { token } else { "something else" };
            let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{token}", token.len());
            stream.write_all(response.as_bytes()).await.unwrap();
        }
    });
    format!("http://{address}/notify?shop=1")
}

#[tokio::test]
async fn a_subscription_can_be_created_renewed_and_deleted() {
    let world = World::new().await;
    let resource = format!("/api/v2.0/companies({})/customers", world.simulator.settings().companies[0].id);
    for api in ["api/v2.0", "api/cronus/warehouse/v1.0"] {
        let subscriptions = format!("{}/{api}/subscriptions", world.root());
        let body = json!({"notificationUrl": receiver(true).await, "resource": resource, "clientState": "s"});
        let created = world.send(Method::POST, &subscriptions, &[], &body).await;
        assert_eq!(created.status(), StatusCode::CREATED);
        let location = created.headers()["location"].to_str().unwrap().to_owned();
        let created: Value = created.json().await.unwrap();
        assert_eq!(location, format!("{subscriptions}('{}')", created["subscriptionId"].as_str().unwrap()));
        assert_eq!(created["resource"], resource);
        assert_eq!(created["notificationUrl"], body["notificationUrl"]);
        let renew = async |tag: &str| world.send(Method::PATCH, &location, &[("if-match", tag)], &json!({})).await;
        let etag = created["@odata.etag"].as_str().unwrap();
        let renewed: Value = renew(etag).await.json().await.unwrap();
        assert!(renewed["expirationDateTime"].as_str() > created["expirationDateTime"].as_str());
        assert_eq!(renew(etag).await.status(), StatusCode::CONFLICT);
        assert_eq!(world.get_json(&subscriptions).await["value"][0]["resource"], resource);
        let gone = world.send(Method::DELETE, &location, &[("if-match", "*")], &json!({})).await;
        assert_eq!(gone.status(), StatusCode::NO_CONTENT);
        assert_eq!(world.get(&location).await.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn receivers_that_fail_validation_are_rejected() {
    let world = World::new().await;
    let subscriptions = format!("{}/api/v2.0/subscriptions", world.root());
    for receiver in [
        receiver(false).await,
        "http://127.0.0.1:1/".to_owned(),
        "http://receiver.example/".to_owned(),
        "https://127.0.0.1/".to_owned(),
        "nonsense".to_owned(),
    ] {
        let body = json!({"notificationUrl": receiver, "resource": "x"});
        let rejected = world.send(Method::POST, &subscriptions, &[], &body).await;
        assert_eq!(rejected.status(), StatusCode::BAD_REQUEST, "{receiver}");
    }
    for body in [json!({"resource": "x"}), json!({"notificationUrl": receiver(true).await})] {
        assert_eq!(world.send(Method::POST, &subscriptions, &[], &body).await.status(), StatusCode::BAD_REQUEST);
    }
    assert_eq!(world.get_json(&subscriptions).await["value"], json!([]));
}
