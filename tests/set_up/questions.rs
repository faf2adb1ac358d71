//! What `bcproxy companies` and `bcproxy token` tell of an application.

use serde_json::Value;

use crate::command;
use crate::rig::Plan;

#[tokio::test]
async fn companies_are_listed_for_people_and_programs() {
    let prepared = Plan::default().prepare().await;
    let ended = command(&prepared, &["companies"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for company in &prepared.simulator.settings().companies {
        let row = ended.output.lines().find(|line| line.trim_start().starts_with(&company.name)).unwrap();
        assert!(row.contains(&company.id.to_string()) && row.ends_with(&company.display_name), "{row}");
    }
    let ended = command(&prepared, &["companies", "--output", "json"]).await;
    let said: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!((said.as_array().unwrap().len(), &said[0]["name"]), (3, &"CRONUS International Ltd.".into()));
}

#[tokio::test]
async fn a_token_is_described_and_shown_only_when_that_is_asked_for() {
    let prepared = Plan::default().prepare().await;
    let client = prepared.simulator.settings().client_id.to_string();
    let ended = command(&prepared, &["token"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in ["API.ReadWrite.All", &client, "min", "https://api.businesscentral.dynamics.com"] {
        assert!(ended.output.contains(part), "{part}: {}", ended.output);
    }
    let json = command(&prepared, &["token", "--output", "json"]).await;
    let said: Value = serde_json::from_str(&json.output).unwrap();
    assert_eq!((&said[0]["claims"]["appid"], &said[0]["expires_in"]), (&client.into(), &3600.into()));
    assert_eq!(said[0]["token"], Value::Null);
    for hidden in [&ended, &json] {
        assert!(!(hidden.output.clone() + &hidden.errors).contains("eyJ"), "{hidden:?}");
    }
    let revealed = command(&prepared, &["token", "--reveal"]).await;
    assert_eq!(revealed.output.trim().split('.').count(), 3);

    prepared.simulator.entra().set_roles(&[]);
    let ended = command(&prepared, &["token"]).await;
    assert!(ended.output.contains("none. The token lacks the role API.ReadWrite.All"), "{}", ended.output);
    let ended = command(&prepared, &["companies"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("Grant admin consent"), "{}", ended.errors);
}
