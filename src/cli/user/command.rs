//! The options of `bcproxy user`, and the order of the work.

use std::path::{Path, PathBuf};

use anstream::{eprintln, println};
use clap::Subcommand;
use ring::error::Unspecified;
use serde_json::{Value, json};

use super::input;
use super::store;
use crate::cli::common::{Failure, Output, Purpose};
use crate::secret::Secret;
use crate::users::{HashKind, StoredHash, UserEntry, UserName, UsersFile, new_api_key};

/// The options of `bcproxy user`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The file of users [default: `users` in the configuration file].
    #[arg(long, global = true, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a user, or replace the password or API key of an existing one. Asks for the password.
    Add(Add),
    /// Remove a user. Exit code 1: no such user.
    Remove {
        /// The user's name.
        name: UserName,
    },
    /// List the users, and what each signs in with.
    List {
        /// The output format.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Ask for a user's password or API key and check it. Exit code 1: wrong, or no such user.
    Check {
        /// The user's name.
        name: UserName,
        /// Read the password or API key from the first line of standard input.
        #[arg(long)]
        stdin: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Add {
    /// The user's name. Upper and lower case make no difference.
    name: UserName,
    /// Let the user sign in with NTLM, too. Anybody who reads the file can then sign in as this user.
    #[arg(long)]
    ntlm: bool,
    /// Create an API key and print it, instead of asking for a password.
    #[arg(long, conflicts_with = "ntlm")]
    api_key: bool,
    /// Read the password, or with --api-key the key that clients already send, from the first line of standard input.
    #[arg(long)]
    stdin: bool,
}

/// Runs one of the commands; `config` is the path of the configuration file.
pub fn user(arguments: Arguments, config: &Path) -> Result<(), Failure> {
    let path = store::path(config, arguments.file)?;
    match arguments.command {
        Command::Add(options) => add(&path, options),
        Command::Remove { name } => remove(&path, &name),
        Command::List { output } => {
            list(&path, &store::read(&path)?, output);
            Ok(())
        }
        Command::Check { name, stdin } => check(&path, &name, stdin),
    }
}

fn add(path: &Path, Add { name, ntlm, api_key, stdin }: Add) -> Result<(), Failure> {
    // Reports a damaged file before the question.
    store::read_or_new(path)?;
    if ntlm {
        eprintln!("{NTLM_WARNING}");
    }
    let (hash, created) = match (api_key, stdin) {
        (true, false) => {
            let key = new_api_key().map_err(no_randomness)?;
            (StoredHash::of_api_key(key.expose().as_bytes()), Some(key))
        }
        (true, true) => (StoredHash::of_api_key(input::existing_api_key()?.expose().as_bytes()), None),
        (false, _) => {
            let password = input::read("password", stdin, Purpose::Set)?;
            let hash = if ntlm {
                StoredHash::of_ntlm_password(&password)
            } else {
                StoredHash::of_password(&password).map_err(no_randomness)?
            };
            (hash, None)
        }
    };

    // Reads again: while the password was typed, the file may have changed.
    let mut users = store::read_or_new(path)?;
    if let Some(other) = other_holder(&users, &name, &hash) {
        return Err(Failure::Configuration(format!(
            "User {} in {} has the same API key. Give each user a key of its own.",
            other.as_str(),
            path.display()
        )));
    }
    let (shown, kind) = (name.as_str().to_owned(), hash.kind().describe());
    let done = if users.set(UserEntry { name, hash }) { "Replaced" } else { "Added" };
    let readers = store::replace(path, &users)?;
    let report = format!("{done} user {shown}, {kind}, in {}.{readers}\n{RELOADS}", path.display());
    match created {
        // Standard output has the key only, for scripts.
        Some(key) => {
            eprintln!("{report}\nThis is the only time that the API key is shown. Store it now:");
            println!("{}", key.expose());
        }
        None => println!("{report}"),
    }
    Ok(())
}

/// Another user with the same API key, which must name one user only.
fn other_holder<'a>(users: &'a UsersFile, name: &UserName, hash: &StoredHash) -> Option<&'a UserName> {
    let key = hash.api_key()?;
    let mut others = users.entries().filter(|entry| entry.name.key() != name.key());
    others.find(|entry| entry.hash.api_key() == Some(key)).map(|entry| &entry.name)
}

fn remove(path: &Path, name: &UserName) -> Result<(), Failure> {
    let mut users = store::read(path)?;
    if !users.remove(name) {
        return Err(unknown(path, name));
    }
    let readers = store::replace(path, &users)?;
    println!("Removed user {} from {}.{readers}\n{RELOADS}", name.as_str(), path.display());
    Ok(())
}

fn list(path: &Path, users: &UsersFile, output: Output) {
    let users: Vec<_> = users.entries().map(|entry| (entry.name.as_str(), entry.hash.kind().describe())).collect();
    match output {
        Output::Json => {
            let as_json = |(name, kind): &(&str, &str)| json!({ "name": name, "kind": kind });
            println!("{:#}", Value::Array(users.iter().map(as_json).collect()));
        }
        Output::Text if users.is_empty() => println!("{} has no users.", path.display()),
        Output::Text => {
            let width = users.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
            users.iter().for_each(|(name, kind)| println!("{name:<width$}  {kind}"));
        }
    }
}

fn check(path: &Path, name: &UserName, stdin: bool) -> Result<(), Failure> {
    let users = store::read(path)?;
    let entry = users.entries().find(|entry| entry.name.key() == name.key()).ok_or_else(|| unknown(path, name))?;
    let what = match entry.hash.kind() {
        HashKind::ApiKey => "API key",
        HashKind::Argon2id | HashKind::Bcrypt | HashKind::Nt => "password",
    };
    let secret = input::read(what, stdin, Purpose::Check)?;
    if !is_right(&entry.hash, &secret) {
        return Err(Failure::Failed(format!("The {what} of user {} is wrong.", entry.name.as_str())));
    }
    println!("The {what} of user {} is right.", entry.name.as_str());
    Ok(())
}

fn is_right(hash: &StoredHash, secret: &Secret) -> bool {
    match hash.api_key() {
        Some(key) => StoredHash::of_api_key(secret.expose().as_bytes()).api_key() == Some(key),
        None => hash.matches(secret),
    }
}

fn unknown(path: &Path, name: &UserName) -> Failure {
    Failure::Failed(format!(
        "{} has no user {}. To see all users, run `bcproxy user list`.",
        path.display(),
        name.as_str()
    ))
}

fn no_randomness(_: Unspecified) -> Failure {
    Failure::Failed("Nothing was written: the system has no randomness. Try again.".to_owned())
}

const RELOADS: &str = "A running bcproxy reloads the file automatically.";

const NTLM_WARNING: &str = "\
warning: The hash that NTLM needs is as good as the password. Anybody who reads the file can sign in as this user.
Keep the file at mode 0600, readable by bcproxy's account only. Use a password that is used nowhere else.";
