//! The bcproxy binary on a pseudo-terminal.
#![allow(dead_code, reason = "no test program uses all of it")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rexpect::session::{PtySession, spawn_command};

const PATIENCE: u64 = 60_000;

/// Starts bcproxy. The terminal shows what is typed, as a real one does: where it stops to, a secret is asked for.
pub fn start(arguments: &[&str], folder: &Path) -> PtySession {
    let mut command = Command::new("sh");
    command.args(["-c", "stty echo && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_bcproxy")]);
    command.args(arguments).current_dir(folder);
    spawn_command(command, Some(PATIENCE)).unwrap()
}

/// Types a line once the terminal shows nothing of it: what comes before is thrown away when it stops to.
pub fn type_unseen(terminal: &mut PtySession, line: &str) {
    let shows_typing = |terminal: &PtySession| {
        let terminal = terminal.process().get_file_handle().unwrap();
        let told = Command::new("stty").arg("-a").stdin(terminal).output().unwrap();
        !String::from_utf8(told.stdout).unwrap().contains(" -echo ")
    };
    let deadline = Instant::now() + Duration::from_millis(PATIENCE);
    while shows_typing(terminal) {
        assert!(Instant::now() < deadline, "what is typed is still shown");
    }
    terminal.send_line(line).unwrap();
}
