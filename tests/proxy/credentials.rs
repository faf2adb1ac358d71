//! Every kind of credential, against an Entra that checks all of it, and what is said when one is no good.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bcproxy::config::Config;
use bcproxy::simulator::{FederatedCredential, IDENTITY_HEADER, Simulator, Times};
use hyper::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::certificates::Key;
use crate::process::Process;
use crate::rig::{HeldClock, Plan, Prepared, Rig, send, within};

const CERTIFICATE: &str = "client_certificate: { certificate: app.pem, private_key: app.key }";

fn kind(line: &str) -> Plan {
    Plan::default().connector("client_secret: -").connector(line)
}

/// A rig whose application has a certificate instead of a secret.
async fn with_certificate(key: &str) -> Prepared {
    let prepared = kind(CERTIFICATE).prepare().await;
    let certificate = Key::First.certificate(-1, 300);
    write(&prepared.folder, "app.pem", &certificate);
    write(&prepared.folder, "app.key", key);
    prepared.simulator.entra().replace_secrets(prepared.simulator.settings().client_id, "none of ours");
    prepared.simulator.entra().add_certificate(prepared.simulator.settings().client_id, &certificate);
    prepared
}

fn write(folder: impl AsRef<Path>, name: &str, content: &str) {
    std::fs::write(folder.as_ref().join(name), content).unwrap();
}

async fn assert_works(rig: &Rig) {
    let response = rig.get("/api/customers?$top=1").await;
    assert_eq!(response.status, 200, "{}", response.text());
}

async fn no_token(rig: &Rig) -> String {
    let rejection = rig.get("/api/customers").await.rejection();
    assert_eq!(rejection.code, "Proxy_NoToken", "{}", rejection.message);
    rejection.message
}

#[tokio::test]
async fn a_certificates_key_in_either_form_signs_for_the_application() {
    for key in [Key::First.pkcs8(), Key::First.pkcs1()] {
        let rig = with_certificate(&key).await.start().await;
        assert_works(&rig).await;
        assert_eq!(rig.simulator.token_requests(), 1);
        for round in 2..=4 {
            rig.simulator.revoke_tokens();
            assert_works(&rig).await;
            assert_eq!(rig.simulator.token_requests(), round, "each statement is a fresh one");
        }
    }
}

#[tokio::test]
async fn one_file_may_hold_a_certificate_and_its_key() {
    let prepared = kind("client_certificate: { certificate: app.pem }").prepare().await;
    let certificate = Key::First.certificate(-1, 300);
    write(&prepared.folder, "app.pem", &format!("{}{certificate}", Key::First.pkcs8()));
    prepared.simulator.entra().add_certificate(prepared.simulator.settings().client_id, &certificate);
    assert_works(&prepared.start().await).await;
}

