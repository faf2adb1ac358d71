//! `bcproxy service secret`: secrets encrypted for this machine.

use std::path::Path;

use clap::Subcommand;

use crate::cli::common::Failure;

/// The options of `bcproxy service secret`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the names of the stored secrets.
    List,
}

/// Runs one of the commands; `config` is the path of the configuration file.
pub fn secret(arguments: Arguments, config: &Path) -> Result<(), Failure> {
    match arguments.command {
        Command::List => Err(Failure::Failed(format!("No secrets are stored beside {}.", config.display()))),
    }
}
