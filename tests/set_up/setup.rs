//! `bcproxy setup` without questions: what it tries, and what it writes.

use std::path::Path;
use std::sync::Arc;

use bcproxy::simulator::{Breakage, Settings, Simulator};
use tempfile::TempDir;

use crate::connect_proxy::{Conduct, ConnectProxy};
use crate::process::{Ended, Process};
use crate::rig;

/// A simulator, and a folder that holds nothing but its CA.
pub async fn nothing(settings: Settings) -> (Arc<Simulator>, TempDir) {
    let simulator = Arc::new(Simulator::start(settings).await.unwrap());
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("ca.pem"), simulator.ca_pem()).unwrap();
    (simulator, folder)
}

/// Where Entra and Business Central are.
pub fn services<'s>(authority: &'s str, base_url: &'s str) -> [&'s str; 6] {
    ["--authority", authority, "--base-url", base_url, "--ca-file", "ca.pem"]
}

/// All values that are needed without questions; the secret is in a file of the folder.
pub fn complete_options(simulator: &Simulator, folder: &Path) -> Vec<&'static str> {
    options_for(simulator, folder, "CRONUS International Ltd.")
}

fn options_for(simulator: &Simulator, folder: &Path, company: &'static str) -> Vec<&'static str> {
    let settings = simulator.settings();
    std::fs::write(folder.join("the-secret.txt"), &settings.client_secret).unwrap();
    let ids = [settings.tenant_id, settings.client_id].map(|id| &*id.to_string().leak());
    let [tenant, client] = ids;
    vec![
        "--tenant",
        tenant,
        "--client-id",
        client,
        "--client-secret-file",
        "the-secret.txt",
        "--environment",
        "Production",
        "--company",
        company,
        "--listen",
        "127.0.0.1:0",
    ]
}

pub async fn setup(simulator: &Simulator, folder: &Path, options: &[&str]) -> Ended {
    setup_at(&services(simulator.authority(), simulator.base_url()), folder, options).await
}

async fn setup_at(services: &[&str], folder: &Path, options: &[&str]) -> Ended {
    Process::start(&[&["setup", "--non-interactive"], services, options].concat(), folder).end().await
}

#[tokio::test]
async fn setup_without_questions_writes_a_file_that_serves() {
    let (simulator, folder) = nothing(Settings::default()).await;
    let options = options_for(&simulator, folder.path(), "Müller & Söhne's Großhandel");
    let ended = setup(&simulator, folder.path(), &options).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let file = folder.path().join("proxy.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(&simulator.settings().companies[1].id.to_string()), "{text}");

    let again = setup(&simulator, folder.path(), &options).await;
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.errors.contains("already exists") && again.errors.contains("--overwrite"), "{again:?}");

    std::fs::write(&file, text + "admin: off\n").unwrap();
    let mut process = Process::run(&file);
    let address = process.address().await;
    assert_eq!(rig::send(address, hyper::Method::GET, "/api/customers", &[], "").await.status, 200);
}

#[tokio::test]
async fn setup_without_questions_ends_at_the_first_thing_that_is_wrong_and_writes_nothing() {
    let (simulator, folder) = nothing(Settings::default()).await;
    let (tenant, client) = (simulator.settings().tenant_id.to_string(), simulator.settings().client_id.to_string());
    let secret = simulator.settings().client_secret.clone();
    std::fs::write(folder.path().join("right.txt"), &secret).unwrap();
    std::fs::write(folder.path().join("wrong.txt"), "wrong~secret").unwrap();
    let other = "00000000-0000-0000-0000-000000000001";
    let with = |tenant, client, file, environment, company| {
        vec![
            "--tenant",
            tenant,
            "--client-id",
            client,
            "--client-secret-file",
            file,
            "--environment",
            environment,
            "--company",
            company,
            "--wait",
            "0",
        ]
    };
    for (options, part) in [
        (with(other, &client, "right.txt", "Production", "My Company"), "AADSTS90002"),
        (with(&tenant, other, "right.txt", "Production", "My Company"), "does not exist in this tenant"),
        (with(&tenant, &client, "wrong.txt", "Production", "My Company"), "AADSTS7000215"),
        (with(&tenant, &client, "right.txt", "Sandbox", "My Company"), "NoEnvironment"),
        (with(&tenant, &client, "right.txt", "Production", "Nobody's"), "this environment has:"),
    ] {
        let ended = setup(&simulator, folder.path(), &options).await;
        assert_ne!(ended.code, Some(0), "{options:?}");
        assert!(ended.errors.contains(part), "{part}: {ended:?}");
        assert!(!(ended.output + &ended.errors).contains(&secret));
        assert!(!folder.path().join("proxy.yaml").exists());
    }
    for (broken, part) in [(Breakage::Consent, "adminconsent?client_id="), (Breakage::Card, "The card's client ID")] {
        let (simulator, folder) = nothing(Settings { broken: Some(broken), ..Settings::default() }).await;
        std::fs::write(folder.path().join("right.txt"), &secret).unwrap();
        let options = with(&tenant, &client, "right.txt", "Production", "My Company");
        let ended = setup(&simulator, folder.path(), &options).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.output.contains(part) && ended.errors.contains("Nothing was written"), "{ended:?}");
    }
    // Here is no terminal.
    let ended = Process::start(&["setup"], folder.path()).end().await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.errors.contains("--non-interactive"), "{ended:?}");
}

