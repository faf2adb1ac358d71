//! The set-up, whole and with one thing wrong: what `bcproxy doctor` finds, what a client is told, what `bcproxy setup`
//! asks and writes.

#[path = "../common/certificates.rs"]
mod certificates;
#[path = "../common/connect_proxy.rs"]
mod connect_proxy;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/rig.rs"]
mod rig;
#[cfg(unix)]
#[path = "../common/terminal.rs"]
mod terminal;
#[path = "../common/wire.rs"]
mod wire;

mod credentials;
#[cfg(unix)]
mod dialog;
#[cfg(unix)]
mod existing_file;
#[cfg(unix)]
mod on_a_terminal;
#[cfg(target_os = "linux")]
mod other_machine;
mod questions;
mod serving;
mod setup;
mod steps;

use process::{Ended, Process};
use rig::Prepared;

async fn command(prepared: &Prepared, arguments: &[&str]) -> Ended {
    Process::start(arguments, prepared.folder.path()).end().await
}
