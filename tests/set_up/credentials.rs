//! What the commands say of every kind of credential, and of several applications.

use std::time::{SystemTime, UNIX_EPOCH};

use bcproxy::simulator::{FederatedCredential, IDENTITY_HEADER, Matcher, Script, Simulator, Times};
use hyper::StatusCode;
use hyper::header::{HeaderValue, WWW_AUTHENTICATE};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::certificates::Key;
use crate::command;
use crate::process::{Ended, Process};
use crate::rig::{Plan, Prepared};
use crate::setup::setup;

const OTHER: Uuid = Uuid::from_u128(0x0714e2);

const CERTIFICATE: &str = "client_certificate: { certificate: app.pem, private_key: app.key }";

async fn command_with(prepared: &Prepared, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    Process::start_with(arguments, prepared.folder.path(), variables).end().await
}

fn write(prepared: &Prepared, name: &str, content: &str) {
    std::fs::write(prepared.folder.path().join(name), content).unwrap();
}

/// An application without a secret.
async fn without_secret(line: &str) -> Prepared {
    let prepared = Plan::default().connector("client_secret: -").connector(line).prepare().await;
    let settings = prepared.simulator.settings();
    prepared.simulator.entra().replace_secrets(settings.client_id, "none of ours");
    prepared
}

async fn with_certificate() -> Prepared {
    let prepared = without_secret(CERTIFICATE).await;
    let certificate = Key::First.certificate(-1, 300);
    write(&prepared, "app.pem", &certificate);
    write(&prepared, "app.key", &Key::First.pkcs8());
    prepared.simulator.entra().add_certificate(prepared.simulator.settings().client_id, &certificate);
    prepared
}

/// Doctor, companies and token all work, and say what proves who we are.
async fn assert_works(prepared: &Prepared, variables: &[(&str, &str)], doctor: &str, kind: &str) {
    let ended = command_with(prepared, &["doctor"], variables).await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    assert!(ended.output.contains(doctor), "{doctor}: {}", ended.output);
    assert!(!ended.output.contains("secret"), "{}", ended.output);
    let ended = command_with(prepared, &["companies"], variables).await;
    assert!(ended.output.contains("CRONUS International Ltd."), "{ended:?}");
    let ended = command_with(prepared, &["token", "--output", "json"], variables).await;
    let said: Value = serde_json::from_str(&ended.output).unwrap_or_else(|_| panic!("{ended:?}"));
    assert_eq!((&said[0]["credential"], &said[0]["roles"]), (&json!(kind), &json!(["API.ReadWrite.All"])));
}

