//! Commands that talk to a running bcproxy whose admin listener other computers can reach.
#![cfg(unix)]

use std::net::SocketAddr;
use std::path::Path;

use crate::process::{Ended, Process, message};
use crate::rig::{Plan, Prepared, certify};

const TOKEN: &str = "the-token-of-the-tests";

const LISTEN: &str = "{ address: 0.0.0.0:0, tls: { certificate: server.pem, private_key: server-key.pem } }";

/// The files of a bcproxy with an admin listener at this address, and a file with the token.
async fn prepared(listen: &str) -> Prepared {
    let admin = format!("admin: {{ listen: {listen}, token: {{ file: token.txt }}, allow_from: [127.0.0.1] }}");
    let prepared = Plan::default().top(&admin).prepare().await;
    certify(prepared.folder.path());
    std::fs::write(prepared.folder.path().join("token.txt"), TOKEN).unwrap();
    prepared
}

/// Starts bcproxy, and writes a second file that names the port of its admin listener, which the system has chosen.
async fn start(prepared: &Prepared, scheme: &str) -> Process {
    let mut process = Process::run(&prepared.file);
    let line = process.log_line(|line| message(line).starts_with("status page on ")).await;
    let address = message(&line).trim_start_matches("status page on ").trim_end_matches('/');
    let address: SocketAddr = address.strip_prefix(scheme).unwrap().strip_prefix("://").unwrap().parse().unwrap();
    let text = std::fs::read_to_string(&prepared.file).unwrap();
    let named = text.replace("0.0.0.0:0", &address.to_string()).replace("127.0.0.1:0,", &format!("{address},"));
    std::fs::write(prepared.folder.path().join("asking.yaml"), named).unwrap();
    process.log_line(|line| message(line) == "connector is ready").await;
    process
}

async fn ask(folder: &Path, arguments: &[&str]) -> Ended {
    Process::start(&[arguments, &["--config", "asking.yaml"]].concat(), folder).end().await
}

#[tokio::test]
async fn commands_use_https_with_the_certificate_and_the_token_of_the_file() {
    let prepared = prepared(LISTEN).await;
    let folder = prepared.folder.path();
    let mut process = start(&prepared, "https").await;
    let status = ask(folder, &["status"]).await;
    assert!(status.code == Some(0) && status.output.contains("cronus"), "{status:?}");
    assert_eq!(ask(folder, &["health"]).await.code, Some(0));
    let reload = ask(folder, &["reload"]).await;
    assert!(reload.code == Some(0) && reload.output.contains("the configuration was reloaded"), "{reload:?}");

    // Another token than that of the running bcproxy, and none.
    let asking = std::fs::read_to_string(folder.join("asking.yaml")).unwrap();
    std::fs::write(folder.join("other.txt"), "another-token-of-the-tests").unwrap();
    for (source, said) in [("{ file: other.txt }", "The token is wrong."), ("{ file: none.txt }", "none.txt")] {
        std::fs::write(folder.join("asking.yaml"), asking.replace("{ file: token.txt }", source)).unwrap();
        for command in ["stop", "reload", "status", "health"] {
            let ended = ask(folder, &[command]).await;
            assert!(ended.code == Some(1) && ended.errors.contains(said), "{ended:?}");
            assert!(!ended.errors.contains("another-token") && !ended.output.contains("cronus"), "{ended:?}");
        }
    }
    // Another certificate, though one of the same name: its holder gets no token.
    std::fs::create_dir(folder.join("other")).unwrap();
    certify(&folder.join("other"));
    std::fs::write(
        folder.join("asking.yaml"),
        asking.replace("certificate: server.pem", "certificate: other/server.pem"),
    )
    .unwrap();
    let ended = ask(folder, &["stop"]).await;
    assert!(ended.code == Some(1) && ended.errors.contains("does not respond"), "{ended:?}");

    std::fs::write(folder.join("asking.yaml"), asking).unwrap();
    assert_eq!(ask(folder, &["stop"]).await.code, Some(0));
    process.log_line(|line| message(line) == "stopped").await;
    let Ended { code, output, errors } = process.end().await;
    assert_eq!(code, Some(0));
    assert!(!errors.contains(TOKEN) && !output.contains(TOKEN) && !errors.contains("another-token"), "{errors}");
}

#[tokio::test]
async fn orders_on_loopback_send_the_token_and_a_changed_file_of_it_counts_at_once() {
    let prepared = prepared("127.0.0.1:0").await;
    let folder = prepared.folder.path();
    let mut process = start(&prepared, "http").await;
    assert_eq!(ask(folder, &["reload"]).await.code, Some(0));
    std::fs::write(folder.join("token.txt"), "another-token-of-the-tests").unwrap();
    process.log_line(|line| message(line).starts_with("a file has changed: the configuration was reloaded")).await;
    assert_eq!(ask(folder, &["reload"]).await.code, Some(0));
    std::fs::write(folder.join("old.txt"), TOKEN).unwrap();
    let asking = std::fs::read_to_string(folder.join("asking.yaml")).unwrap();
    std::fs::write(folder.join("asking.yaml"), asking.replace("token.txt", "old.txt")).unwrap();
    let ended = ask(folder, &["stop"]).await;
    assert!(ended.code == Some(1) && ended.errors.contains("The token is wrong."), "{ended:?}");
    assert_eq!(ask(folder, &["status"]).await.code, Some(0), "who reads needs no token there");
    assert_eq!(ask(folder, &["health"]).await.code, Some(0));
}

#[tokio::test]
async fn off_loopback_bcproxy_does_not_start_without_networks_token_or_a_token_that_is_hard_to_guess() {
    let secured = |address: &str| LISTEN.replace("0.0.0.0:0", address);
    for (admin, said) in [
        ("{ listen: 0.0.0.0:0, token: { file: token.txt } }".to_owned(), "`admin` has no `allow_from`"),
        (
            format!("{{ listen: {}, token: {{ file: token.txt }} }}", secured("0.0.0.0:0")),
            "`admin` has no `allow_from`",
        ),
        (format!("{{ listen: {}, allow_from: [127.0.0.1] }}", secured("'[::]:0'")), "`admin` has no `token`"),
        (
            format!("{{ listen: {}, allow_from: [127.0.0.1], token: hunter2-hunter2 }}", secured("0.0.0.0:0")),
            "never written",
        ),
        (
            format!("{{ listen: {}, allow_from: [127.0.0.1], token: {{ file: no.txt }} }}", secured("0.0.0.0:0")),
            "can't be read",
        ),
        (
            format!("{{ listen: {}, allow_from: [127.0.0.1], token: {{ file: short.txt }} }}", secured("0.0.0.0:0")),
            "can be guessed",
        ),
        (
            format!(
                "{{ listen: {}, allow_from: [127.0.0.1], token: {{ command: [echo, short] }} }}",
                secured("0.0.0.0:0")
            ),
            "fewer than 16 characters",
        ),
    ] {
        let prepared = Plan::default().top(&format!("admin: {admin}")).prepare().await;
        certify(prepared.folder.path());
        std::fs::write(prepared.folder.path().join("token.txt"), TOKEN).unwrap();
        std::fs::write(prepared.folder.path().join("short.txt"), "hunter2-hunter2").unwrap();
        let ended = Process::run(&prepared.file).end().await;
        assert!(ended.code.is_some_and(|code| code > 0) && ended.errors.contains(said), "{said} in {ended:?}");
        assert!(!ended.errors.contains("hunter2"), "{ended:?}");
    }
}
