//! The set-up, whole and with one thing wrong: what `bcproxy doctor` finds, what a client is told, what `bcproxy setup` asks and writes.

#[path = "proxy/certificates.rs"]
mod certificates;
#[path = "proxy/connect_proxy.rs"]
mod connect_proxy;
#[path = "proxy/process.rs"]
mod process;
#[path = "proxy/rig.rs"]
mod rig;

use std::path::Path;

use bcproxy::guide::Step;
use bcproxy::simulator::{Breakage, Settings, Simulator};
use connect_proxy::{Conduct, ConnectProxy, unauthorized};
use process::{Ended, Process};
use rig::{Plan, Prepared};
use serde_json::Value;
use tempfile::TempDir;

const ROUTES: &str = "routes:
  - { path: /api, to: api/v2.0 }
  - { path: /odata, to: odata }
  - { path: /soap, to: soap }
  - { path: /nav, to: nav }
  - { path: /warehouse, to: api/cronus/warehouse/v1.0 }
  - { path: /all, to: environment }";

async fn command(prepared: &Prepared, arguments: &[&str]) -> Ended {
    Process::start(arguments, prepared.folder.path()).end().await
}

/// What `bcproxy doctor` says of the only connector.
async fn doctor(prepared: &Prepared) -> (Option<i32>, Value) {
    let ended = command(prepared, &["doctor", "--output", "json"]).await;
    assert_eq!(ended.errors, "");
    let said: Value = serde_json::from_str(&ended.output).unwrap_or_else(|_| panic!("{ended:?}"));
    (ended.code, said["connectors"][0].clone())
}

/// How a client learns what is wrong.
enum Told {
    /// By an answer of the proxy's own.
    Refusal(&'static str),
    /// Beside Business Central's answer, which stays as it is.
    Beside(u16, &'static str),
    /// Not at all: nothing fails yet.
    Not,
}

#[tokio::test]
async fn whatever_step_is_broken_doctor_and_client_name_it_and_its_fix() {
    use Told::{Beside, Not, Refusal};
    let tls = "4 of the set-up guide (TLS)";
    let connection = "3 of the set-up guide (Connection)";
    let cases: [(Breakage, Step, &str, Told); 17] = [
        (Breakage::Connection, Step::Connection, "port", Refusal(connection)),
        (Breakage::WebPage, Step::Connection, "intercepting web proxy", Refusal(connection)),
        (Breakage::Tls, Step::Tls, "\"Contoso TLS Inspection\" as a PEM file", Refusal(tls)),
        (Breakage::Clock, Step::Clock, "time service", Not),
        (Breakage::Tenant, Step::Tenant, "compare `tenant_id`", Refusal("6 of the set-up guide (Tenant)")),
        (
            Breakage::Application,
            Step::Application,
            "compare `client_id`",
            Refusal("7 of the set-up guide (Application)"),
        ),
        (
            Breakage::DisabledApplication,
            Step::Application,
            "Enterprise applications",
            Refusal("7 of the set-up guide (Application)"),
        ),
        (Breakage::Secret, Step::Credential, "not its Secret ID", Refusal("8 of the set-up guide (Credential)")),
        (Breakage::ExpiredSecret, Step::Credential, "create a new one", Refusal("8 of the set-up guide (Credential)")),
        (Breakage::Policy, Step::Policy, "Conditional Access", Refusal("9 of the set-up guide (Sign-in policies)")),
        (
            Breakage::Subscription,
            Step::Subscription,
            "Business Central is active",
            Refusal("10 of the set-up guide (Business Central in the tenant)"),
        ),
        (
            Breakage::Consent,
            Step::Consent,
            "click Grant admin consent",
            Refusal("11 of the set-up guide (API permission and consent)"),
        ),
        (
            Breakage::Environment,
            Step::Environment,
            "compare `environment`",
            Refusal("12 of the set-up guide (Environment)"),
        ),
        (Breakage::Card, Step::Card, "Enabled", Refusal("13 of the set-up guide (Application card)")),
        (
            Breakage::Permission,
            Step::PermissionSet,
            "User Permission Sets",
            Beside(403, "14 of the set-up guide (Permission sets)"),
        ),
        (Breakage::Company, Step::Company, "page \"Companies\"", Refusal("15 of the set-up guide (Company)")),
        (Breakage::Route, Step::Route, "extension", Beside(404, "16 of the set-up guide (Routes)")),
    ];
    assert_eq!(cases.each_ref().map(|case| case.0), Breakage::ALL, "every breakage is tried");

    for (broken, step, fix, told) in cases {
        let what = broken.name();
        let prepared = Plan::default().settings(|settings| settings.broken = Some(broken)).top(ROUTES).prepare().await;
        let (code, said) = doctor(&prepared).await;
        assert_eq!((code, &said["fine"]), (Some(1), &Value::Bool(false)), "{what}: {said:#}");
        let steps = said["steps"].as_array().unwrap();
        let failed: Vec<&Value> = steps.iter().filter(|found| found["passed"] == false).collect();
        let [failed] = failed.as_slice() else { panic!("{what}: {said:#}") };
        assert_eq!(failed["step"], step.name(), "{what}: {said:#}");
        assert!(contains(failed["fix"].as_str().unwrap(), fix), "{what}: {failed:#}");
        assert!(failed["ms"].is_number());
        let not_checked = said["not_checked"].as_array().unwrap();
        let is_after = |name: &Value| Step::ALL.iter().any(|known| known.name() == name && *known > Step::Connection);
        assert!(not_checked.iter().all(is_after), "{what}: {said:#}");

        let path = if broken == Breakage::Route { "/warehouse/bins" } else { "/api/customers" };
        let rig = prepared.start().await;
        let answer = rig.get(path).await;
        match told {
            Refusal(reference) => {
                let message = answer.refusal().message;
                assert!(message.contains(&format!("step {reference}")), "{what}: {message}");
                assert!(contains(&message, client_fix(broken).unwrap_or(fix)), "{what}: {message}");
            }
            Beside(status, reference) => {
                assert_eq!(answer.status.as_u16(), status, "{what}");
                let beside = answer.headers["proxy-status"].to_str().unwrap();
                assert!(beside.contains(&format!("received-status={status}")), "{what}: {beside}");
                assert!(beside.contains(&format!("step {reference}")), "{what}: {beside}");
                assert!(contains(&beside.replace("\\\"", "\""), fix), "{what}: {beside}");
                assert!(answer.error().0.starts_with(['I', 'B']), "{what}: Business Central's own answer stays");
            }
            Not => assert_eq!(answer.status, 200, "{what}"),
        }
    }
}

/// Where a client is told of the way to a service in other words than an administrator who asks.
fn client_fix(broken: Breakage) -> Option<&'static str> {
    match broken {
        Breakage::Connection => Some("check `authority`"),
        Breakage::Tls => Some("name its CA with `ca_file`"),
        Breakage::Company => Some("this environment has:"),
        _ => None,
    }
}

/// In any case: a fix may begin a sentence or go on one.
fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}