#[tokio::test]
async fn a_certificate_entra_does_not_know_is_named() {
    let prepared = with_certificate(&Key::First.pkcs8()).await;
    prepared.simulator.entra().remove_certificates(prepared.simulator.settings().client_id);
    let message = no_token(&prepared.start().await).await;
    for part in ["AADSTS700027", "Upload the public part", "thumbprints"] {
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_named_with_the_minutes() {
    let prepared = with_certificate(&Key::First.pkcs8()).await;
    prepared.simulator.entra().set_clock(1200);
    let message = no_token(&prepared.start().await).await;
    for part in ["AADSTS700024", "Also, this machine's clock is", "min behind Entra's", "NTP"] {
        assert!(message.contains(part), "{message}");
    }
}

/// A token about the application, as another issuer signs it.
fn kubernetes_token(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut claims = json!({
        "iss": "https://cluster.example/", "sub": "system:serviceaccount:erp:bcproxy", "aud": "api://AzureADTokenExchange",
        "nbf": now, "exp": now + 3600,
    });
    change(&mut claims);
    Key::First.token(&claims)
}

async fn with_federated_token(token: &str) -> Rig {
    let prepared = kind("federated_token: { file: token }").prepare().await;
    write(&prepared.folder, "token", token);
    let credential = FederatedCredential {
        issuer: "https://cluster.example/".to_owned(),
        subject: "system:serviceaccount:erp:bcproxy".to_owned(),
        audience: "api://AzureADTokenExchange".to_owned(),
        public_key: Some(Key::First.public()),
    };
    prepared.simulator.entra().add_federated_credential(prepared.simulator.settings().client_id, credential);
    prepared.start().await
}

#[tokio::test]
async fn a_federated_token_is_read_again_each_time() {
    let rig = with_federated_token(&format!("{}\n", kubernetes_token(|_| {}))).await;
    assert_works(&rig).await;
    write(&rig.folder, "token", "no token");
    rig.simulator.revoke_tokens();
    assert!(rig.get("/api/customers").await.text().contains("AADSTS50027"));
}

#[tokio::test]
async fn what_does_not_fit_the_federated_credential_is_named() {
    let signed_by_another = Key::Second.token(&json!({
        "iss": "https://cluster.example/", "sub": "system:serviceaccount:erp:bcproxy", "aud": "api://AzureADTokenExchange",
        "nbf": 1, "exp": 9_999_999_999_u64,
    }));
    for (token, named) in [
        (kubernetes_token(|claims| claims["iss"] = json!("https://cluster.example")), "AADSTS700211"),
        (kubernetes_token(|claims| claims["aud"] = json!("vault")), "AADSTS700212"),
        (kubernetes_token(|claims| claims["sub"] = json!("system:serviceaccount:erp:Bcproxy")), "AADSTS700213"),
        (kubernetes_token(|claims| claims["exp"] = json!(1000)), "AADSTS700024"),
        (signed_by_another, "AADSTS700027"),
    ] {
        let message = no_token(&with_federated_token(&token).await).await;
        assert!(message.contains(named), "{named}: {message}");
    }
}

/// bcproxy as a process of its own, on a machine with such variables.
async fn on_azure(prepared: &Prepared, variables: &[(&str, &str)]) -> Process {
    Process::run_with(&prepared.file, variables)
}

#[tokio::test]
async fn a_managed_identity_is_used_on_a_virtual_machine_and_in_app_service() {
    let identity = Uuid::from_u128(0x1d);
    for (line, expected_client) in [
        ("managed_identity: {}".to_owned(), None),
        (format!("managed_identity: {{ client_id: {identity} }}"), Some(identity)),
    ] {
        let mut plan = kind(&line);
        if let Some(client_id) = expected_client {
            plan = plan.connector(&format!("client_id: {client_id}"));
        }
        let prepared = plan.prepare().await;
        let service = prepared.simulator.identity_service(vec![identity]).await.unwrap();
        let (imds, app_service) = (service.imds(), service.app_service());
        // A web proxy is nothing to go through on the way to the machine's own service.
        let imds: &[(&str, &str)] =
            &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &imds), ("HTTP_PROXY", "http://127.0.0.1:1")];
        let app_service = &[("IDENTITY_ENDPOINT", app_service.as_str()), ("IDENTITY_HEADER", IDENTITY_HEADER)];
        for variables in [imds, app_service] {
            let mut process = on_azure(&prepared, variables).await;
            let address = within(process.address()).await;
            let response = send(address, hyper::Method::GET, "/api/customers?$top=1", &[], "").await;
            assert_eq!(response.status, 200, "{}", response.text());
            let application = prepared.simulator.received().last().unwrap().application;
            assert_eq!(application, Some(expected_client.unwrap_or(prepared.simulator.settings().client_id)));
        }
        assert_eq!(prepared.simulator.token_requests(), 0, "Entra itself is not asked");
    }
}

