//! `bcproxy completions`: prints the completions of a shell.

use anstream::print;
use clap::Command;
use clap_complete::Shell;

/// Prints the script by which `shell` completes bcproxy's command line.
pub fn completions(shell: Shell, mut command: Command) {
    let name = command.get_name().to_owned();
    // The generator panics when its output is closed, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    print!("{}", String::from_utf8_lossy(&script));
}