#[tokio::test]
async fn what_is_wrong_in_the_file_or_on_this_machine_is_found_too() {
    // A label of more than 63 letters is refused before anybody is asked.
    let nowhere = format!("authority: https://{}.invalid", "x".repeat(64));
    let no_secret = "client_secret: { file: nonsuch.txt }".to_owned();
    let no_roots = "ca_file: secret.txt".to_owned();
    let no_scope = "scope: https://example.com/.default".to_owned();
    let mistake = "tenat_id: x".to_owned();
    for (line, step, fix) in [
        (nowhere, Step::Name, "spelled right"),
        (no_secret, Step::Credential, "`client_secret` says"),
        (no_roots, Step::Tls, "`ca_file`"),
        (no_scope, Step::Configuration, "leave `scope` out"),
        (mistake, Step::Configuration, "Mend the line"),
    ] {
        let prepared = Plan::default().connector(&line).prepare().await;
        let (code, said) = doctor(&prepared).await;
        assert_eq!(code, Some(1));
        let failed = said["steps"].as_array().unwrap().iter().find(|found| found["passed"] == false).unwrap();
        assert_eq!(failed["step"], step.name(), "{line}: {said:#}");
        assert!(contains(failed["fix"].as_str().unwrap(), fix), "{line}: {failed:#}");
    }
}

#[tokio::test]
async fn a_whole_set_up_passes_every_step_and_is_only_looked_at() {
    let prepared = Plan::default().top(ROUTES).prepare().await;
    let (code, said) = doctor(&prepared).await;
    assert_eq!((code, &said["fine"], &said["not_checked"]), (Some(0), &Value::Bool(true), &Value::Array(Vec::new())));
    let steps: Vec<&str> =
        said["steps"].as_array().unwrap().iter().map(|found| found["step"].as_str().unwrap()).collect();
    let once: Vec<&str> = Step::ALL.map(Step::name).to_vec();
    let mut unique = steps.clone();
    unique.dedup();
    assert_eq!(unique, once);
    assert_eq!(steps.iter().filter(|step| **step == "route").count(), 6);
    assert!(prepared.simulator.received().iter().all(|received| received.method == "GET"));
    assert_eq!(prepared.simulator.business_central().writes(), 0);

    let ended = command(&prepared, &["doctor", "cronus"]).await;
    assert_eq!((ended.code, ended.output.matches('✓').count()), (Some(0), 21), "{}", ended.output);
    assert_eq!(command(&prepared, &["doctor", "nonsuch"]).await.code, Some(2));
}

