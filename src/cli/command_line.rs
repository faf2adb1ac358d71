//! The arguments of every command, and the call of the command they name.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[cfg(not(feature = "demo"))]
use super::common::Failure;
use super::common::Output;
#[cfg(feature = "demo")]
use super::demo;
use super::{admin, certificate, check, companies, doctor, errors, explain, run, schema, setup, token, user};
use crate::entra::ClientId;
#[cfg(feature = "demo")]
use crate::simulator::Breakage;

/// Lets legacy programs that don't support OAuth use Dynamics 365 Business Central online.
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
    /// Run the proxy. This is the default command.
    Run,
    /// Run a demo: bcproxy in front of a simulated Entra and Business Central, all on this machine.
    #[cfg(feature = "demo")]
    Demo {
        /// Break one set-up step, to see how bcproxy reports the error.
        #[arg(long = "break", value_name = "STEP", value_parser = clap::builder::PossibleValuesParser::new(Breakage::ALL.map(Breakage::name)))]
        broken: Option<String>,
    },
    /// Not part of this build.
    #[cfg(not(feature = "demo"))]
    #[command(hide = true)]
    Demo,
    /// Check every set-up step against the live services, and print what is wrong and how to fix it.
    Doctor {
        /// Check only this connector.
        connector: Option<String>,
        /// The output format.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Check the configuration file for mistakes, without using the network.
    Check {
        /// The output format.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Show how bcproxy would handle a request, and why. Nothing is sent.
    Explain(explain::Arguments),
    /// Create a certificate for an HTTPS listener, signed by your own certificate authority.
    Certificate(certificate::Arguments),
    /// Ask the running bcproxy for the state of its connectors. Exit code 0: at least one is ready.
    Health {
        /// Ask only about this connector.
        connector: Option<String>,
        /// Exit code 0 only if every connector is ready.
        #[arg(long, conflicts_with = "connector")]
        all: bool,
    },
    /// Set up a connection: ask for each value, test it immediately and write proxy.yaml.
    Setup(Box<setup::Arguments>),
    /// List the companies that the application can access.
    Companies {
        /// List only the companies of this connector.
        connector: Option<String>,
        /// The output format.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Fetch a token and show its contents: roles, expiry, tenant, application.
    Token {
        /// Fetch a token only for this connector.
        connector: Option<String>,
        /// Fetch a token only for this application, if a connector has several.
        #[arg(long, value_name = "GUID")]
        client_id: Option<ClientId>,
        /// Print the token itself. Anybody who has it can act as the application until it expires.
        #[arg(long)]
        reveal: bool,
        /// The output format.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Add, remove, list or check the users that clients sign in as.
    User(user::Arguments),
    /// Explain an error of Entra or Business Central, and how to fix it.
    Errors {
        /// The error code, such as AADSTS7000215 or NoEnvironment [default: list all known codes].
        code: Option<String>,
        /// Print the reference of all known codes as Markdown.
        #[arg(long, conflicts_with_all = ["code", "output"])]
        markdown: bool,
        /// The output format.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Tell the running bcproxy to reload its configuration file. Exit code 2: invalid file, no change.
    Reload {
        /// The address of its admin listener [default: `admin` in the configuration file].
        #[arg(long, value_name = "ADDRESS")]
        at: Option<SocketAddr>,
    },
    /// Tell the running bcproxy to finish open requests and stop. Run it again to stop immediately.
    Stop {
        /// The address of its admin listener [default: `admin` in the configuration file].
        #[arg(long, value_name = "ADDRESS")]
        at: Option<SocketAddr>,
    },
    /// Print the JSON Schema of the configuration file.
    Schema {
        /// Print the reference of all keys as Markdown instead.
        #[arg(long)]
        markdown: bool,
    },
}

/// Parses the process's arguments, runs the command they name and returns the exit code.
///
/// Wrong arguments end the process with exit code 2.
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
        Some(Command::Certificate(arguments)) => certificate::certificate(&arguments, config),
        Some(Command::Check { output }) => check::check(config, output),
        Some(Command::Explain(arguments)) => explain::explain(config, arguments),
        Some(Command::Health { connector, all }) => admin::health(config, connector.as_deref(), all),
        Some(Command::Setup(arguments)) => setup::setup(config, *arguments),
        Some(Command::Companies { connector, output }) => companies::companies(config, connector.as_deref(), output),
        Some(Command::Token { connector, client_id, reveal, output }) => {
            token::token(config, connector.as_deref(), client_id, reveal, output)
        }
        Some(Command::User(arguments)) => user::user(arguments, config),
        Some(Command::Errors { code, markdown, output }) => errors::errors(code.as_deref(), markdown, output),
        Some(Command::Reload { at }) => admin::reload(config, at),
        Some(Command::Stop { at }) => admin::stop(config, at),
        Some(Command::Schema { markdown }) => {
            schema::schema(markdown);
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