#[tokio::test]
async fn all_missing_options_are_named_before_anything_is_sent() {
    let (simulator, folder) = nothing(Settings::default()).await;
    let ended = setup(&simulator, folder.path(), &["--environment", "Production", "--listen", "0.0.0.0:0"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let (first, options) = ended.errors.split_once('\n').unwrap();
    assert_eq!(first, "Nothing was written. --non-interactive requires these options, too:");
    let missing =
        ["--tenant ID", "--client-id GUID", "--client-secret-file FILE", "--company COMPANY", "--allow-from NETWORK"];
    assert_eq!(options.lines().count(), missing.len(), "{options}");
    for (line, option) in options.lines().zip(missing) {
        assert!(line.trim_start().starts_with(option), "{option}: {line}");
    }
    assert_eq!(simulator.token_requests(), 0);
}

#[tokio::test]
async fn mistakes_of_pasting_a_secret_end_it_before_anything_is_sent() {
    let (simulator, folder) = nothing(Settings::default()).await;
    let options = complete_options(&simulator, folder.path());
    for (wrong, mistake) in [
        ("3f2504e0-4f89-41d3-9a0c-0305e82c3301\n", "This is the Secret ID"),
        ("'simulator~secret-value'", "quotation marks around"),
        ("simulator~\nsecret-value", "a line break in the secret"),
        ("simulator~ secret-value", "a blank before, after or inside"),
    ] {
        std::fs::write(folder.path().join("the-secret.txt"), wrong).unwrap();
        let ended = setup(&simulator, folder.path(), &options).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.errors.contains(mistake) && ended.errors.contains("the-secret.txt"), "{mistake}: {ended:?}");
        assert!(!ended.errors.contains("secret-value"), "{ended:?}");
    }
    let ended =
        setup(&simulator, folder.path(), &[&options[..], &["--client-secret-expires", "2020-01-01"]].concat()).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.errors.contains("2020-01-01 is not in the future"), "{ended:?}");
    assert_eq!((simulator.token_requests(), folder.path().join("proxy.yaml").exists()), (0, false));
}

#[tokio::test]
async fn setup_finds_its_way_through_an_outbound_proxy_and_writes_it_down() {
    let proxy = ConnectProxy::start().await;
    proxy.conduct(Conduct::ConnectFor("Basic c3ZjOmh1bnRlcjI=".to_owned()));
    let (simulator, folder) = nothing(Settings::default()).await;
    let (tenant, client) = (simulator.settings().tenant_id.to_string(), simulator.settings().client_id.to_string());
    std::fs::write(folder.path().join("the-secret.txt"), &simulator.settings().client_secret).unwrap();
    std::fs::write(folder.path().join("proxy.txt"), "hunter2").unwrap();
    let (login, api, url) = (
        simulator.authority().replace("localhost", "login.simulator.test"),
        simulator.base_url().replace("localhost", "api.simulator.test"),
        proxy.url(),
    );
    let options = [
        "--tenant",
        &tenant,
        "--client-id",
        &client,
        "--client-secret-file",
        "the-secret.txt",
        "--environment",
        "Production",
        "--any-company",
        "--outbound-proxy",
        &url,
        "--outbound-proxy-user",
        "svc",
        "--outbound-proxy-password-file",
        "proxy.txt",
    ];
    let ended = setup_at(&services(&login, &api), folder.path(), &options).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let written = std::fs::read_to_string(folder.path().join("proxy.yaml")).unwrap();
    assert!(
        written.contains("outbound_proxy: { url: \"http://127.0.0.1:") && !written.contains("hunter2"),
        "{written}"
    );
    let ended = Process::start(&["doctor"], folder.path()).end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
}

#[tokio::test]
async fn the_azure_cli_commands_show_no_secret() {
    let folder = TempDir::new().unwrap();
    for shell in ["sh", "powershell"] {
        let ended = Process::start(&["setup", "--azure-cli", shell], folder.path()).end().await;
        assert_eq!(ended.code, Some(0));
        for part in [
            "az ad app create",
            "AzureADMyOrg",
            "OAuthLanding.htm",
            "permission add",
            "admin-consent",
            "credential reset",
        ] {
            assert!(ended.output.contains(part), "{shell}: {part}");
        }
        assert!(ended.output.contains("--query password --output tsv"), "it goes into the file alone");
    }
}
