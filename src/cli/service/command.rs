//! The options of `bcproxy service`, and the call of the command they name.

use std::path::Path;

use anstream::println;
use clap::Subcommand;

use super::account::ServiceAccount;
use super::manager::{ServiceControlManager, State};
use super::name::ServiceName;
use super::secret_store::{readers, store_secret};
use super::{control, install, secret};
use crate::cli::common::Failure;
use crate::secret::{Secret, ThisMachine, WindowsSecret};

/// The options of `bcproxy service`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The name of the service [default: bcproxy].
    #[arg(long = "name", global = true, value_name = "NAME")]
    service: Option<ServiceName>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install bcproxy as a service, or change its settings after a change of `shutdown.grace` or of its files.
    Install(install::Arguments),
    /// Stop the service and remove it. The configuration, the secrets and the log stay.
    Uninstall {
        /// Remove the folder of the configuration, the secrets and the log, too.
        #[arg(long)]
        remove_data: bool,
    },
    /// Start the service, and wait until it serves.
    Start,
    /// Stop the service, and wait until its open requests are finished.
    Stop,
    /// Show the state of the service. Exit code 0: it runs.
    Status,
    /// Store secrets encrypted for this machine, which only the service and administrators can read.
    Secret(secret::Arguments),
}

/// Runs one of the commands; `config` is the path of the configuration file.
pub fn service(arguments: Arguments, config: &Path) -> Result<(), Failure> {
    let name = arguments.service.unwrap_or_default();
    match arguments.command {
        Command::Install(options) => {
            let manager = manager()?;
            install::install(&*manager, &name, config, &options)?;
            if options.start { control::start(&*manager, &name) } else { Ok(()) }
        }
        Command::Uninstall { remove_data } => control::uninstall(&*manager()?, &name, config, remove_data),
        Command::Start => control::start(&*manager()?, &name),
        Command::Stop => control::stop(&*manager()?, &name),
        Command::Status => control::status(&*manager()?, &name),
        Command::Secret(secret) => secret::secret(secret, config, &ServiceAccount::of_installed(&*manager()?, &name)),
    }
}

/// Installs the service `bcproxy` for a configuration file, and starts it unless it runs.
pub fn install_and_start(config: &Path) -> Result<(), Failure> {
    let (manager, name) = (manager()?, ServiceName::default());
    install::install(&*manager, &name, config, &install::Arguments::default())?;
    if let State::Running { .. } = manager.state(&name)? {
        println!("The service {name} runs already, and loads the changed file.");
        return Ok(());
    }
    control::start(&*manager, &name)
}

/// Stores a secret for the service `bcproxy`, and returns who can read it.
pub fn store_for_service(secret: &WindowsSecret, value: &Secret) -> Result<String, Failure> {
    let account = ServiceAccount::of_installed(&*manager()?, &ServiceName::default());
    store_secret(&secret.store, &secret.name, value, &account, &ThisMachine)?;
    Ok(readers(&account))
}

#[cfg(windows)]
fn manager() -> Result<Box<dyn ServiceControlManager>, Failure> {
    Ok(Box::new(super::system::ThisMachine))
}

#[cfg(not(windows))]
fn manager() -> Result<Box<dyn ServiceControlManager>, Failure> {
    Err(Failure::Configuration(
        "`bcproxy service` is for the services of Windows. With systemd, use the units in packaging/systemd."
            .to_owned(),
    ))
}
