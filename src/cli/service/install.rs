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
#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// The account of the service, such as a group managed service account (CONTOSO\bcproxy$)
    /// [default: the one it has, or one of its own: NT SERVICE\NAME].
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
    manager.check_permission()?;
    let failed = |what: &str, error: &io::Error| Failure::Failed(format!("{what} failed: {error}."));
    let file = absolute(config).map_err(|error| failed("Reading the current folder", &error))?;
    let executable = env::current_exe().map_err(|error| failed("Finding the path of this program", &error))?;
    let folder = DataFolder::of(&file);
    let create = || folder.create().map_err(|error| failed(&format!("Creating {}", folder.path().display()), &error));
    if let Some(listener) = arguments.listen.filter(|_| !file.exists()) {
        create()?;
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

    create()?;
    let account = arguments.account.clone().unwrap_or_else(|| ServiceAccount::of_installed(manager, name));
    let definition = definition(name, executable, &file, account, loaded.as_ref());
    let installed = manager.install(&definition)?;
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
    accesses.push(to_folder(folder.logs(), Right::Modify));
    accesses.push(to_file(&definition.executable, Right::ReadAndExecute));
    let named = loaded.iter().flat_map(|loaded| loaded.named_files.iter().map(PathBuf::as_path));
    let read = named.chain([file]).filter(|path| !is_covered(path) && path.exists());
    accesses.extend(read.map(|path| to_file(path, Right::Read)));
    if let Some(Loaded { config, .. }) = loaded {
        let spool = config.spool.as_ref().and_then(|spool| spool.folder.as_deref());
        let log = config.log.file.as_deref().map(small_file::folder);
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

#[cfg(test)]
mod tests {
    use super::super::scripted::Scripted;
    use super::*;

    fn definition_of(file: &Path, loaded: Option<&Loaded>) -> Definition {
        let (name, account) = (ServiceName::default(), ServiceAccount::of_service("bcproxy"));
        definition(&name, PathBuf::from("bcproxy.exe"), file, account, loaded)
    }

    /// The accesses, each as its path, `(private)` if others lose theirs, and the right of the service's account.
    fn granted(program_data: &Path, file: &Path, loaded: Option<&Loaded>) -> Vec<String> {
        let folder = DataFolder::new(file, Some(program_data));
        let definition = definition_of(file, loaded);
        let account = definition.account.trustee();
        let shown = |access: &Access| {
            let path = access.path().strip_prefix(program_data).unwrap_or(access.path()).display().to_string();
            let is_private = access.commands().iter().flatten().any(|argument| argument == "/inheritance:r");
            let private = if is_private { " (private)" } else { "" };
            format!("{}{private}: {}", path.replace('\\', "/"), access.right_of(&account))
        };
        accesses(&folder, file, &definition, loaded).iter().map(shown).collect()
    }

    fn load(file: &Path) -> Loaded {
        let folder = small_file::folder(file);
        std::fs::create_dir_all(folder.join("spool")).unwrap();
        std::fs::write(folder.join("secret.txt"), "s3cret").unwrap();
        let text = "connectors: { one: { tenant_id: contoso.com, client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301, \
                    client_secret: { file: secret.txt }, environment: production, company: CRONUS } }\n\
                    shutdown: { grace: 30s }\nspool: { folder: spool }\n";
        std::fs::write(file, text).unwrap();
        Config::check(file).unwrap()
    }

    #[test]
    fn the_folder_of_bcproxy_becomes_private_and_its_files_follow() {
        let program_data = tempfile::tempdir().unwrap();
        let file = program_data.path().join("bcproxy").join("proxy.yaml");
        DataFolder::of(&file).create().unwrap();
        let loaded = load(&file);
        let granted = granted(program_data.path(), &file, Some(&loaded));
        assert_eq!(
            granted,
            [
                "bcproxy (private): read",
                "bcproxy/logs: read and write",
                "bcproxy.exe: read",
                "bcproxy/spool: read and write"
            ]
        );
    }

    #[test]
    fn in_another_folder_only_the_named_files_can_be_read() {
        let elsewhere = tempfile::tempdir().unwrap();
        let file = elsewhere.path().join("proxy.yaml");
        let loaded = load(&file);
        let granted = granted(Path::new("/no/program/data"), &file, Some(&loaded));
        let at =
            |name: &str, right: &str| format!("{}: {right}", elsewhere.path().join(name).display()).replace('\\', "/");
        assert_eq!(
            granted,
            [
                at("logs", "read and write"),
                "bcproxy.exe: read".to_owned(),
                at("secret.txt", "read"),
                at("proxy.yaml", "read"),
                at("spool", "read and write")
            ]
        );
    }

    #[test]
    fn an_account_that_may_not_install_services_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("proxy.yaml");
        let arguments =
            Arguments { no_check: true, listen: Some("127.0.0.1:8080".parse().unwrap()), ..Arguments::default() };
        let mut manager = Scripted::default();
        manager.is_denied = true;
        let denied = install(&manager, &ServiceName::default(), &file, &arguments).unwrap_err();
        assert!(denied.parts().0.contains("as administrator"));
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);

        manager.is_denied = false;
        assert!(install(&manager, &ServiceName::default(), &file, &arguments).is_ok());
        assert_eq!(manager.calls(), ["install"]);
        assert!(file.exists() && folder.path().join("logs").is_dir());
    }

    #[test]
    fn a_wrong_file_is_not_installed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("proxy.yaml");
        std::fs::write(&file, "lisen: 127.0.0.1:1").unwrap();
        let manager = Scripted::default();
        let rejected = install(&manager, &ServiceName::default(), &file, &Arguments::default()).unwrap_err();
        let (text, code) = rejected.parts();
        assert!(text.contains("listen") && text.ends_with("Nothing was installed.") && code == 2, "{text}");
        assert!(manager.calls().is_empty() && !folder.path().join("logs").exists());
    }

    #[test]
    fn windows_waits_longer_than_the_grace_period() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("proxy.yaml");
        let loaded = load(&file);
        let definition = definition_of(&file, Some(&loaded));
        assert_eq!(definition.preshutdown_timeout, Duration::from_secs(35));
        assert_eq!(definition.arguments[..3], ["run", "--service", "--config"]);
        assert_eq!(definition.arguments[3], file.as_os_str());
        assert_eq!(definition_of(&file, None).preshutdown_timeout, DEFAULT_GRACE + AFTER_GRACE);
    }
}