#[tokio::test]
async fn a_managed_identity_can_vouch_for_the_application() {
    let identity = Uuid::from_u128(0x1d);
    let prepared = kind(&format!("managed_identity: {{ client_id: {identity} }}")).prepare().await;
    let settings = prepared.simulator.settings().clone();
    let credential = FederatedCredential {
        issuer: format!("https://sts.windows.net/{}/", settings.tenant_id),
        subject: identity.to_string(),
        audience: "api://AzureADTokenExchange".to_owned(),
        public_key: None,
    };
    prepared.simulator.entra().add_federated_credential(settings.client_id, credential);
    let service = prepared.simulator.identity_service(vec![identity]).await.unwrap();
    let mut process = on_azure(&prepared, &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &service.imds())]).await;
    let address = within(process.address()).await;
    let response = send(address, hyper::Method::GET, "/api/customers?$top=1", &[], "").await;
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(prepared.simulator.received().last().unwrap().application, Some(settings.client_id));
}

#[tokio::test]
async fn a_machine_without_the_identity_is_named_and_a_busy_service_asked_again() {
    let prepared = kind(&format!("managed_identity: {{ client_id: {} }}", Uuid::from_u128(0xbad))).prepare().await;
    let service = prepared.simulator.identity_service(Vec::new()).await.unwrap();
    let mut process = on_azure(&prepared, &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &service.imds())]).await;
    let address = within(process.address()).await;
    let response = send(address, hyper::Method::GET, "/api/customers", &[], "").await;
    assert!(response.text().contains("this machine has no such identity"), "{}", response.text());

    let prepared = kind("managed_identity: {}").prepare().await;
    let service = prepared.simulator.identity_service(Vec::new()).await.unwrap();
    service.fail(StatusCode::GONE, Times::Next(2));
    let mut process = on_azure(&prepared, &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &service.imds())]).await;
    let address = within(process.address()).await;
    let mut response = send(address, hyper::Method::GET, "/api/customers", &[], "").await;
    while response.status == 503 {
        response = send(address, hyper::Method::GET, "/api/customers", &[], "").await;
    }
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(service.requests().len(), 3);
}

/// What loading the configuration says of files with these contents; the files need not be there.
async fn said_of(certificate: &str, key: Option<&str>) -> String {
    let prepared = kind(CERTIFICATE).prepare().await;
    write(&prepared.folder, "app.pem", certificate);
    if let Some(key) = key {
        write(&prepared.folder, "app.key", key);
    }
    match Config::load(&prepared.file) {
        Ok(loaded) => loaded.warnings.to_string(),
        Err(mistakes) => mistakes.to_string(),
    }
}

#[tokio::test]
async fn a_certificate_that_can_not_sign_is_named_before_the_proxy_starts() {
    let good = Key::First.certificate(-1, 300);
    let (key, other) = (Key::First.pkcs8(), Key::Second.pkcs8());
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let locked_of_old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let elliptic = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for (what, certificate, key, named) in [
        ("good", good.as_str(), Some(key.as_str()), ""),
        ("no key", &good, None, "can't be read: it does not exist"),
        ("not a key", &good, Some(good.as_str()), "holds no private key"),
        ("another's key", &good, Some(&other), "holds the private key of another certificate"),
        ("a locked key", &good, Some(locked), "encrypted with a password"),
        ("an old locked key", &good, Some(locked_of_old), "encrypted with a password"),
        ("an elliptic key", &good, Some(&elliptic), "use an RSA key"),
        ("no certificate", &key, Some(&key), "holds no certificate in PEM form"),
        ("PKCS#12", "0\u{82}", Some(&key), "PKCS#12 or DER file; convert a .pfx file to PEM with: openssl pkcs12"),
        (
            "damaged",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            Some(&key),
            "damaged certificate",
        ),
        ("ended", &Key::First.certificate(-10, -2), Some(&key), "holds a certificate that expired on"),
        ("not yet valid", &Key::First.certificate(2, 10), Some(&key), "that is not valid before"),
        ("ends soon", &Key::First.certificate(-10, 12), Some(&key), "in 12 days; create a new one"),
    ] {
        let said = said_of(certificate, key).await;
        match named {
            "" => assert_eq!(said, "", "{what}"),
            named => assert!(said.contains(named), "{what} should be named: {said}"),
        }
        assert!(!said.contains("AAAA") && !said.contains("MII"), "{what}: nothing of a file is shown: {said}");
    }
}

