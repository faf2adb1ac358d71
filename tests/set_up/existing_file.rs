//! `bcproxy setup` where a configuration file exists: nothing changes unseen.

use std::path::Path;
use std::sync::Arc;

use bcproxy::simulator::{Settings, Simulator};
use tempfile::TempDir;

use crate::dialog::{Dialog, talk};
use crate::setup::{complete_options, nothing, setup};

const MINE: &str = "listen: 127.0.0.1:9999\nlog: { level: warn }\n";
const SAMPLE: &str = include_str!("../../proxy.yaml");

async fn folder_with(text: &str) -> (Arc<Simulator>, TempDir) {
    let (simulator, folder) = nothing(Settings::default()).await;
    std::fs::write(folder.path().join("proxy.yaml"), text).unwrap();
    (simulator, folder)
}

/// Answers everything up to the last questions, which `last` answers.
async fn dialog(simulator: Arc<Simulator>, folder: &Path, last: impl FnOnce(&mut Dialog) + Send + 'static) -> String {
    talk(&simulator, folder, &["--listen", "127.0.0.1:0"], |dialog, simulator| {
        dialog.connect(simulator.settings());
        dialog.say("HTTPS", "");
        last(dialog);
    })
    .await
}

fn read(folder: &TempDir, name: &str) -> String {
    std::fs::read_to_string(folder.path().join(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_file_is_replaced_after_its_difference_and_a_yes() {
    let (simulator, folder) = folder_with(MINE).await;
    let shown = dialog(simulator, folder.path(), |dialog| dialog.say("Replace proxy.yaml?", "y")).await;
    let (start, end) = shown.split_once("It works").unwrap();
    assert!(start.contains("proxy.yaml already exists. In the end, setup shows what would change"), "{start}");
    for line in ["-listen: 127.0.0.1:9999", "-log: { level: warn }", "+listen: \"127.0.0.1:0\"", "+connectors:"] {
        assert!(end.contains(line), "{line}: {end}");
    }
    assert!(read(&folder, "proxy.yaml").contains("connectors:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_no_another_file_is_written() {
    let (simulator, folder) = folder_with(MINE).await;
    std::fs::write(folder.path().join("client-secret.txt"), "that of another app").unwrap();
    let shown = dialog(simulator, folder.path(), |dialog| {
        dialog.say("the new secret goes to client-secret-2.txt.", "n");
        dialog.say("Replace proxy.yaml?", "n");
        dialog.say("New file in the same folder [proxy-2.yaml]:", "../elsewhere.yaml");
        dialog.see("write a file name without a folder");
        dialog.say("New file in the same folder [proxy-2.yaml]:", "proxy.yaml");
        dialog.say("Replace proxy.yaml?", "n");
        dialog.say("New file in the same folder [proxy-2.yaml]:", "");
    })
    .await;
    assert!(shown.contains("Wrote proxy-2.yaml") && shown.contains("bcproxy doctor --config proxy-2.yaml"), "{shown}");
    assert_eq!(read(&folder, "proxy.yaml"), MINE);
    assert_eq!(read(&folder, "client-secret.txt"), "that of another app");
    assert!(read(&folder, "proxy-2.yaml").contains("{ file: \"client-secret-2.txt\" }"));
    assert_eq!(read(&folder, "client-secret-2.txt"), Settings::default().client_secret);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_at_the_last_question_says_that_nothing_was_written() {
    let (simulator, folder) = folder_with(MINE).await;
    let shown = dialog(simulator, folder.path(), |dialog| {
        dialog.say("Replace proxy.yaml?", "n");
        dialog.see("New file in the same folder [proxy-2.yaml]:");
        dialog.press_ctrl_c();
    })
    .await;
    assert!(shown.trim_end().ends_with("Stopped. Nothing was written."), "{shown}");
    assert_eq!(read(&folder, "proxy.yaml"), MINE);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "the CA and the old file");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unchanged_sample_is_replaced_with_a_word_and_no_question() {
    let notice = "proxy.yaml is the sample that comes with bcproxy, unchanged. The new file replaces it.";
    for sample in [SAMPLE.to_owned(), SAMPLE.replace("\r\n", "\n").replace('\n', "\r\n")] {
        let (simulator, folder) = folder_with(&sample).await;
        let shown = dialog(simulator, folder.path(), |_| ()).await;
        assert!(shown.contains(notice) && !shown.contains("Replace proxy.yaml?"), "{shown}");
        assert!(read(&folder, "proxy.yaml").starts_with("# Written by `bcproxy setup`"));
    }
    let (simulator, folder) = folder_with(SAMPLE).await;
    let ended = setup(&simulator, folder.path(), &complete_options(&simulator, folder.path())).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.output.contains(notice), "{ended:?}");

    let changed = SAMPLE.replacen("cronus:", "mine:", 1);
    let (simulator, folder) = folder_with(&changed).await;
    let ended = setup(&simulator, folder.path(), &complete_options(&simulator, folder.path())).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(read(&folder, "proxy.yaml"), changed);
}

#[tokio::test]
async fn without_questions_an_existing_file_stays_unless_overwrite_is_given() {
    let (simulator, folder) = folder_with(MINE).await;
    let options = complete_options(&simulator, folder.path());
    let ended = setup(&simulator, folder.path(), &options).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.errors.starts_with("Nothing was written: proxy.yaml already exists."), "{ended:?}");
    assert!(ended.errors.contains("--overwrite"), "{ended:?}");
    assert_eq!((read(&folder, "proxy.yaml").as_str(), simulator.token_requests()), (MINE, 0));
    let ended = setup(&simulator, folder.path(), &[&options[..], &["--overwrite"]].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(read(&folder, "proxy.yaml").contains("connectors:"));
}

#[tokio::test]
async fn a_folder_that_cannot_hold_the_file_is_named_before_any_question() {
    let (simulator, folder) = nothing(Settings::default()).await;
    let options = complete_options(&simulator, folder.path());
    let ended = setup(&simulator, folder.path(), &[&options[..], &["--config", "missing/proxy.yaml"]].concat()).await;
    assert_eq!((ended.code, simulator.token_requests()), (Some(1), 0));
    assert!(ended.errors.contains("a file can't be created in missing: the folder does not exist"), "{ended:?}");
}