#[tokio::test]
async fn a_certificate_is_called_one_and_so_is_what_is_wrong_with_it() {
    let prepared = with_certificate().await;
    assert_works(&prepared, &[], "Entra accepts the certificate, which expires on 20", "certificate").await;

    write(&prepared, "app.key", &Key::Second.pkcs8());
    let said = command(&prepared, &["doctor"]).await.output;
    for part in ["✗  8. Credential", "holds the private key of another certificate", "With `client_certificate`"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("secret"), "{said}");
    let other = Key::Second.certificate(-1, 300);
    write(&prepared, "app.pem", &other);
    let said = command(&prepared, &["doctor"]).await.output;
    for part in ["AADSTS700027", "upload the public part of the certificate"] {
        assert!(said.to_lowercase().contains(&part.to_lowercase()), "{part}: {said}");
    }
    let ended = command(&prepared, &["companies"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("AADSTS700027"), "{}", ended.errors);
}

#[tokio::test]
async fn a_federated_token_is_called_one() {
    let prepared = without_secret("federated_token: { file: token.txt }").await;
    let (issuer, subject) = ("https://cluster.example/".to_owned(), "system:serviceaccount:erp:bcproxy".to_owned());
    let credential = FederatedCredential {
        issuer: issuer.clone(),
        subject: subject.clone(),
        audience: "api://AzureADTokenExchange".to_owned(),
        public_key: Some(Key::First.public()),
    };
    prepared.simulator.entra().add_federated_credential(prepared.simulator.settings().client_id, credential);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": issuer, "sub": subject, "aud": "api://AzureADTokenExchange", "iat": now, "nbf": now, "exp": now + 600,
    });
    write(&prepared, "token.txt", &Key::First.token(&claims));
    assert_works(&prepared, &[], "Entra accepts the federated token", "federated token").await;

    std::fs::remove_file(prepared.folder.path().join("token.txt")).unwrap();
    let said = command(&prepared, &["doctor"]).await.output;
    for part in ["✗  8. Credential", "the federated token can't be read", "still being renewed"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[tokio::test]
async fn a_managed_identity_is_called_one() {
    let prepared = without_secret("managed_identity: {}").await;
    let service = prepared.simulator.identity_service(Vec::new()).await.unwrap();
    let endpoint = service.app_service();
    let variables = [("IDENTITY_ENDPOINT", endpoint.as_str()), ("IDENTITY_HEADER", IDENTITY_HEADER)];
    assert_works(
        &prepared,
        &variables,
        "Azure issues this machine a token of the managed identity",
        "managed identity",
    )
    .await;

    let nowhere = [("IDENTITY_ENDPOINT", "http://127.0.0.1:9/x"), ("IDENTITY_HEADER", "x")];
    let said = command_with(&prepared, &["doctor"], &nowhere).await.output;
    for part in ["✗  8. Credential", "use `managed_identity` only on an Azure machine", "Azure portal"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("secret"), "{said}");
}

/// Two applications, the second of which Entra knows with the same secret.
async fn with_two() -> Prepared {
    let plan = Plan::default();
    let own = plan.settings.client_id;
    let item = |client: Uuid| format!("{{ client_id: {client}, client_secret: {{ file: secret.txt }} }}");
    let line = format!("applications: [ {}, {} ]", item(own), item(OTHER));
    let prepared = plan.connector("client_id: -").connector("client_secret: -").connector(&line).prepare().await;
    prepared.simulator.entra().add_secret(OTHER, &prepared.simulator.settings().client_secret);
    prepared
}

#[tokio::test]
async fn each_application_of_several_is_looked_at_by_name() {
    let prepared = with_two().await;
    let own = prepared.simulator.settings().client_id;
    let ended = command(&prepared, &["doctor"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    for client in [own, OTHER] {
        for step in ["Credential", "Application card", "Company"] {
            let is_there =
                |line: &str| line.contains(&format!(". {step} ")) && line.contains(&format!("application {client}"));
            assert!(ended.output.lines().any(is_there), "{step} of {client}: {}", ended.output);
        }
    }
    let ended = command(&prepared, &["token"]).await;
    for client in [own, OTHER] {
        assert!(ended.output.contains(&format!("connector cronus, application {client}")), "{}", ended.output);
    }
    let revealed = command(&prepared, &["token", "--reveal"]).await;
    assert_eq!(revealed.code, Some(2));
    assert!(revealed.errors.contains("--client-id"), "{}", revealed.errors);
    let revealed = command(&prepared, &["token", "--reveal", "--client-id", &OTHER.to_string()]).await;
    assert_eq!(revealed.output.trim().split('.').count(), 3, "{revealed:?}");

    // One that fails keeps nobody from looking at the other, and from listing the companies.
    prepared.simulator.entra().replace_secrets(own, "another");
    let ended = command(&prepared, &["doctor"]).await;
    assert_eq!(ended.code, Some(1));
    let wrong: Vec<&str> = ended.output.lines().filter(|line| line.contains('✗')).collect();
    assert!(matches!(wrong.as_slice(), [line] if line.contains(&format!("application {own}: "))), "{}", ended.output);
    assert!(ended.output.contains(&format!("application {OTHER}, /api: api/v2.0 responds")), "{}", ended.output);
    let ended = command(&prepared, &["token"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains(&format!("application {own}: Entra issued no token")), "{}", ended.errors);
    assert!(ended.output.contains(&format!("application {OTHER}")), "{}", ended.output);
    assert_eq!(command(&prepared, &["companies"]).await.code, Some(0));
}

#[tokio::test]
async fn setup_takes_a_certificate() {
    let prepared = with_certificate().await;
    let settings = prepared.simulator.settings();
    let (tenant, client) = (settings.tenant_id.to_string(), settings.client_id.to_string());
    let set_up = async |key: &str| {
        let options = [
            "--overwrite",
            "--tenant",
            &tenant,
            "--client-id",
            &client,
            "--certificate",
            "app.pem",
            "--private-key",
            key,
            "--environment",
            "Production",
            "--any-company",
        ];
        setup(&prepared.simulator, prepared.folder.path(), &options).await
    };
    write(&prepared, "other.key", &Key::Second.pkcs8());
    let ended = set_up("other.key").await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("holds the private key of another certificate"), "{}", ended.errors);

    assert_eq!(set_up("app.key").await.code, Some(0));
    let written = std::fs::read_to_string(&prepared.file).unwrap();
    assert!(
        written.contains("client_certificate: { certificate: \"") && !written.contains("client_secret"),
        "{written}"
    );
    assert_eq!(command(&prepared, &["doctor"]).await.code, Some(0));
}

/// Makes the simulator reject the next request to this path with a demand for further claims.
pub fn demand_claims(simulator: &Simulator, path_ending: &str) {
    let challenge = "Bearer realm=\"\", error=\"insufficient_claims\", \
         claims=\"eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxIn19fQ==\"";
    let rejection =
        Script::response(StatusCode::UNAUTHORIZED).header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    simulator.business_central().script(Matcher::any().path_ending(path_ending), Times::Next(1), rejection);
}

#[tokio::test]
async fn a_claims_challenge_is_answered_by_every_check() {
    let prepared = Plan::default().prepare().await;
    for (command_line, path) in
        [(&["companies"] as &[&str], "/companies"), (&["doctor"], "/companies"), (&["doctor"], "/companyInformation")]
    {
        let before = prepared.simulator.token_requests();
        demand_claims(&prepared.simulator, path);
        let ended = command(&prepared, command_line).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(prepared.simulator.token_requests() - before, 2, "{command_line:?} {path}");
    }
}
