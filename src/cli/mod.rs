//! The command line: one file per command.
//!
//! Exit codes: 0 fine, 1 failed, 2 usage or configuration.

mod certificate;
mod check;
mod companies;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod errors;
mod explain;
mod health;
mod order;
mod private_file;
mod run;
mod schema;
mod setup;
mod token;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::{Config, Connector, Diagnostics, Log};
use crate::doctor::Wrong;
use crate::entra::ClientId;
#[cfg(feature = "demo")]
use crate::simulator::Breakage;
use crate::telemetry::{self, LogGuard};

/// Lets programs that cannot speak OAuth keep working with Dynamics 365 Business Central online.
#[derive(Debug, Parser)]
#[command(name = "bcproxy", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The configuration file.
    #[arg(long, global = true, default_value = "proxy.yaml", value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve (what bcproxy does without a command).
    Run,
    /// Show it all on this machine: a simulated Entra and Business Central, and a proxy in front of them.
    #[cfg(feature = "demo")]
    Demo {
        /// Let one thing of the set-up be wrong, to see what bcproxy says then.
        #[arg(long = "break", value_name = "WHAT", value_parser = clap::builder::PossibleValuesParser::new(Breakage::ALL.map(Breakage::name)))]
        broken: Option<String>,
    },
    /// Not part of this build.
    #[cfg(not(feature = "demo"))]
    #[command(hide = true)]
    Demo,
    /// Walk every step of the set-up against the live services, and say where it is wrong and how to mend it.
    Doctor {
        /// Look at this connector only.
        connector: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Look for mistakes in the configuration file, without using the network.
    Check {
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Tell what would become of a request, and why, without sending anything.
    Explain(explain::Arguments),
    /// Make a certificate for an HTTPS listener, and an authority of your own that vouches for it.
    Certificate(certificate::Arguments),
    /// Ask the running bcproxy whether it is ready; exit code 0 if so. For containers.
    Health {
        /// Ask about this connector only.
        connector: Option<String>,
    },
    /// Set a connection up: asks for what it needs, tries it at once, and writes proxy.yaml.
    Setup(Box<setup::Arguments>),
    /// List the companies the application sees.
    Companies {
        /// Of this connector only.
        connector: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Fetch a token and say what is in it: roles, expiry, tenant, application.
    Token {
        /// Of this connector only.
        connector: Option<String>,
        /// Of this application only, where a connector has several.
        #[arg(long, value_name = "GUID")]
        client_id: Option<ClientId>,
        /// Print the token itself. Whoever has it can do what the application may, until it expires.
        #[arg(long)]
        reveal: bool,
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Say what an error of Entra or Business Central means for the set-up, and what to do.
    Errors {
        /// Its code, such as AADSTS7000215 or NoEnvironment; without it, all that are known.
        code: Option<String>,
        /// Print the reference as Markdown.
        #[arg(long, conflicts_with_all = ["code", "output"])]
        markdown: bool,
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Have the running bcproxy read its configuration file again; exit code 2 if the file can't be used, and nothing has changed then.
    Reload {
        /// Its admin listener, if that is not the one the file names.
        #[arg(long, value_name = "ADDRESS")]
        at: Option<SocketAddr>,
    },
    /// Have the running bcproxy finish the requests under way and end; asked again, it ends at once.
    Stop {
        /// Its admin listener, if that is not the one the file names.
        #[arg(long, value_name = "ADDRESS")]
        at: Option<SocketAddr>,
    },
    /// Print the JSON Schema of the configuration file.
    Schema {
        /// Print the reference as Markdown instead.
        #[arg(long)]
        markdown: bool,
    },
}

/// The form of what a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Output {
    #[default]
    Text,
    Json,
}

/// Why a command ended without doing its job.
enum Failure {
    /// The configuration or the arguments have to be changed first.
    Configuration(String),
    Failed(String),
}

/// Runs the command the arguments name.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = &arguments.config;
    let result = match arguments.command {
        None | Some(Command::Run) => run::run(config),
        #[cfg(feature = "demo")]
        Some(Command::Demo { broken }) => demo::demo(broken.and_then(|name| name.parse().ok())),
        #[cfg(not(feature = "demo"))]
        Some(Command::Demo) => Err(Failure::Configuration(
            "bcproxy was built without its demo. Build it with the feature `demo`, which is on by default.".to_owned(),
        )),
        Some(Command::Doctor { connector, output }) => doctor::doctor(config, connector.as_deref(), output),
        Some(Command::Certificate(wish)) => certificate::certificate(&wish, config),
        Some(Command::Check { output }) => check::check(config, output),
        Some(Command::Explain(arguments)) => explain::print(config, arguments),
        Some(Command::Health { connector }) => health::health(config, connector.as_deref()),
        Some(Command::Setup(arguments)) => setup::setup(config, *arguments),
        Some(Command::Companies { connector, output }) => companies::companies(config, connector.as_deref(), output),
        Some(Command::Token { connector, client_id, reveal, output }) => {
            token::token(config, connector.as_deref(), client_id, reveal, output)
        }
        Some(Command::Errors { code, markdown, output }) => errors::errors(code.as_deref(), markdown, output),
        Some(Command::Reload { at }) => order::reload(config, at),
        Some(Command::Stop { at }) => order::stop(config, at),
        Some(Command::Schema { markdown }) => {
            schema::print(markdown);
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (text, code) = match failure {
                Failure::Configuration(text) => (text, 2),
                Failure::Failed(text) => (text, 1),
            };
            if !text.is_empty() {
                eprintln!("{}", text.trim_end());
            }
            ExitCode::from(code)
        }
    }
}

/// The configuration, with its warnings printed; its mistakes end the command.
fn load(path: &Path) -> Result<Config, Failure> {
    let loaded = Config::load(path).map_err(|mistakes| Failure::Configuration(drawn(&mistakes)))?;
    if !loaded.warnings.is_empty() {
        eprintln!("{}", drawn(&loaded.warnings));
    }
    Ok(loaded.config)
}

/// The configuration for a command that needs no secret: those it names may be readable for the service alone.
fn load_shape(path: &Path) -> Result<Config, Failure> {
    let loaded = Config::load_file_only(path).map_err(|mistakes| Failure::Configuration(drawn(&mistakes)))?;
    Ok(loaded.config)
}

/// The connector of this name, or all of them.
fn selected<'c>(config: &'c Config, name: Option<&str>) -> Result<Vec<&'c Arc<Connector>>, Failure> {
    let found: Vec<_> = config.connectors.iter().filter(|known| name.is_none_or(|name| known.name == name)).collect();
    if found.is_empty() {
        let names: Vec<&str> = config.connectors.iter().map(|connector| connector.name.as_str()).collect();
        let text = format!("There is no such connector in the configuration; there are: {}.", names.join(", "));
        return Err(Failure::Configuration(text));
    }
    Ok(found)
}

fn failed(connector: &str, wrong: &Wrong) -> Failure {
    Failure::Failed(format!("connector {connector}: {wrong}"))
}

fn drawn(diagnostics: &Diagnostics) -> String {
    diagnostics.render(console::colors_enabled_stderr())
}

fn start_log(log: &Log) -> Result<LogGuard, Failure> {
    telemetry::start(log).map_err(|error| Failure::Failed(format!("the log can't be started: {error}")))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|error| Failure::Failed(format!("the runtime can't be started: {error}")))
}