#[tokio::test]
async fn a_certificate_that_goes_bad_while_the_proxy_runs_is_named_and_fixed_without_a_restart() {
    let clock = HeldClock::new();
    let rig = with_certificate(&Key::First.pkcs8()).await.start().await;
    assert_works(&rig).await;
    let good = std::fs::read_to_string(rig.folder.path().join("app.pem")).unwrap();
    for (file, content, named) in [
        ("app.key", Key::Second.pkcs8(), "app.key holds the private key of another certificate"),
        ("app.pem", Key::First.certificate(-10, -2), "app.pem holds a certificate that expired on"),
        ("app.pem", Key::First.certificate(2, 10), "app.pem holds a certificate that is not valid before"),
    ] {
        write(&rig.folder, file, &content);
        clock.advance(Duration::from_secs(3600)).await;
        let message = no_token(&rig).await;
        assert!(message.contains(named) && message.contains("see step"), "{named}: {message}");
        write(&rig.folder, "app.pem", &good);
        write(&rig.folder, "app.key", &Key::First.pkcs8());
        let before = rig.simulator.token_requests();
        clock.advance(Duration::from_secs(2)).await;
        within(rig.simulator.entra().wait_for_token_requests(before + 1)).await;
        while rig.get("/api/customers?$top=1").await.status != 200 {}
    }
}

#[tokio::test]
async fn a_list_of_secrets_is_tried_in_order_and_what_entra_said_is_told() {
    type Prepare = fn(&Simulator);
    let expired: Prepare = |simulator| {
        let settings = simulator.settings();
        simulator.entra().expire_secret(settings.client_id, &settings.client_secret);
        simulator.entra().add_secret(settings.client_id, "the-new-one");
    };
    let wrong: Prepare = |simulator| simulator.entra().replace_secrets(simulator.settings().client_id, "the-new-one");
    let clock = HeldClock::new();
    for (prepare, code) in [(expired, "AADSTS7000222"), (wrong, "AADSTS7000215")] {
        let list = "client_secret: [ { file: secret.txt }, { file: new.txt } ]";
        let prepared = Plan::default().connector(list).prepare().await;
        write(&prepared.folder, "new.txt", "the-new-one");
        prepare(&prepared.simulator);
        let config = Config::load(&prepared.file).unwrap().config;
        std::fs::remove_file(prepared.folder.path().join("new.txt")).unwrap();
        let proxy = bcproxy::proxy::Proxy::start(&config).await.unwrap();
        let rig = Rig { simulator: prepared.simulator, proxy, folder: prepared.folder };
        assert!(no_token(&rig).await.contains(code), "more than that the other one is not there");
        write(&rig.folder, "new.txt", "the-new-one\n");
        clock.advance(Duration::from_secs(2)).await;
        within(rig.simulator.entra().wait_for_token_requests(3)).await;
        while rig.get("/api/customers?$top=1").await.status != 200 {}
    }
}

