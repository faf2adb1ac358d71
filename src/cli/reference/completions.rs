//! `bcproxy completions`: prints the completions of a shell.

use std::io::{self, Write};

use clap::Command;
use clap_complete::Shell;

use crate::cli::common::Failure;

/// Prints the script by which `shell` completes bcproxy's command line.
pub fn completions(shell: Shell, mut command: Command) -> Result<(), Failure> {
    let name = command.get_name().to_owned();
    // The generator panics when its output is closed, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    io::stdout()
        .write_all(&script)
        .map_err(|error| Failure::Failed(format!("Writing the completions failed: {error}.")))
}
