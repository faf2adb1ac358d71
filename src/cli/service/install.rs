//! `bcproxy service install`: the service, and what its account may read and write.

use std::env;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

use anstream::{eprintln, println};

use super::account::ServiceAccount;
use super::data_folder::DataFolder;
use super::manager::{Definition, ServiceControlManager};
use super::name::ServiceName;
use crate::cli::common::access::{Access, Right};
use crate::cli::common::{Failure, rendered};
use crate::config::{Config, Loaded, sample_listening_on};
use crate::small_file;

/// The options of `bcproxy service install`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The account of the service, such as a group managed service account (CONTOSO\bcproxy$)
    /// [default: one of its own, NT SERVICE\NAME].
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<ServiceAccount>,
    /// Start the service, too.
    #[arg(long)]
    pub start: bool,
    /// Install the service though the configuration file is missing or invalid. It can't start until that is fixed.
    #[arg(long, conflicts_with = "start")]
    no_check: bool,
    /// If there is no configuration file: write the sample with this listener.
    #[arg(long, value_name = "ADDRESS", requires = "no_check")]
    listen: Option<SocketAddr>,
}

/// Installs the service or changes its settings, and prints each thing that was done.
pub fn install(
    manager: &dyn ServiceControlManager,
    name: &ServiceName,
    config: &Path,
    arguments: &Arguments,
) -> Result<(), Failure> {
    let failed = |what: &str, error: &io::Error| Failure::Failed(format!("{what} failed: {error}."));
    let file = absolute(config).map_err(|error| failed("Reading the current folder", &error))?;
    let executable = env::current_exe().map_err(|error| failed("Finding the path of this program", &error))?;
    let folder = DataFolder::of(&file);
    folder.create().map_err(|error| failed(&format!("Creating {}", folder.path().display()), &error))?;
    if let Some(listener) = arguments.listen.filter(|_| !file.exists()) {
        let written = fs::write(&file, sample_listening_on(listener));
        written.map_err(|error| failed(&format!("Writing {}", file.display()), &error))?;
        println!("Wrote {}, the sample with the listener {listener}.", file.display());
    }
    let loaded = match Config::check(&file) {
        Ok(loaded) => Some(loaded),
        Err(_) if arguments.no_check => None,
        Err(mistakes) => {
            return Err(Failure::Configuration(format!("{}\nNothing was installed.", rendered(&mistakes))));
        }
    };

    let account = arguments.account.clone().unwrap_or_else(|| ServiceAccount::of_service(name.as_str()));
    let definition = definition(name, executable, &file, account, loaded.as_ref());
    let installed = manager.install(&definition).map_err(|error| Failure::Failed(error.to_string()))?;
    println!(
        "{} the service {name}. It starts with Windows and restarts after a failure.",
        if installed.is_new { "Installed" } else { "Changed" }
    );
    for (setting, reason) in &installed.not_set {
        eprintln!("warning: Windows did not set {setting} ({reason})");
    }
    println!("  account        {}", definition.account);
    println!("  executable     {}", definition.executable.display());
    println!("  configuration  {}", file.display());
    println!("  Windows waits {} s for it before a planned restart.", definition.preshutdown_timeout.as_secs());
    for access in accesses(&folder, &file, &definition, loaded.as_ref()) {
        match access.apply() {
            Ok(()) => {
                println!("  access to {}: {}", access.path().display(), access.right_of(&definition.account.trustee()))
            }
            Err(error) => eprintln!("warning: {error}. Give the service's account access by hand."),
        }
    }
    if loaded.is_none() {
        println!("The configuration is not ready. Run `bcproxy setup`, then `bcproxy service start`.");
    }
    Ok(())
}

fn definition(
    name: &ServiceName,
    executable: PathBuf,
    file: &Path,
    account: ServiceAccount,
    loaded: Option<&Loaded>,
) -> Definition {
    let grace = loaded.map_or(DEFAULT_GRACE, |loaded| loaded.config.shutdown_grace);
    Definition {
        name: name.clone(),
        executable,
        arguments: vec!["run".into(), "--service".into(), "--config".into(), file.into()],
        account,
        restart_after: RESTART_AFTER,
        preshutdown_timeout: (grace + AFTER_GRACE).min(MAX_PRESHUTDOWN_TIMEOUT),
    }
}

/// What the account of the service must be able to read and write; in the folder of bcproxy, others may do nothing.
fn accesses(folder: &DataFolder, file: &Path, definition: &Definition, loaded: Option<&Loaded>) -> Vec<Access> {
    let account = definition.account.trustee();
    let to_file = |path: &Path, right| Access::to_file(path).grant(&account, right);
    let to_folder = |path: &Path, right| Access::to_folder(path).grant(&account, right);
    let is_covered = |path: &Path| folder.is_own() && path.starts_with(folder.path());
    let mut accesses = Vec::new();
    if folder.is_own() {
        let access = to_folder(folder.path(), Right::ReadAndExecute).without_inherited();
        accesses.push(access.grant_administrators().taken_over());
    }
    accesses.push(to_folder(&folder.logs(), Right::Modify));
    accesses.push(to_file(&definition.executable, Right::ReadAndExecute));
    let named = loaded.iter().flat_map(|loaded| loaded.named_files.iter().map(PathBuf::as_path));
    let read = named.chain([file]).filter(|path| !is_covered(path) && path.exists());
    accesses.extend(read.map(|path| to_file(path, Right::Read)));
    if let Some(Loaded { config, .. }) = loaded {
        let spool = config.spool.as_ref().and_then(|spool| spool.folder.as_deref());
        let log = config.log.file.as_ref().map(|file| small_file::folder(&file.path));
        let write = spool.into_iter().chain(log).filter(|path| path.is_dir());
        accesses.extend(write.map(|path| to_folder(path, Right::Modify)));
    }
    accesses
}

/// The default of `shutdown.grace`.
const DEFAULT_GRACE: Duration = Duration::from_secs(600);

/// For what follows the grace period.
const AFTER_GRACE: Duration = Duration::from_secs(5);

/// Windows takes milliseconds in 32 bits.
const MAX_PRESHUTDOWN_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// A passing error is over at the next start; a wrong configuration must not fill the event log.
const RESTART_AFTER: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(300)];
