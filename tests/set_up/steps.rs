//! What `bcproxy doctor` finds, and what a client is told: with the set-up whole, and with one thing wrong.

use bcproxy::guide::Step;
use bcproxy::simulator::Breakage;
use hyper::Method;
use serde_json::Value;
use tempfile::TempDir;

use crate::command;
use crate::connect_proxy::{Conduct, ConnectProxy, unauthorized};
use crate::process::Process;
use crate::rig::{Plan, Prepared};

const ROUTES: &str = "routes:
  - { path: /api, to: api/v2.0 }
  - { path: /odata, to: odata }
  - { path: /soap, to: soap }
  - { path: /nav, to: nav }
  - { path: /warehouse, to: api/cronus/warehouse/v1.0 }
  - { path: /all, to: environment }";
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
    Rejection(&'static str),
    /// Beside Business Central's answer, which stays as it is.
    Beside(u16, &'static str),
    /// Not at all: nothing fails yet.
    Not,
}
#[tokio::test]
async fn whatever_step_is_broken_doctor_and_client_name_it_and_its_fix() {
    use Told::{Beside, Not, Rejection};
    let tls = "4 of the set-up guide (TLS)";
    let connection = "3 of the set-up guide (Connection)";
    let cases: [(Breakage, Step, &str, Told); 17] = [
        (Breakage::Connection, Step::Connection, "port", Rejection(connection)),
        (Breakage::WebPage, Step::Connection, "intercepting web proxy", Rejection(connection)),
        (Breakage::Tls, Step::Tls, "\"Contoso TLS Inspection\" as a PEM file", Rejection(tls)),
        (Breakage::Clock, Step::Clock, "time service", Not),
        (Breakage::Tenant, Step::Tenant, "compare `tenant_id`", Rejection("6 of the set-up guide (Tenant)")),
        (
            Breakage::Application,
            Step::Application,
            "compare `client_id`",
            Rejection("7 of the set-up guide (Application)"),
        ),
        (
            Breakage::DisabledApplication,
            Step::Application,
            "Enterprise applications",
            Rejection("7 of the set-up guide (Application)"),
        ),
        (Breakage::Secret, Step::Credential, "not its Secret ID", Rejection("8 of the set-up guide (Credential)")),
        (
            Breakage::ExpiredSecret,
            Step::Credential,
            "create a new one",
            Rejection("8 of the set-up guide (Credential)"),
        ),
        (Breakage::Policy, Step::Policy, "Conditional Access", Rejection("9 of the set-up guide (Sign-in policies)")),
        (
            Breakage::Subscription,
            Step::Subscription,
            "Business Central is active",
            Rejection("10 of the set-up guide (Business Central in the tenant)"),
        ),
        (
            Breakage::Consent,
            Step::Consent,
            "click Grant admin consent",
            Rejection("11 of the set-up guide (API permission and consent)"),
        ),
        (
            Breakage::Environment,
            Step::Environment,
            "compare `environment`",
            Rejection("12 of the set-up guide (Environment)"),
        ),
        (Breakage::Card, Step::Card, "Enabled", Rejection("13 of the set-up guide (Application card)")),
        (
            Breakage::Permission,
            Step::PermissionSet,
            "User Permission Sets",
            Beside(403, "14 of the set-up guide (Permission sets)"),
        ),
        (Breakage::Company, Step::Company, "page \"Companies\"", Rejection("15 of the set-up guide (Company)")),
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
        let simulated = prepared.simulator.settings();
        let link =
            format!("/{}/adminconsent?client_id={}&redirect_uri=https", simulated.tenant_id, simulated.client_id);
        assert_eq!(contains(failed["fix"].as_str().unwrap(), &link), step == Step::Consent, "{what}: {failed:#}");
        let not_checked = said["not_checked"].as_array().unwrap();
        let is_after = |name: &Value| Step::ALL.iter().any(|known| known.name() == name && *known > Step::Connection);
        assert!(not_checked.iter().all(is_after), "{what}: {said:#}");
        assert_eq!(not_checked.is_empty(), matches!(step, Step::Clock | Step::Route), "{what}: {said:#}");

        let path = if broken == Breakage::Route { "/warehouse/bins" } else { "/api/customers" };
        let rig = prepared.start().await;
        let response = rig.get(path).await;
        match told {
            Rejection(reference) => {
                let message = response.rejection().message;
                assert!(message.contains(&format!("step {reference}")), "{what}: {message}");
                assert!(contains(&message, client_fix(broken).unwrap_or(fix)), "{what}: {message}");
                // The log and the status page have the same message.
                assert_eq!(message.contains(&link), step == Step::Consent, "{what}: {message}");
            }
            Beside(status, reference) => {
                assert_eq!(response.status.as_u16(), status, "{what}");
                let beside = response.headers["proxy-status"].to_str().unwrap();
                assert!(beside.contains(&format!("received-status={status}")), "{what}: {beside}");
                assert!(beside.contains(&format!("step {reference}")), "{what}: {beside}");
                assert!(contains(&beside.replace("\\\"", "\""), fix), "{what}: {beside}");
                assert!(response.error().0.starts_with(['I', 'B']), "{what}: Business Central's own answer stays");
            }
            Not => assert_eq!(response.status, 200, "{what}"),
        }
    }
}

#[tokio::test]
async fn a_soap_client_is_told_of_a_missing_permission_beside_the_fault() {
    let broken = Some(Breakage::Permission);
    let rig = Plan::default().settings(|settings| settings.broken = broken).start().await;
    let read = r#"<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><Read xmlns="urn:microsoft-dynamics-schemas/page/customer"><No>10000</No></Read></Body></Envelope>"#;
    let headers = [("content-type", "text/xml; charset=utf-8"), ("soapaction", "\"\"")];
    let response = rig.send(Method::POST, "/soap/Page/Customer", &headers, read).await;
    assert_eq!(response.status, 500);
    let beside = response.headers["proxy-status"].to_str().unwrap();
    assert!(beside.starts_with("bcproxy; received-status=500; details="), "{beside}");
    assert!(beside.contains("step 14 of the set-up guide (Permission sets)"), "{beside}");
    assert!(response.text().contains("NavPermissionException"), "Business Central's own fault stays");
    // Another failure is the program's own affair.
    let nonsense = read.replace("Read", "Nonsense");
    let rig = Plan::default().start().await;
    let response = rig.send(Method::POST, "/soap/Page/Customer", &headers, nonsense).await;
    assert_eq!((response.status.as_u16(), response.headers.contains_key("proxy-status")), (500, false));
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
        (nowhere, Step::Name, "spelling of"),
        (no_secret, Step::Credential, "`client_secret` points"),
        (no_roots, Step::Tls, "`ca_file`"),
        (no_scope, Step::Configuration, "remove `scope`"),
        (mistake, Step::Configuration, "Correct the line"),
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

    proxy.conduct(Conduct::ClientResponse(unauthorized("Basic realm=\"x\"")));
    let ended = command(&prepared, &["doctor"]).await;
    assert_eq!(ended.code, Some(1));
    for part in [
        "✗  3. Connection                     Entra at login.simulator.test:",
        &format!("(the outbound proxy {address} answered 407 Proxy Authentication Required)."),
        &format!(
            "→ The outbound proxy requires a user name and password: outbound_proxy: {{ url: http://{address}, user: NAME"
        ),
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
async fn the_first_wrong_step_is_shown_with_its_fix_and_what_could_not_be_looked_at() {
    let prepared = Plan::default().settings(|settings| settings.broken = Some(Breakage::Secret)).prepare().await;
    let ended = command(&prepared, &["doctor"]).await;
    assert_eq!(ended.code, Some(1));
    for part in [
        "✓  7. Application",
        "✗  8. Credential",
        "AADSTS7000215",
        "→ In Entra, open App registrations → the app → Certificates & secrets",
        "→ bcproxy guide 8\n",
        "not checked: Sign-in policies, Business Central in the tenant",
    ] {
        assert!(ended.output.contains(part), "{part}: {}", ended.output);
    }
    assert!(!ended.output.contains(&prepared.simulator.settings().client_secret));
}

#[test]
fn the_guide_has_every_step_and_quotes_what_bcproxy_says() {
    let guide = include_str!("../../docs/setup.md");
    let sections: Vec<&str> = guide.split("\n## ").skip(1).collect();
    assert_eq!(sections.len(), Step::ALL.len());
    for (section, step) in sections.iter().zip(Step::ALL) {
        let heading = section.lines().next().unwrap();
        assert_eq!(heading, format!("{}. {}", step.number(), step.title()));
        for row in section.lines().filter(|line| line.starts_with("| ") && line.contains("AADSTS")) {
            let (code, said) = row.rsplit_once("AADSTS").unwrap().1.split_once(": \"").unwrap();
            let known_error = bcproxy::guide::aadsts(code.parse().unwrap()).unwrap();
            let said = said.split('"').next().unwrap();
            assert!(known_error.to_string().starts_with(said), "AADSTS{code}: {said}");
            assert_eq!(known_error.step, Some(step), "AADSTS{code}");
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
