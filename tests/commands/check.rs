//! `bcproxy check`, and what begins without a usable file.

use std::net::Ipv4Addr;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::Process;
use crate::{FINE, command, folder};

const FIVE_MISTAKES: &str = "\
listen: 127.0.0.1:99999
connectors:
  cronus:
    tenant_id: contoso.onmicrosoft.com
    client_id: not-a-guid
    client_secret: { file: secret.txt }
    timeouts: { head: 10 }
    compani: CRONUS
routes:
  - { path: api, to: api/v2.0 }
";

#[tokio::test]
async fn check_finds_every_mistake_and_its_place() {
    let folder = folder(FIVE_MISTAKES);
    let ended = command(folder.path(), &["check"]).await;
    assert_eq!((ended.code, ended.output.as_str()), (Some(2), ""));
    let locations: Vec<&str> = ended.errors.lines().filter_map(|line| line.trim().strip_prefix("--> ")).collect();
    assert_eq!(locations, ["1:9", "5:16", "7:23", "8:5", "10:13"].map(|location| format!("proxy.yaml:{location}")));
    assert_eq!(ended.errors.matches("error: ").count(), 5);
    assert_eq!(ended.errors.matches("= help: ").count(), 5);
    assert!(ended.errors.contains("did you mean `company`?"), "{}", ended.errors);

    let ended = command(folder.path(), &["check", "--output", "json"]).await;
    assert_eq!((ended.code, ended.errors.as_str()), (Some(2), ""));
    let said: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!(said["fine"], false);
    let findings = said["findings"].as_array().unwrap();
    let locations: Vec<_> =
        findings.iter().map(|finding| (finding["line"].as_u64(), finding["column"].as_u64())).collect();
    assert_eq!(
        locations,
        [(1, 9), (5, 16), (7, 23), (8, 5), (10, 13)].map(|(line, column)| (Some(line), Some(column)))
    );
    assert!(findings.iter().all(|finding| finding["severity"] == "error" && finding["help"].is_string()));
}

#[tokio::test]
async fn check_never_prints_a_secret_that_stands_in_the_file() {
    let folder = folder(&FINE.replace("{ file: secret.txt }", "hunter2~Q8"));
    for arguments in [&["check"] as &[&str], &["check", "--output", "json"], &["run"], &["health"]] {
        let ended = command(folder.path(), arguments).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        let said = ended.output + &ended.errors;
        assert!(!said.contains("hunter2") && said.contains("a secret is never written in this file"), "{said}");
    }
}

#[tokio::test]
async fn check_says_what_a_fine_file_does() {
    let folder = folder(FINE);
    let ended = command(folder.path(), &["check"]).await;
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
    assert!(ended.output.contains("/api → api/v2.0, connector cronus, environment Production, company CRONUS"));
    let ended = command(folder.path(), &["check", "--output", "json"]).await;
    assert_eq!(ended.code, Some(0));
    let said: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!(said, serde_json::json!({"fine": true, "findings": []}));
}

/// A terminal has not the variables of the service.
#[tokio::test]
async fn check_warns_of_a_variable_that_only_the_service_may_have() {
    let text = FINE.replace("{ file: secret.txt }", "{ env: BC_CLIENT_SECRET }");
    let folder =
        folder(&format!("{text}    outbound_proxy: {{ url: 'http://p:1', user: u, password: {{ env: P }} }}\n"));
    let ended = command(folder.path(), &["check"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.output.contains("proxy.yaml has no mistakes."), "{ended:?}");
    assert_eq!(ended.errors.matches("warning: the environment variable named here is not set").count(), 2, "{ended:?}");
    let how = if cfg!(windows) { "setx" } else { "EnvironmentFile=" };
    assert!(ended.errors.contains("--> proxy.yaml:7:27") && ended.errors.contains(how), "{ended:?}");

    let ended = command(folder.path(), &["check", "--output", "json"]).await;
    let said: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!((ended.code, &said["fine"]), (Some(0), &true.into()), "{said}");
    assert_eq!((&said["findings"][0]["severity"], &said["findings"][0]["line"]), (&"warning".into(), &7.into()));

    // The service itself needs it; an empty one is a mistake for both.
    assert_eq!(command(folder.path(), &["run"]).await.code, Some(2));
    let empty = Process::start_with(&["check"], folder.path(), &[("P", "")]).end().await;
    assert!(empty.code == Some(2) && empty.errors.contains("variable named here is empty"), "{empty:?}");
}

#[tokio::test]
async fn without_a_file_bcproxy_names_the_commands_to_begin_with() {
    let folder = TempDir::new().unwrap();
    for arguments in [&[] as &[&str], &["run"], &["check"], &["doctor"], &["status"]] {
        let ended = command(folder.path(), arguments).await;
        let said = format!("{}{}", ended.output, ended.errors);
        assert_eq!(ended.code, Some(if arguments == ["doctor"] { 1 } else { 2 }), "{arguments:?}: {said}");
        for next in ["proxy.yaml", "`bcproxy setup`", "`bcproxy demo`", "--config"] {
            assert!(said.contains(next), "{arguments:?}: {next} is not in {said}");
        }
    }
}

#[tokio::test]
async fn check_does_not_say_that_an_ended_credential_works() {
    let folder = folder(&FINE.replace("{ file: secret.txt }", "{ file: secret.txt, expires: 2020-01-31 }"));
    let ended = command(folder.path(), &["check"]).await;
    assert_eq!(ended.code, Some(0));
    assert!(ended.errors.contains("expired on 2020-01-31") && ended.errors.contains("replace it now"), "{ended:?}");
    assert!(!ended.errors.contains("until then"), "{ended:?}");
}

#[tokio::test]
async fn what_can_not_be_served_ends_with_2_and_says_why() {
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (text, reasons) in [
        (FIVE_MISTAKES.to_owned(), vec!["proxy.yaml:5:16"]),
        (FINE.replace("127.0.0.1:0", &address), vec!["listen:", &address, "another program"]),
        (FINE.replace("admin: off", &format!("admin: {{ listen: '{address}' }}")), vec!["admin:", &address]),
        (format!("{FINE}    ca_file: nonsuch.pem\n"), vec!["proxy.yaml:11:14", "can't be read"]),
        (format!("{FINE}    ca_file: secret.txt\n"), vec!["proxy.yaml:11:14", "PEM"]),
        (FINE.replace("{ file: secret.txt }", "{ env: BC_CLIENT_SECRET }"), vec!["proxy.yaml:7:27", "not set"]),
        (FINE.replace("secret.txt", "nonsuch.txt"), vec!["proxy.yaml:7:28", "can't be read"]),
    ] {
        let folder = folder(&text);
        // Without a command it runs too.
        for arguments in [&["run"] as &[&str], &[]] {
            let ended = command(folder.path(), arguments).await;
            assert_eq!((ended.code, ended.output.as_str()), (Some(2), ""), "{ended:?}");
            for reason in &reasons {
                assert!(ended.errors.contains(reason), "{reason} is not in {}", ended.errors);
            }
        }
    }
    let folder = folder(FINE);
    for arguments in
        [&["run", "--config", "nonsuch.yaml"] as &[&str], &["health", "--config", "nonsuch.yaml"], &["frob"]]
    {
        assert_eq!(command(folder.path(), arguments).await.code, Some(2), "{arguments:?}");
    }
}