#[tokio::test]
async fn behind_an_outbound_proxy_every_step_goes_through_it_and_doctor_says_so() {
    let proxy = ConnectProxy::start().await;
    let address = proxy.address;
    let line = format!("outbound_proxy: {}", proxy.url());
    let prepared = Plan::default().far().connector(&line).prepare().await;
    let ended = command(&prepared, &["doctor"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    for part in [
        "Name look-up                   the outbound proxy 127.0.0.1 is 127.0.0.1, and looks up the services itself",
        &format!("the outbound proxy {address} connects to login.simulator.test:"),
        &format!("the outbound proxy {address} connects to api.simulator.test:"),
        "Business Central's certificate is from \"bcproxy simulator CA\"",
    ] {
        assert!(ended.output.contains(part), "{part}\n{}", ended.output);
    }
    for arguments in [&["token"] as &[&str], &["companies"]] {
        assert_eq!(command(&prepared, arguments).await.code, Some(0), "{arguments:?}");
    }
    let through = format!("the outbound proxy {address} (`outbound_proxy`)");
    for arguments in [&["check"] as &[&str], &["explain", "GET", "/api/customers"]] {
        let said = command(&prepared, arguments).await.output;
        assert!(said.contains(&through), "{said}");
    }

    proxy.conduct(Conduct::Answer(unauthorized("Basic realm=\"x\"")));
    let ended = command(&prepared, &["doctor"]).await;
    assert_eq!(ended.code, Some(1));
    for part in [
        "✗  3. Connection                     Entra at login.simulator.test:",
        &format!("(the outbound proxy {address} answers 407 Proxy Authentication Required)."),
        &format!("→ It wants a user name and a password: outbound_proxy: {{ url: http://{address}, user: NAME"),
    ] {
        assert!(ended.output.contains(part), "{part}\n{}", ended.output);
    }

    // One nobody can find is a matter of names.
    let line = format!("outbound_proxy: http://{}.invalid:3128", "x".repeat(64));
    let prepared = Plan::default().far().connector(&line).prepare().await;
    let ended = command(&prepared, &["doctor"]).await;
    assert!(ended.output.contains("✗  2. Name look-up"), "{}", ended.output);
    assert!(ended.output.contains("the name of the outbound proxy"), "{}", ended.output);
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
        "setup",
        "--non-interactive",
        "--authority",
        &login,
        "--base-url",
        &api,
        "--ca-file",
        "ca.pem",
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
    let ended = Process::start(&options, folder.path()).end().await;
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
async fn the_first_wrong_step_is_shown_with_its_fix_and_what_could_not_be_looked_at() {
    let prepared = Plan::default().settings(|settings| settings.broken = Some(Breakage::Secret)).prepare().await;
    let ended = command(&prepared, &["doctor"]).await;
    assert_eq!(ended.code, Some(1));
    for part in [
        "✓  7. Application",
        "✗  8. Credential",
        "AADSTS7000215",
        "→ In Entra, App registrations → Certificates & secrets",
        "docs/setup.md#8-credential",
        "not checked after it: Sign-in policies, Business Central in the tenant",
    ] {
        assert!(ended.output.contains(part), "{part}: {}", ended.output);
    }
    assert!(!ended.output.contains(&prepared.simulator.settings().client_secret));
}

#[test]
fn the_guide_has_every_step_and_quotes_what_bcproxy_says() {
    let guide = include_str!("../docs/setup.md");
    let sections: Vec<&str> = guide.split("\n## ").skip(1).collect();
    assert_eq!(sections.len(), Step::ALL.len());
    for (section, step) in sections.iter().zip(Step::ALL) {
        let heading = section.lines().next().unwrap();
        assert_eq!(heading, format!("{}. {}", step.number(), step.title()));
        for row in section.lines().filter(|line| line.starts_with("| ") && line.contains("AADSTS")) {
            let (code, said) = row.rsplit_once("AADSTS").unwrap().1.split_once(": \"").unwrap();
            let trouble = bcproxy::guide::aadsts(code.parse().unwrap()).unwrap();
            let said = said.split('"').next().unwrap();
            assert!(trouble.to_string().starts_with(said), "AADSTS{code}: {said}");
            assert_eq!(trouble.step, Some(step), "AADSTS{code}");
        }
    }
}

#[tokio::test]
async fn the_demo_breaks_what_it_is_told_to() {
    let folder = TempDir::new().unwrap();
    let mut process = Process::start(&["demo", "--break", "consent"], folder.path());
    let line = process.output_line(|line| line.trim_start().starts_with("bcproxy doctor --config ")).await;
    let file = line.trim().rsplit(' ').next().unwrap().to_owned();
    let ended = Process::start(&["doctor", "--config", &file], folder.path()).end().await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.output.contains("✗ 11. API permission and consent"), "{}", ended.output);
    let ended = Process::start(&["demo", "--break", "nonsuch"], folder.path()).end().await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.errors.contains("expired-secret"), "{}", ended.errors);
}

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
    assert!(ended.output.contains("none. The token carries no API.ReadWrite.All"), "{}", ended.output);
    let ended = command(&prepared, &["companies"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("Grant admin consent"), "{}", ended.errors);
}

/// A simulator, and a folder that holds nothing but its CA.
async fn nothing(settings: Settings) -> (Simulator, TempDir) {
    let simulator = Simulator::start(settings).await.unwrap();
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("ca.pem"), simulator.ca_pem()).unwrap();
    (simulator, folder)
}

