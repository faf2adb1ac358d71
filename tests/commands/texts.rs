//! Commands that print what bcproxy knows: errors, guide, schema, explanations, its own manual.

use std::path::{Path, PathBuf};

use bcproxy::guide::RejectionCode;
use serde_json::Value;
use tempfile::TempDir;

use crate::{FINE, command, folder};

#[test]
fn a_reader_that_leaves_early_ends_a_command_quietly() {
    let folder = folder(FINE);
    for arguments in [
        &["errors"] as &[&str],
        &["errors", "--markdown"],
        &["schema"],
        &["guide"],
        &["guide", "8"],
        &["man"],
        &["completions", "bash"],
        &["check"],
        &["explain", "GET", "/api/customers"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        // As with `| head`, once it has its lines.
        drop(reader);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bcproxy"));
        command.args(["--config", "proxy.yaml"]).args(arguments);
        let ended = command.current_dir(folder.path()).stdout(writer).output().unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && errors.is_empty(), "{arguments:?}: {}, {errors}", ended.status);
    }
}

/// Operators copy these lines: what they name is what the unit, the image and the compose file name.
#[test]
fn the_documented_commands_run_where_the_service_does() {
    let read = |file: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let (operations, unit) = (read("docs/operations.md"), read("packaging/systemd/bcproxy.service"));
    let (_, command) = operations.split_once("systemd-run ").unwrap();
    let words: Vec<&str> = command.split("```").next().unwrap().split_whitespace().collect();
    let properties = words.windows(2).filter(|pair| pair[0] == "-p").map(|pair| pair[1]);
    let known = |property: &&str| unit.lines().any(|line| line == *property);
    assert_eq!(properties.clone().filter(known).count(), 2, "{:?}", properties.collect::<Vec<_>>());
    for (file, parts) in [
        (
            "docker-compose.yml",
            ["source: ./config, target: /etc/bcproxy", "--owner 10001 config", "--config\", \"/etc/bcproxy"],
        ),
        ("Dockerfile", ["WORKDIR /etc/bcproxy", "USER 10001:10001", "--config\", \"/etc/bcproxy/proxy.yaml"]),
        ("docs/operations.md", ["proxy setup", "--owner 10001 config", "/etc/bcproxy"]),
        (".gitignore", ["/config", "", ""]),
    ] {
        let text = read(file);
        assert!(parts.iter().all(|part| text.contains(part)), "{file}");
    }
}

#[tokio::test]
async fn completions_and_man_pages_know_every_command() {
    let folder = TempDir::new().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = command(folder.path(), &["completions", shell]).await;
        assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
        assert!(ended.output.contains("certificate") && ended.output.contains("renew"), "{shell}: {}", ended.output);
    }
    let ended = command(folder.path(), &["man"]).await;
    assert!(ended.code == Some(0) && ended.output.contains(".TH bcproxy 1"), "{}", ended.output);
    assert!(
        ended.output.contains(".SH EXAMPLES\n.nf\n") && ended.output.contains("bcproxy\\-doctor(1)"),
        "{}",
        ended.output
    );

    assert_eq!(command(folder.path(), &["man", "--dir", "share/man1"]).await.code, Some(0));
    let pages = folder.path().join("share/man1");
    assert!(std::fs::read_to_string(pages.join("bcproxy.1")).unwrap() == ended.output);
    for (page, part) in [("bcproxy-user-add.1", "api\\-key"), ("bcproxy-explain.1", "\n  bcproxy explain GET")] {
        let text = std::fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.contains(part), "{page}: {text}");
    }
    assert!(!pages.join("bcproxy-help.1").exists());
}

#[tokio::test]
async fn schema_and_errors_are_those_in_the_documentation() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for (arguments, file) in [
        (&["schema"] as &[&str], "docs/proxy.schema.json"),
        (&["schema", "--markdown"], "docs/configuration.md"),
        (&["errors", "--markdown"], "docs/errors.md"),
    ] {
        let ended = command(&root, arguments).await;
        assert_eq!(ended.code, Some(0));
        let expected = std::fs::read_to_string(root.join(file)).unwrap();
        assert_eq!(ended.output.trim_end(), expected.trim_end(), "{file}");
    }
}

