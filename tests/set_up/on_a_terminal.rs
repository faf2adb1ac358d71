//! `bcproxy setup` on a terminal: what it asks, and what comes of the answers.

use std::os::unix::fs::PermissionsExt;

use rexpect::session::PtySession;

use std::path::Path;

use bcproxy::simulator::{Breakage, Settings, Simulator};

use crate::certificates::Key;
use crate::credentials::demand_claims;
use crate::process::Process;
use crate::rig;
use crate::setup::{nothing, services};
use crate::terminal::{self, type_unseen};

fn start(folder: &Path, simulator: &Simulator) -> PtySession {
    let services = services(simulator.authority(), simulator.base_url());
    let arguments: Vec<&str> =
        ["setup"].into_iter().chain(services.iter().map(AsRef::as_ref)).chain(["--listen", "127.0.0.1:0"]).collect();
    terminal::start(&arguments, folder)
}

/// From nothing to a proxy that answers, with every answer wrong once.
#[tokio::test(flavor = "multi_thread")]
async fn setup_leads_from_nothing_to_a_proxy_that_responses() {
    let settings = Settings { broken: Some(Breakage::Consent), ..Settings::default() };
    let (simulator, folder) = nothing(settings).await;
    let simulator = std::sync::Arc::new(simulator);
    let path = folder.path().to_owned();
    let shown = tokio::task::spawn_blocking({
        let simulator = simulator.clone();
        move || response(&path, &simulator)
    });
    let shown = shown.await.unwrap();
    let secret = &simulator.settings().client_secret;
    assert!(!shown.contains(secret), "{shown}");

    let retained = folder.path().join("client-secret.txt");
    assert_eq!(&std::fs::read_to_string(&retained).unwrap(), secret);
    assert_eq!(retained.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let file = folder.path().join("proxy.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(secret), "{text}");
    std::fs::write(&file, text + "admin: off\n").unwrap();
    let mut process = Process::run(&file);
    let address = process.address().await;
    let response = rig::send(address, hyper::Method::GET, "/api/customers?$top=1", &[], "").await;
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(response.text().contains("CRONUS International Ltd."), "{}", response.text());
}

/// Answers the questions; what was shown comes back.
fn response(folder: &Path, simulator: &Simulator) -> String {
    let settings = simulator.settings();
    let mut terminal = start(folder, simulator);
    let mut shown = String::new();
    let mut say = |expected: &str, line: &str| {
        shown += &terminal.exp_string(expected).unwrap_or_else(|error| panic!("{expected}: {error}"));
        match expected {
            "Client secret" => type_unseen(&mut terminal, line),
            _ => assert!(terminal.send_line(line).is_ok()),
        }
    };
    say("Directory (tenant) ID", "contoso.onmicrosoft.com");
    say("AADSTS90002", "");
    // The question was asked again before it was answered.
    say("Directory (tenant) ID", &settings.tenant_id.to_string());
    say("Application (client) ID", "00000000-0000-0000-0000-000000000001");
    say("Application (client) ID", &settings.client_id.to_string());
    // The first of the list.
    say("a certificate", "");
    say("Client secret", "00000000-0000-0000-0000-000000000002");
    say("looks like the Secret ID", "n");
    say("Client secret", "wrong~secret");
    say("Client secret", &settings.client_secret);
    shown += &terminal.exp_string("/adminconsent?client_id=").unwrap();
    shown += &terminal.exp_string("Waiting for consent").unwrap();
    simulator.entra().set_roles(&["API.ReadWrite.All"]);
    // A typed secret serves for a second token, too.
    demand_claims(simulator, "/companies");
    let mut say = |expected: &str, line: &str| {
        shown += &terminal.exp_string(expected).unwrap_or_else(|error| panic!("{expected}: {error}"));
        terminal.send_line(line).unwrap();
    };
    say("Environment", "Sandbox");
    say("Environment", "");
    // The first of the list.
    say("clients name the company in each request", "");
    shown += &terminal.exp_string("It works").unwrap();
    shown + &terminal.exp_eof().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_asks_for_a_certificate_until_it_is_a_good_one() {
    let (simulator, folder) = nothing(Settings::default()).await;
    let certificate = Key::First.certificate(-1, 300);
    simulator.entra().add_certificate(simulator.settings().client_id, &certificate);
    std::fs::write(folder.path().join("both.pem"), certificate.clone() + &Key::First.pkcs8()).unwrap();
    std::fs::write(folder.path().join("alone.pem"), certificate).unwrap();
    let path = folder.path().to_owned();
    let told = tokio::task::spawn_blocking(move || {
        let settings = simulator.settings();
        let mut terminal = start(&path, &simulator);
        let mut say = |expected: &str, line: &str| {
            terminal.exp_string(expected).unwrap_or_else(|error| panic!("{expected}: {error}"));
            terminal.send_line(line).unwrap();
        };
        say("Directory (tenant) ID", &settings.tenant_id.to_string());
        say("Application (client) ID", &settings.client_id.to_string());
        // One down.
        say("a certificate", "\u{1b}[B");
        say("Certificate file", "alone.pem");
        say("Private key file", "");
        say("holds no private key", "");
        // The question was asked again before it was answered.
        say("Certificate file", "both.pem");
        say("Private key file", "");
        say("Entra accepted the credential", "");
        // The last of the list: one up from the first.
        say("clients name the company in each request", "\u{1b}[A");
        terminal.exp_eof().unwrap()
    });
    assert!(told.await.unwrap().contains("Next:"));
    let written = std::fs::read_to_string(folder.path().join("proxy.yaml")).unwrap();
    assert!(written.contains("/both.pem\" }") && written.contains("# company: clients name it"), "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_it_at_any_question() {
    let (simulator, folder) = nothing(Settings::default()).await;
    let path = folder.path().to_owned();
    let told = tokio::task::spawn_blocking(move || {
        let settings = simulator.settings();
        let mut terminal = start(&path, &simulator);
        for (question, response) in [
            ("Directory (tenant) ID", settings.tenant_id.to_string()),
            ("Application (client) ID", settings.client_id.to_string()),
            ("a certificate", String::new()),
        ] {
            terminal.exp_string(question).unwrap();
            terminal.send_line(&response).unwrap();
        }
        terminal.exp_string("Client secret").unwrap();
        type_unseen(&mut terminal, &settings.client_secret);
        terminal.exp_string("Environment").unwrap();
        terminal.send_control('c').unwrap();
        terminal.exp_eof().unwrap()
    });
    assert!(told.await.unwrap().contains("Stopped. Nothing was written"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the CA alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_replaces_nothing_without_asking() {
    let (simulator, folder) = nothing(Settings::default()).await;
    let file = folder.path().join("proxy.yaml");
    std::fs::write(&file, "mine").unwrap();
    let path = folder.path().to_owned();
    let told = tokio::task::spawn_blocking(move || {
        let mut terminal = start(&path, &simulator);
        terminal.exp_string("already exists. Replace it?").unwrap();
        terminal.send_line("n").unwrap();
        terminal.exp_eof().unwrap()
    });
    assert!(told.await.unwrap().contains("Nothing was written"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}