fn services(simulator: &Simulator) -> Vec<String> {
    ["--authority", simulator.authority(), "--base-url", simulator.base_url(), "--ca-file", "ca.pem"]
        .map(ToOwned::to_owned)
        .to_vec()
}

async fn setup(simulator: &Simulator, folder: &Path, options: &[&str]) -> Ended {
    let mut arguments = vec!["setup".to_owned(), "--non-interactive".to_owned()];
    arguments.extend(services(simulator));
    arguments.extend(options.iter().map(ToString::to_string));
    Process::start(&arguments, folder).end().await
}

#[tokio::test]
async fn setup_without_questions_writes_a_file_that_serves() {
    let (simulator, folder) = nothing(Settings::default()).await;
    let (tenant, client) = (simulator.settings().tenant_id.to_string(), simulator.settings().client_id.to_string());
    let secret = folder.path().join("the-secret.txt");
    std::fs::write(&secret, &simulator.settings().client_secret).unwrap();
    let options = [
        "--tenant",
        &tenant,
        "--client-id",
        &client,
        "--client-secret-file",
        "the-secret.txt",
        "--environment",
        "Production",
        "--company",
        "Müller & Söhne's Großhandel",
        "--listen",
        "127.0.0.1:0",
    ];
    let ended = setup(&simulator, folder.path(), &options).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let file = folder.path().join("proxy.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(&simulator.settings().companies[1].id.to_string()), "{text}");

    let again = setup(&simulator, folder.path(), &options).await;
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.errors.contains("already there") && again.errors.contains("--overwrite"), "{again:?}");

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
        (with(&tenant, other, "right.txt", "Production", "My Company"), "does not know the app"),
        (with(&tenant, &client, "wrong.txt", "Production", "My Company"), "AADSTS7000215"),
        (with(&tenant, &client, "right.txt", "Sandbox", "My Company"), "NoEnvironment"),
        (with(&tenant, &client, "right.txt", "Production", "Nobody's"), "this environment has:"),
        (vec!["--tenant", &tenant], "--client-id is needed"),
    ] {
        let ended = setup(&simulator, folder.path(), &options).await;
        assert_ne!(ended.code, Some(0), "{options:?}");
        assert!(ended.errors.contains(part), "{part}: {ended:?}");
        assert!(!(ended.output + &ended.errors).contains(&secret));
        assert!(!folder.path().join("proxy.yaml").exists());
    }
    for (broken, part) in
        [(Breakage::Consent, "adminconsent?client_id="), (Breakage::Card, "The client ID of the card")]
    {
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

#[cfg(unix)]
mod on_a_terminal {
    use std::os::unix::fs::PermissionsExt;

    use rexpect::session::{PtySession, spawn_command};

    use super::*;
    use crate::certificates::Key;

    const PATIENCE: u64 = 60_000;

    fn start(folder: &Path, simulator: &Simulator) -> PtySession {
        // The terminal shows what is typed, as a real one does: where it stops to, a secret is asked for.
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "stty echo && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_bcproxy")]);
        command.arg("setup").args(services(simulator)).args(["--listen", "127.0.0.1:0"]).current_dir(folder);
        spawn_command(command, Some(PATIENCE)).unwrap()
    }

    /// Types a line once the terminal shows nothing of it: what comes before is thrown away when it stops to.
    fn type_unseen(terminal: &mut PtySession, line: &str) {
        let shows_typing = |terminal: &PtySession| {
            let terminal = terminal.process().get_file_handle().unwrap();
            let told = std::process::Command::new("stty").arg("-a").stdin(terminal).output().unwrap();
            !String::from_utf8(told.stdout).unwrap().contains(" -echo ")
        };
        let deadline = std::time::Instant::now() + std::time::Duration::from_millis(PATIENCE);
        while shows_typing(terminal) {
            assert!(std::time::Instant::now() < deadline, "what is typed is still shown");
        }
        terminal.send_line(line).unwrap();
    }

    /// From nothing to a proxy that answers, with every answer wrong once.
    #[tokio::test(flavor = "multi_thread")]
    async fn setup_leads_from_nothing_to_a_proxy_that_answers() {
        let settings = Settings { broken: Some(Breakage::Consent), ..Settings::default() };
        let (simulator, folder) = nothing(settings).await;
        let simulator = std::sync::Arc::new(simulator);
        let path = folder.path().to_owned();
        let shown = tokio::task::spawn_blocking({
            let simulator = simulator.clone();
            move || answer(&path, &simulator)
        });
        let shown = shown.await.unwrap();
        let secret = &simulator.settings().client_secret;
        assert!(!shown.contains(secret), "{shown}");

        let kept = folder.path().join("client-secret.txt");
        assert_eq!(&std::fs::read_to_string(&kept).unwrap(), secret);
        assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let file = folder.path().join("proxy.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains(secret), "{text}");
        std::fs::write(&file, text + "admin: off\n").unwrap();
        let mut process = Process::run(&file);
        let address = process.address().await;
        let answer = rig::send(address, hyper::Method::GET, "/api/customers?$top=1", &[], "").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains("CRONUS International Ltd."), "{}", answer.text());
    }

    /// Answers the questions; what was shown comes back.
    fn answer(folder: &Path, simulator: &Simulator) -> String {
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
        let mut say = |expected: &str, line: &str| {
            shown += &terminal.exp_string(expected).unwrap_or_else(|error| panic!("{expected}: {error}"));
            terminal.send_line(line).unwrap();
        };
        say("Environment", "Sandbox");
        say("Environment", "");
        // The first of the list.
        say("programs name the company themselves", "");
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
            say("File of the certificate", "alone.pem");
            say("File of its private key", "");
            say("holds no private key", "");
            // The question was asked again before it was answered.
            say("File of the certificate", "both.pem");
            say("File of its private key", "");
            say("Entra takes the credential", "");
            // The last of the list: one up from the first.
            say("programs name the company themselves", "\u{1b}[A");
            terminal.exp_eof().unwrap()
        });
        assert!(told.await.unwrap().contains("Next:"));
        let written = std::fs::read_to_string(folder.path().join("proxy.yaml")).unwrap();
        assert!(written.contains("/both.pem\" }") && written.contains("# company: programs name it"), "{written}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn ctrl_c_ends_it_at_any_question() {
        let (simulator, folder) = nothing(Settings::default()).await;
        let path = folder.path().to_owned();
        let told = tokio::task::spawn_blocking(move || {
            let settings = simulator.settings();
            let mut terminal = start(&path, &simulator);
            for (question, answer) in [
                ("Directory (tenant) ID", settings.tenant_id.to_string()),
                ("Application (client) ID", settings.client_id.to_string()),
                ("a certificate", String::new()),
            ] {
                terminal.exp_string(question).unwrap();
                terminal.send_line(&answer).unwrap();
            }
            terminal.exp_string("Client secret").unwrap();
            type_unseen(&mut terminal, &settings.client_secret);
            terminal.exp_string("Environment").unwrap();
            terminal.send_control('c').unwrap();
            terminal.exp_eof().unwrap()
        });
        assert!(told.await.unwrap().contains("Stopped; nothing was written"));
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
            terminal.exp_string("already there. Replace it?").unwrap();
            terminal.send_line("n").unwrap();
            terminal.exp_eof().unwrap()
        });
        assert!(told.await.unwrap().contains("Nothing was written"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    }
}
