//! Business Central answers 401: for a token that is no good any more, and for a set-up that is not finished.

use std::time::Duration;

use bcproxy::simulator::{Matcher, Script, Times};
use hyper::header::{HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, StatusCode};

use crate::rig::{ClientResponse, HeldClock, Plan, Rejection, Rig, at_once, shared, until};

const COMPANY: &str = "CRONUS International Ltd.";

fn reject(rig: &Rig, path_part: &str) {
    let business_central = rig.simulator.business_central();
    business_central.script(Matcher::any().path_containing(path_part), Times::Always, Script::unauthorized());
}

/// The rejection without the identifiers of the response that led to it.
fn without_ids(response: &ClientResponse) -> Rejection {
    let mut rejection = response.rejection();
    rejection.message.truncate(rejection.message.find(" For a ticket to Microsoft: request-id ").unwrap());
    rejection
}

#[tokio::test]
async fn a_revoked_token_is_replaced_and_the_write_is_done_once() {
    let rig = Rig::new().await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    for round in 1..=3 {
        rig.simulator.revoke_tokens();
        let created = rig.post_json("/api/customers", r#"{"displayName":"Adatum"}"#).await;
        assert_eq!(created.status, 201, "{}", created.text());
        assert_eq!(created.json()["displayName"], "Adatum");
        assert_eq!(rig.simulator.token_requests(), 1 + round);
        assert_eq!(rig.simulator.business_central().writes(), round);
    }
    assert_eq!(rig.simulator.business_central().customers(COMPANY), Some(53));
    let received = rig.received();
    let [.., rejected, accepted] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!((rejected.status, accepted.status), (Some(StatusCode::UNAUTHORIZED), Some(StatusCode::CREATED)));
    assert_eq!(rejected.body, accepted.body);
    assert_eq!(rejected.headers["client-request-id"], accepted.headers["client-request-id"]);
}

#[tokio::test]
async fn the_look_up_of_actions_survives_a_revoked_token() {
    let rig = Rig::new().await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    rig.simulator.revoke_tokens();
    // Whether it is an unbound action is asked with the revoked token first.
    let response = rig.post_json("/odata/Tools_Echo", r#"{"text":"hello"}"#).await;
    assert_eq!(response.status, 200, "{}", response.text());
    let received = rig.received();
    let asked: Vec<_> = received.iter().filter(|received| received.target.ends_with("/$metadata")).collect();
    let statuses: Vec<_> = asked.iter().map(|received| received.status).collect();
    assert_eq!(statuses, [Some(StatusCode::UNAUTHORIZED), Some(StatusCode::OK)]);
    assert_eq!(rig.simulator.token_requests(), 2);
}

#[tokio::test]
async fn a_rejection_that_stays_names_the_application_card_and_costs_one_token() {
    let rig = shared(Plan::default()).await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    reject(&rig, "/ODataV4/");

    let response = rig.get("/odata/Customer").await;
    let rejection = without_ids(&response);
    assert_eq!((rejection.status, rejection.code.as_str()), (502, "Proxy_CredentialsRejected"));
    assert_eq!(response.headers["proxy-status"], "bcproxy; error=proxy_configuration_error");
    let client_id = rig.simulator.settings().client_id.to_string();
    for part in [
        "connector `cronus`",
        "environment Production",
        "Microsoft Entra Applications",
        &client_id,
        "State",
        "permission set",
    ] {
        assert!(rejection.message.contains(part), "{part}: {}", rejection.message);
    }
    assert_eq!(rig.simulator.token_requests(), 2);

    let client = rig.clone();
    let ask = move |_| {
        let client = client.clone();
        async move { client.get("/odata/Customer").await }
    };
    for response in at_once(200, ask).await {
        assert_eq!(without_ids(&response), rejection);
    }
    assert_eq!(rig.simulator.token_requests(), 2, "the set-up is wrong, not the token");

    assert_eq!(rig.get("/api/customers").await.status, 200, "another route of the connector is not concerned");
    rig.simulator.revoke_tokens();
    assert_eq!(rig.get("/api/customers").await.status, 200, "and still gets a revoked token replaced");
    assert_eq!(rig.simulator.token_requests(), 3);
    assert_eq!(without_ids(&rig.get("/odata/Customer").await), rejection);
    assert_eq!(rig.simulator.token_requests(), 3);
}

#[tokio::test]
async fn after_five_minutes_a_route_may_have_a_new_token_made_again() {
    let clock = HeldClock::new();
    let rig = Rig::new().await;
    reject(&rig, "/ODataV4/");
    assert_eq!(rig.get("/odata/Customer").await.status, 502);
    clock.advance(Duration::from_secs(299)).await;
    assert_eq!(rig.get("/odata/Customer").await.status, 502);
    assert_eq!(rig.simulator.token_requests(), 2);

    rig.simulator.business_central().clear_scripts();
    rig.simulator.revoke_tokens();
    clock.advance(Duration::from_secs(2)).await;
    assert_eq!(rig.get("/odata/Customer").await.status, 200);
    assert_eq!(rig.simulator.token_requests(), 3);
}

#[tokio::test]
async fn a_fixed_set_up_is_trusted_again_at_once() {
    let rig = Rig::new().await;
    reject(&rig, "/ODataV4/");
    assert_eq!(rig.get("/odata/Customer").await.status, 502);
    rig.simulator.business_central().clear_scripts();
    assert_eq!(rig.get("/odata/Customer").await.status, 200);
    rig.simulator.revoke_tokens();
    assert_eq!(rig.get("/odata/Customer").await.status, 200);
    assert_eq!(rig.simulator.token_requests(), 3);
}

#[tokio::test]
async fn a_missing_permission_is_named_with_the_click_that_grants_it() {
    let clock = HeldClock::new();
    let rig = Plan::default().start_after(|simulator| simulator.entra().set_roles(&[])).await;
    for round in 0..30 {
        let rejection = rig.get("/api/customers").await.rejection();
        assert_eq!((rejection.status, rejection.code.as_str()), (502, "Proxy_CredentialsRejected"));
        assert!(rejection.message.contains("API.ReadWrite.All"), "{}", rejection.message);
        assert!(rejection.message.contains("Grant admin consent"), "{}", rejection.message);
        assert_eq!(rig.simulator.token_requests(), 2, "round {round}: consent is missing, not a token");
        clock.advance(Duration::from_secs(2)).await;
    }
    assert!(rig.received().is_empty(), "without a company nothing that needs one is sent");

    rig.simulator.entra().set_roles(&["API.ReadWrite.All"]);
    clock.advance(Duration::from_secs(300)).await;
    assert_eq!(rig.get("/api/customers").await.status, 200, "consent was given");
}

#[tokio::test]
async fn a_soap_client_reads_the_rejection_as_a_fault() {
    let rig = Rig::new().await;
    reject(&rig, "/WS/");
    let response = rig.call_soap("/soap/Codeunit/Tools").await;
    assert_eq!(response.status, 500);
    assert!(response.text().contains("<status>502</status>"), "{}", response.text());
    let rejection = response.rejection();
    assert_eq!(rejection.code, "Proxy_CredentialsRejected");
    assert!(rejection.message.contains("Microsoft Entra Applications"));
}

#[tokio::test]
async fn a_large_write_that_meets_a_rejected_token_is_done_once_with_the_next_one() {
    // Business Central may answer after it has read the body, or before.
    for rejected in [Script::unauthorized(), Script::unauthorized().leave_request_unread()] {
        let rig = Rig::new().await;
        assert_eq!(rig.get("/api/customers").await.status, 200);
        let posts = || Matcher::any().method(Method::POST);
        rig.simulator.business_central().script(posts(), Times::Next(1), rejected);
        rig.simulator.business_central().script(posts(), Times::Always, Script::response(StatusCode::CREATED));
        let response = rig.send(Method::POST, "/api/attachments", &[], vec![b'x'; 30 << 20]).await;
        assert_eq!(response.status, 201, "{}", response.text());
        let uploads: Vec<_> = rig.received().into_iter().filter(|received| received.method == Method::POST).collect();
        let statuses: Vec<_> = uploads.iter().map(|upload| upload.status.unwrap().as_u16()).collect();
        assert_eq!((statuses, uploads[1].body_length), (vec![401, 201], 30 << 20));
        assert_eq!(rig.simulator.token_requests(), 2);
    }
}

#[tokio::test]
async fn a_claims_challenge_is_answered_with_a_token_that_meets_it() {
    let rig = Rig::new().await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    let demanded = r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#;
    rig.simulator.entra().require_claims(Some(demanded));
    let challenge = "Bearer realm=\"\", error=\"insufficient_claims\", \
         claims=\"eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxIn19fQ==\"";
    let rejection =
        Script::response(StatusCode::UNAUTHORIZED).header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    let items = Matcher::any().path_ending("/customers");
    rig.simulator.business_central().script(items, Times::Next(1), rejection);
    assert_eq!(rig.get("/api/customers").await.status, 200);
    assert_eq!(rig.simulator.token_requests(), 2);

    // The demand is not repeated for the tokens after it.
    rig.simulator.entra().require_claims(None);
    rig.simulator.revoke_tokens();
    assert_eq!(rig.get("/api/customers").await.status, 200);
}

#[tokio::test]
async fn a_claims_challenge_to_the_look_up_of_companies_is_answered_too() {
    let challenge = "Bearer error=\"insufficient_claims\", \
         claims=\"eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxIn19fQ==\"";
    let rig = Plan::default()
        .start_after(|simulator| {
            let rejection = Script::response(StatusCode::UNAUTHORIZED)
                .header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            let companies = Matcher::any().path_ending("/companies");
            simulator.business_central().script(companies, Times::Next(1), rejection);
        })
        .await;
    // The first token was had without them.
    until(|| rig.simulator.token_requests() > 0).await;
    rig.simulator.entra().require_claims(Some(r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#));
    assert_eq!(rig.get("/api/customers").await.status, 200);
    assert_eq!(rig.simulator.token_requests(), 2);
}
