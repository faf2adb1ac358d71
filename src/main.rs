//! The command line: arguments become a command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    bcproxy::cli::main()
}
