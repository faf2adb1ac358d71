//! The options of `bcproxy service`, and the call of the command they name.

use std::path::Path;

use clap::Subcommand;

use super::account::ServiceAccount;
use super::secret;
use crate::cli::common::Failure;

/// The options of `bcproxy service`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The name of the service [default: bcproxy].
    #[arg(long, global = true, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Keep secrets encrypted for this machine, for the service alone.
    Secret(secret::Arguments),
}

/// Runs one of the commands; `config` is the path of the configuration file.
pub fn service(arguments: Arguments, config: &Path) -> Result<(), Failure> {
    let account = arguments.name.as_deref().map_or_else(ServiceAccount::default, ServiceAccount::of_service);
    match arguments.command {
        Command::Secret(secret) => secret::secret(secret, config, &account),
    }
}
