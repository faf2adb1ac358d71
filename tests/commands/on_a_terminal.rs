//! What commands show on a terminal only.

use bcproxy::simulator::{Fault, Latch, Times};

use crate::rig::Plan;
use crate::{command, terminal};

/// A command that waits says for what, on a terminal and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_says_on_a_terminal_what_it_waits_for() {
    let prepared = Plan::default().prepare().await;
    for (arguments, waits, done) in [
        (&["token"] as &[&str], r"fetching a token for connector cronus \([1-9][0-9]* s\)", "audience"),
        (&["companies"], r"listing the companies of connector cronus \([1-9][0-9]* s\)", "My Company"),
        (&["doctor"], r"checking 6\. Tenant \([1-9][0-9]* s\)", "16. Routes"),
    ] {
        let latch = Latch::closed();
        prepared.simulator.entra().fail(Fault::Held(latch.clone()), Times::Always);
        let folder = prepared.folder.path().to_owned();
        let arguments = arguments.to_vec();
        let shown = tokio::task::spawn_blocking(move || {
            let mut terminal = terminal::start(&arguments, &folder);
            let (_, waiting) = terminal.exp_regex(waits).unwrap();
            latch.open();
            (waiting, terminal.exp_eof().unwrap())
        });
        let (waiting, rest) = shown.await.unwrap();
        // The line is erased before anything else is written.
        assert!(rest.starts_with("\r\u{1b}[2K"), "{waiting}: {rest:?}");
        assert!(rest.contains(done), "{rest:?}");
        prepared.simulator.entra().recover();
    }
    let ended = command(prepared.folder.path(), &["token"]).await;
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
}