#[tokio::test]
async fn an_errors_code_leads_to_its_step_and_fix() {
    let folder = TempDir::new().unwrap();
    for code in ["AADSTS7000215", "7000215", "aadsts7000215"] {
        let ended = command(folder.path(), &["errors", code]).await;
        assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""), "{ended:?}");
        assert!(ended.output.contains("not its Secret ID") && ended.output.contains("step 8 of the set-up guide"));
    }
    let ended = command(folder.path(), &["errors", "NoEnvironment", "--output", "json"]).await;
    let said: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!((&said[0]["step"], &said[0]["number"]), (&"environment".into(), &12.into()), "{said}");
    let ended = command(folder.path(), &["errors", "418"]).await;
    assert_eq!((ended.code, ended.output.as_str()), (Some(1), ""));
    assert!(ended.errors.contains("418 I'm a teapot is not bcproxy's"), "{}", ended.errors);
    let ended = command(folder.path(), &["errors", "AADSTS1"]).await;
    assert_eq!((ended.code, ended.output.as_str()), (Some(1), ""));
    assert!(ended.errors.contains("https://login.microsoftonline.com/error?code=1"), "{}", ended.errors);
}

#[tokio::test]
async fn explain_says_how_a_path_begins() {
    let folder = folder(FINE);
    let ended = command(folder.path(), &["explain", "GET", "api/customers"]).await;
    assert_eq!((ended.code, ended.output.as_str()), (Some(2), ""));
    assert!(ended.errors.contains("The path must begin with a slash: /api/customers."), "{}", ended.errors);
    for path in ["/customers", "http://127.0.0.1/customers"] {
        let ended = command(folder.path(), &["explain", "GET", path]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            ended.output.contains("404 Proxy_NoRoute") && ended.output.contains("Try /api/customers."),
            "{ended:?}"
        );
    }
}

#[tokio::test]
async fn guide_prints_a_step_by_number_or_name() {
    let folder = TempDir::new().unwrap();
    let by_number = command(folder.path(), &["guide", "11"]).await;
    assert_eq!((by_number.code, by_number.errors.as_str()), (Some(0), ""));
    for part in ["11. API permission and consent\n", "Click Grant admin consent for", "Next: bcproxy guide 12"] {
        assert!(by_number.output.contains(part), "{part} is not in {}", by_number.output);
    }
    assert_eq!(command(folder.path(), &["guide", "Consent"]).await.output, by_number.output);
    let list = command(folder.path(), &["guide"]).await;
    assert_eq!(list.code, Some(0));
    assert!(list.output.contains("  11  consent          API permission and consent\n"), "{}", list.output);
    let ended = command(folder.path(), &["guide", "17"]).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.errors.contains("Name one from 1 to 16"), "{}", ended.errors);
}

#[tokio::test]
async fn errors_explains_statuses_and_all_codes_of_bcproxy_itself() {
    let folder = TempDir::new().unwrap();
    for (status, parts) in [
        ("401", &["401 Unauthorized", "Only bcproxy sends it", "Proxy_Unauthenticated", "(from bcproxy)"] as &[&str]),
        ("403", &["Proxy_NotAllowed", "403 (from Business Central)", "permission sets do not cover"]),
        ("429", &["429 Too Many Requests", "Proxy_Busy", "429 (from Business Central)"]),
        ("421", &["Proxy_UnknownHost"]),
        ("409", &["409 Conflict", "changed the record"]),
        ("proxy_busy", &["429 Proxy_Busy (from bcproxy)", "Nothing was carried out."]),
    ] {
        let ended = command(folder.path(), &["errors", status]).await;
        assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""), "{ended:?}");
        for part in parts {
            assert!(ended.output.contains(part), "{part} is not in {}", ended.output);
        }
    }
    let page = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md")).unwrap();
    for code in RejectionCode::ALL {
        assert!(page.contains(&format!("{} {}", code.status().as_u16(), code.as_str())), "{code:?}");
    }
    let ended = command(folder.path(), &["errors", "403", "--output", "json"]).await;
    let said: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!((&said[0]["status"], &said[0]["reason"]), (&403.into(), &"Forbidden".into()), "{said}");
    assert!(said.as_array().unwrap()[1..].iter().all(|entry| entry["sender"].is_string()), "{said}");
}
