//! Tokens: requesting one, the faults of Entra, and the checks of Business Central.

use std::time::Duration;

use base64::Engine;
use bcproxy::simulator::{Fault, Latch, Received, Times};
use hyper::StatusCode;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::{World, client_for, form};

#[tokio::test]
async fn every_part_of_a_token_request_is_checked() {
    let world = World::new().await;
    let settings = world.simulator.settings().clone();
    let client_id = settings.client_id.to_string();
    let right = form(&client_id, &settings.client_secret);
    world.simulator.entra().expire_secret(settings.client_id, "old");

    for (parameter, value, error, code) in [
        ("grant_type", Some("password"), "unsupported_grant_type", 70003),
        ("grant_type", None, "invalid_request", 900144),
        ("client_id", Some("00000000-0000-0000-0000-000000000001"), "unauthorized_client", 700016),
        ("client_id", None, "invalid_request", 900144),
        ("client_secret", Some("wrong"), "invalid_client", 7000215),
        ("client_secret", Some("old"), "invalid_client", 7000222),
        ("client_secret", None, "invalid_client", 7000218),
        ("scope", Some("https://graph.microsoft.com/.default"), "invalid_scope", 70011),
        ("scope", Some("API.ReadWrite.All"), "invalid_scope", 1002012),
        ("scope", None, "invalid_request", 900144),
    ] {
        let mut form = right.clone();
        form.retain(|(name, _)| *name != parameter);
        form.extend(value.map(|value| (parameter, value)));
        let response = world.token_request(&form).send().await.unwrap();
        assert!(response.status().is_client_error());
        let response: Value = response.json().await.unwrap();
        assert_eq!(response["error"], error, "{parameter} {value:?}");
        assert_eq!(response["error_codes"], json!([code]), "{parameter} {value:?}");
        assert!(response["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{code}: ")));
    }

    let authority = world.simulator.authority();
    for (tenant, code) in [("contoso.com", Some(90002)), ("CRONUS.onmicrosoft.com", None)] {
        let url = format!("{authority}/{tenant}/oauth2/v2.0/token");
        let response = world.client.post(url).form(&right).send().await.unwrap();
        let response: Value = response.json().await.unwrap();
        assert_eq!(response["error_codes"][0].as_u64(), code, "{tenant}");
        assert_eq!(response["access_token"].is_string(), code.is_none());
    }
    let url = format!("{authority}/{}/oauth2/v2.0/token", settings.tenant_id);
    let response: Value = world.client.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(response["error_codes"], json!([900561]));
    let response: Value = world.client.post(&url).json(&right).send().await.unwrap().json().await.unwrap();
    assert_eq!(response["error_codes"], json!([900144]));
    assert_eq!(world.simulator.token_requests(), 14);
}

#[tokio::test]
async fn tokens_are_unique_and_have_the_claims_of_entra() {
    let world = World::new().await;
    world.simulator.entra().set_lifetime(Duration::from_secs(600), Some(Duration::from_secs(300)));
    let settings = world.simulator.settings();
    let client_id = settings.client_id.to_string();
    let response = world.token_request(&form(&client_id, &settings.client_secret)).send().await.unwrap();
    let response: Value = response.json().await.unwrap();
    assert_eq!(response["token_type"], "Bearer");
    assert_eq!((&response["expires_in"], &response["refresh_in"]), (&json!(600), &json!(300)));
    let token = response["access_token"].as_str().unwrap();
    assert_ne!(token, world.token().await);
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["tid"], settings.tenant_id.to_string());
    assert_eq!(claims["appid"], client_id);
    assert_eq!(claims["roles"], json!(["API.ReadWrite.All"]));
}

#[tokio::test]
async fn faults_of_entra_can_be_activated_and_cleared() {
    let world = World::new().await;
    let entra = world.simulator.entra();
    let settings = world.simulator.settings();
    let client_id = settings.client_id.to_string();
    let request = || world.token_request(&form(&client_id, &settings.client_secret)).send();

    entra.fail(Fault::unavailable(Some(7)), Times::Next(2));
    for _ in 0..2 {
        let response = request().await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(response.json::<Value>().await.unwrap()["error"], "temporarily_unavailable");
    }
    assert_eq!(request().await.unwrap().status(), StatusCode::OK);

    entra.fail(Fault::Html(StatusCode::OK), Times::Always);
    assert!(request().await.unwrap().text().await.unwrap().starts_with("<!DOCTYPE html>"));

    entra.fail(Fault::Unreachable, Times::Always);
    assert!(request().await.is_err());
    let other_client = client_for(&world.simulator);
    assert!(other_client.get(world.simulator.authority()).send().await.is_err());
    assert!(entra.rejected_connections() > 0);

    let latch = Latch::closed();
    entra.fail(Fault::Held(latch.clone()), Times::Next(1));
    let before = world.simulator.token_requests();
    let release = async {
        entra.wait_for_token_requests(before + 1).await;
        latch.open();
    };
    let (response, ()) = tokio::join!(request(), release);
    assert_eq!(response.unwrap().status(), StatusCode::OK);

    entra.replace_secrets(settings.client_id, "new");
    assert_eq!(request().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn only_a_current_token_of_this_tenant_with_the_role_is_accepted() {
    let world = World::new().await;
    let url = world.customers();
    let status = |request: RequestBuilder| async { request.send().await.unwrap().status() };

    let response = world.client.get(&url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert!(response.headers().contains_key("set-cookie"));
    let response: Value = response.json().await.unwrap();
    assert_eq!(response["error"]["code"], "Authentication_InvalidCredentials");
    assert!(response["error"]["message"].as_str().unwrap().contains("  CorrelationId:  "));

    let token = world.token().await;
    assert_eq!(status(world.client.get(&url).bearer_auth("made up")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(world.client.get(&url).bearer_auth(&token)).await, StatusCode::OK);
    let elsewhere = url.replace(&world.simulator.settings().tenant_id.to_string(), "contoso.com");
    assert_eq!(status(world.client.get(elsewhere).bearer_auth(&token)).await, StatusCode::UNAUTHORIZED);

    world.simulator.revoke_tokens();
    assert_eq!(status(world.client.get(&url).bearer_auth(&token)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(world.get(&url).await.status(), StatusCode::OK);

    world.simulator.entra().set_roles(&[]);
    assert_eq!(world.get(&url).await.status(), StatusCode::UNAUTHORIZED);
    world.simulator.entra().set_roles(&["API.ReadWrite.All"]);
    world.simulator.entra().set_lifetime(Duration::ZERO, None);
    assert_eq!(world.get(&url).await.status(), StatusCode::UNAUTHORIZED);

    let accepted: Vec<bool> = world.simulator.received().iter().map(Received::token_accepted).collect();
    assert_eq!(accepted, [false, false, true, true, false, true, false, false]);
}
