//! `bcproxy service secret`: secrets encrypted for this machine.

use std::path::Path;

use anstream::{eprintln, println};
use clap::Subcommand;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::account::ServiceAccount;
use super::secret_store::{readers, store_secret};
use crate::cli::common::paste_mistake::{self, PasteMistake};
use crate::cli::common::{Failure, Output, Purpose, read_secret};
use crate::secret::{SecretName, SecretStore, StoreError, StoredSecret, ThisMachine};

/// The options of `bcproxy service secret`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Store a secret, or replace it. Asks for its value.
    Set {
        /// The name of the secret, as in `client_secret: { windows: NAME }`.
        #[arg(value_name = "NAME")]
        secret: SecretName,
        /// Read the value from the first line of standard input.
        #[arg(long)]
        stdin: bool,
    },
    /// List the names of the stored secrets, and when each was stored.
    List {
        /// The output format.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Remove a secret. Exit code 1: no such secret.
    Remove {
        /// The name of the secret.
        #[arg(value_name = "NAME")]
        secret: SecretName,
    },
}

/// Runs one of the commands. `config`: the configuration file; `account`: that of the service.
pub fn secret(arguments: Arguments, config: &Path, account: &ServiceAccount) -> Result<(), Failure> {
    let store = SecretStore::of_configuration(config);
    match arguments.command {
        Command::Set { secret, stdin } => set(&store, &secret, stdin, account),
        Command::List { output } => {
            let stored =
                store.list().map_err(|error| Failure::Failed(format!("The list is not available: {error}.")))?;
            list(&store, &stored, output);
            Ok(())
        }
        Command::Remove { secret } => remove(&store, &secret),
    }
}

fn set(store: &SecretStore, name: &SecretName, stdin: bool, account: &ServiceAccount) -> Result<(), Failure> {
    let secret = read_secret("secret", stdin, Purpose::Set, MAX_BYTES)?;
    // A password may have any character, but these are hardly ever parts of one.
    if let Err(mistake @ (PasteMistake::SecretId | PasteMistake::Quoted | PasteMistake::Blank | PasteMistake::Masked)) =
        paste_mistake::check(&secret)
    {
        eprintln!("warning: {mistake} If this is not a client secret of Entra, ignore this warning.");
    }
    let replaced = store_secret(store, name, &secret, account, &ThisMachine)?;
    let (path, readers) = (store.path(name), readers(account));
    match replaced {
        true => println!(
            "Replaced the secret {name} in {} ({readers}).\nbcproxy uses it from the next time on, without a restart.",
            path.display()
        ),
        false => println!(
            "Stored the secret {name} in {} ({readers}).\nThe configuration names it as `{{ windows: {name} }}`.",
            path.display()
        ),
    }
    Ok(())
}

fn list(store: &SecretStore, stored: &[StoredSecret], output: Output) {
    let time = |stored: &StoredSecret, format: &[BorrowedFormatItem<'_>]| {
        OffsetDateTime::from(stored.stored_at).format(format).unwrap_or_default()
    };
    match output {
        Output::Json => {
            let as_json = |stored: &StoredSecret| {
                let stored_at = time(stored, format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"));
                json!({ "name": stored.name.as_str(), "stored_at": stored_at })
            };
            println!("{:#}", Value::Array(stored.iter().map(as_json).collect()));
        }
        Output::Text if stored.is_empty() => println!("No secrets are stored in {}.", store.folder().display()),
        Output::Text => {
            let width = stored.iter().map(|stored| stored.name.as_str().len()).max().unwrap_or(0);
            for secret in stored {
                let stored_at = time(secret, format_description!("[year]-[month]-[day] [hour]:[minute] UTC"));
                println!("{:width$}  stored {stored_at}", secret.name.as_str());
            }
        }
    }
}

fn remove(store: &SecretStore, name: &SecretName) -> Result<(), Failure> {
    match store.remove(name) {
        Ok(()) => {
            println!("Removed the secret {name} from {}.", store.folder().display());
            Ok(())
        }
        Err(StoreError::Missing { .. }) => Err(Failure::Failed(format!(
            "There is no secret {name} in {}. To see all secrets, run `bcproxy service secret list`.",
            store.folder().display()
        ))),
        Err(error) => Err(Failure::Failed(format!("The secret was not removed: {error}."))),
    }
}

/// The longest value, in bytes: tokens in headers have some thousand.
const MAX_BYTES: usize = 16 * 1024;