#[tokio::test]
async fn a_secret_that_is_an_id_or_ends_soon_is_warned_of() {
    for (line, content, named) in [
        ("client_secret: { file: s.txt }", "8f2c9b1e-3a4d-4f6e-9b7a-1c2d3e4f5a6b\n", "has the form of a Secret ID"),
        ("client_secret: { file: s.txt, expires: 2020-01-31 }", "x", "the credential expired on 2020-01-31"),
        ("client_secret: { file: s.txt, expires: 2099-01-31 }", "x\n", ""),
    ] {
        let prepared = Plan::default().connector(line).prepare().await;
        write(&prepared.folder, "s.txt", content);
        let said = Config::load(&prepared.file).unwrap().warnings.to_string();
        match named {
            "" => assert_eq!(said, ""),
            named => assert!(said.contains(named), "{said}"),
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_does_not_see_the_variables_that_hold_secrets() {
    // The variable is set everywhere; it stands for another connector's secret, and for a password.
    for other in [
        "client_secret: { env: HOME }",
        "outbound_proxy: { url: 'http://127.0.0.1:1', user: u, password: { env: HOME } }",
        "environment: Production",
    ] {
        let vault = "client_secret: { command: [ sh, -c, 'echo \"${HOME-$EXPECTED}\"' ] }";
        let prepared =
            Plan::default().another_connector("other", &[other]).connector(vault).top(TWO_ROUTES).prepare().await;
        let secret = &prepared.simulator.settings().client_secret;
        let text = std::fs::read_to_string(&prepared.file).unwrap().replace("$EXPECTED", secret);
        std::fs::write(&prepared.file, text).unwrap();
        let status = prepared.start().await.get("/api/customers?$top=1").await.status;
        assert_eq!(status == 200, other.contains("HOME"), "{other}: {status}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn files_that_others_can_read_or_change_are_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let prepared = Plan::default().secured().prepare().await;
    let folder = prepared.folder.path();
    let set = |file: &Path, mode| std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
    let said = || {
        let warnings = Config::load(&prepared.file).unwrap().warnings.to_string();
        // The certificate of tests expires soon.
        warnings.split_inclusive("its owner").filter(|warning| warning.contains("other accounts")).collect::<String>()
    };
    for (name, mode) in [
        ("proxy.yaml", 0o644),
        ("secret.txt", 0o600),
        ("ca.pem", 0o644),
        ("server.pem", 0o644),
        ("server-key.pem", 0o600),
    ] {
        set(&folder.join(name), mode);
    }
    set(folder, 0o755);
    assert_eq!(said(), "");
    for (name, mode, line) in [
        ("proxy.yaml", 0o664, "other accounts of this machine can change this file"),
        ("ca.pem", 0o646, "ca_file: ca.pem"),
        ("server.pem", 0o664, "certificate: server.pem"),
        ("server-key.pem", 0o640, "private_key: ****"),
        ("secret.txt", 0o604, "client_secret: { file: ****"),
        ("secret.txt", 0o620, "client_secret: { file: ****"),
    ] {
        let usual = folder.join(name).metadata().unwrap().permissions();
        set(&folder.join(name), mode);
        let text = said();
        assert!(text.contains("other accounts of this machine can") && text.contains(line), "{name} {mode:o}: {text}");
        assert!(text.contains("and make the account that runs bcproxy its owner"), "{text}");
        set(folder, 0o700);
        assert_eq!(said(), "", "{name}: nobody else reaches the folder");
        set(folder, 0o755);
        std::fs::set_permissions(folder.join(name), usual).unwrap();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_that_hangs_fails_or_prints_nothing_is_named() {
    let clock = HeldClock::new();
    for (argv, named) in [
        ("[ sleep, '1000' ]", "command sleep: it did not finish within 30 s"),
        ("[ 'false' ]", "command false: it failed (exit status: 1)"),
        ("[ 'true' ]", "command true: it printed nothing"),
        ("[ /no/such/vault, read ]", "command /no/such/vault: it can't be started"),
    ] {
        let rig = Plan::default().connector(&format!("client_secret: {{ command: {argv} }}")).start().await;
        let patience = async {
            loop {
                tokio::task::yield_now().await;
                if named.contains("30 s") {
                    clock.advance(Duration::from_secs(1)).await;
                }
            }
        };
        let response = tokio::select! {
            response = rig.get("/api/customers") => response,
            () = patience => unreachable!(),
        };
        let message = response.rejection().message;
        assert!(message.contains(named), "{named}: {message}");
        assert_eq!(rig.simulator.token_requests(), 0);
    }
}

/// With two connectors, a route has to say which.
#[cfg(unix)]
const TWO_ROUTES: &str = "routes: [ { path: /api, to: api/v2.0, connector: cronus } ]";
