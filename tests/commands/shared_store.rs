//! What the commands say about the shared store.

use serde_json::Value;

use crate::{FINE, command, folder};

/// The file without mistakes, with a shared store at a port on which nothing listens.
fn with_store() -> tempfile::TempDir {
    folder(&format!("{FINE}shared_limits: {{ url: 'redis://127.0.0.1:1' }}\n"))
}

#[tokio::test]
async fn check_reads_the_keys_of_the_shared_store_and_does_not_connect() {
    let ended = command(with_store().path(), &["check"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    let keys = "shared_limits: { url: rediss://localhost, password: { file: none.txt }, ca_file: none.pem }\n";
    let ended = command(folder(&format!("{FINE}{keys}")).path(), &["check"]).await;
    assert_eq!((ended.code, ended.errors.matches("error: ").count()), (Some(2), 2), "{}", ended.errors);
}

#[tokio::test]
async fn doctor_checks_the_shared_store_after_all_connectors() {
    let folder = with_store();
    let ended = command(folder.path(), &["doctor"]).await;
    assert_eq!(ended.code, Some(1));
    let (connector, store) = ended.output.split_once("shared store redis://127.0.0.1:1/0\n").unwrap();
    assert!(connector.starts_with("cronus\n"), "{connector}");
    for text in ["  ✗ Connection", "127.0.0.1:1 can't be reached", "→ Check that", "not checked: TLS, Sign-in, Version"]
    {
        assert!(store.contains(text), "{text} in {store}");
    }
    let ended = command(folder.path(), &["doctor", "--output", "json"]).await;
    let said: Value = serde_json::from_str(&ended.output).unwrap();
    let store = &said["shared_store"];
    assert_eq!((&store["address"], &store["fine"]), (&"redis://127.0.0.1:1/0".into(), &false.into()));
    let check = &store["checks"][0];
    assert_eq!((&check["check"], &check["passed"]), (&"connection".into(), &false.into()));
    assert!(check["wrong"].is_string() && check["fix"].is_string() && store["checks"][1].is_null(), "{store}");
    let ended = command(folder.path(), &["doctor", "cronus"]).await;
    assert!(!ended.output.contains("shared store"), "{}", ended.output);
}
