//! The arguments of every command, and the call of the command they name.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use super::common::{Failure, Output};
#[cfg(feature = "demo")]
use super::demo;
use super::{
    admin, certificate, check, companies, doctor, errors, examples, explain, guide, reference, run, service, setup,
    status, token, user,
};
use crate::config;
use crate::entra::ClientId;
#[cfg(feature = "demo")]
use crate::simulator::Breakage;

/// Lets legacy programs that don't support OAuth use Dynamics 365 Business Central online.
#[derive(Debug, Parser)]
#[command(name = "bcproxy", version, about, after_help = examples::BCPROXY)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[arg(long, global = true, value_name = "FILE", help = CONFIG)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy. This is the default command.
    Run {
        /// Windows starts this process as a service.
        #[arg(long, hide = true)]
        service: bool,
    },
    /// Run a demo: bcproxy in front of a simulated Entra and Business Central, all on this machine.
    #[cfg(feature = "demo")]
    #[command(after_help = examples::DEMO)]
    Demo {
        /// Break one set-up step, to see how bcproxy reports the error.
        #[arg(long = "break", value_name = "STEP", value_parser = clap::builder::PossibleValuesParser::new(Breakage::ALL.map(Breakage::name)))]
        broken: Option<String>,
    },
    /// Not part of this build.
    #[cfg(not(feature = "demo"))]
    #[command(hide = true)]
    Demo,
    /// Set up a connection: ask for each value, test it immediately and write proxy.yaml.
    #[command(after_help = examples::SETUP)]
    Setup(Box<setup::Arguments>),
    /// Check every set-up step against the live services, and print what is wrong and how to fix it.
    #[command(after_help = examples::DOCTOR)]
    Doctor {
        /// Check only this connector, and not the shared store.
        connector: Option<String>,
        /// The output format.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Print a step of the set-up guide: what to click in Entra and Business Central, and what can go wrong.
    #[command(after_help = examples::GUIDE)]
    Guide {
        /// The number or name of the step, such as 11 or consent [default: list the steps].
        step: Option<String>,
    },
    /// Check the configuration file for mistakes, without using the network.
    #[command(after_help = examples::CHECK)]
    Check {
        /// The output format.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Show how bcproxy would handle a request, and why. Nothing is sent.
    #[command(after_help = examples::EXPLAIN)]
    Explain(explain::Arguments),
    /// Create a certificate for an HTTPS listener, signed by your own certificate authority.
    #[command(after_help = examples::CERTIFICATE)]
    Certificate(certificate::Arguments),
    /// Ask the running bcproxy for the state of its connectors. Exit code 0: at least one is ready.
    #[command(after_help = examples::HEALTH)]
    Health {
        /// Ask only about this connector.
        connector: Option<String>,
        /// Exit code 0 only if every connector is ready.
        #[arg(long, conflicts_with = "connector")]
        all: bool,
    },
    /// Show the state of the running bcproxy. Exit code 0 means ready, as with `health`.
    #[command(after_help = examples::STATUS)]
    Status {
        /// The address of its admin listener [default: `admin` in the configuration file].
        #[arg(long, value_name = "ADDRESS")]
        at: Option<SocketAddr>,
        /// The output format. JSON is `/status.json` of the admin listener.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// List the companies that the application can access.
    #[command(after_help = examples::COMPANIES)]
    Companies {
        /// List only the companies of this connector.
        connector: Option<String>,
        /// The output format.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Fetch a token and show its contents: roles, expiry, tenant, application.
    #[command(after_help = examples::TOKEN)]
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
    #[command(after_help = examples::USER)]
    User(user::Arguments),
    /// Explain an error code or HTTP status: which service sends it, what it means and how to fix it.
    #[command(after_help = examples::ERRORS)]
    Errors {
        /// The code or status, such as AADSTS7000215, NoEnvironment, Proxy_Busy or 403 [default: list all codes].
        code: Option<String>,
        /// Print the reference of all known codes as Markdown.
        #[arg(long, conflicts_with_all = ["code", "output"])]
        markdown: bool,
        /// The output format.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Tell the running bcproxy to reload its configuration file. Exit code 2: invalid file, no change.
    #[command(after_help = examples::RELOAD)]
    Reload {
        /// The address of its admin listener [default: `admin` in the configuration file].
        #[arg(long, value_name = "ADDRESS")]
        at: Option<SocketAddr>,
    },
    /// Tell the running bcproxy to finish open requests and stop. Run it again to stop immediately.
    #[command(after_help = examples::STOP)]
    Stop {
        /// The address of its admin listener [default: `admin` in the configuration file].
        #[arg(long, value_name = "ADDRESS")]
        at: Option<SocketAddr>,
    },
    /// Install, start, stop or remove bcproxy as a service of Windows, and keep its secrets.
    #[command(hide = cfg!(not(windows)), after_help = examples::SERVICE)]
    Service(service::Arguments),
    /// Print the JSON Schema of the configuration file.
    #[command(after_help = examples::SCHEMA)]
    Schema {
        /// Print the reference of all keys as Markdown instead.
        #[arg(long)]
        markdown: bool,
    },
    /// Print the completions of the command line for a shell.
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the man page of bcproxy.
    #[command(after_help = examples::MAN)]
    Man {
        /// Write the man pages of bcproxy and of all its commands to this folder instead.
        #[arg(long, value_name = "FOLDER")]
        dir: Option<PathBuf>,
    },
}

/// Parses the process's arguments, runs the command they name and returns the exit code.
///
/// Wrong arguments end the process with exit code 2.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    #[cfg(feature = "demo")]
    let is_given = arguments.config.is_some();
    let config = &arguments.config.unwrap_or_else(config::default_file);
    let result = match arguments.command {
        None | Some(Command::Run { service: false }) => run::run(config),
        Some(Command::Run { service: true }) => run::run_as_service(config),
        #[cfg(feature = "demo")]
        Some(Command::Demo { .. }) if is_given => Err(Failure::Configuration(
            "The demo has a configuration of its own and takes no --config. To run bcproxy with your file, leave out `demo`."
                .to_owned(),
        )),
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
        Some(Command::Status { at, output }) => status::status(config, at, output),
        Some(Command::Setup(arguments)) => setup::setup(config, *arguments),
        Some(Command::Companies { connector, output }) => companies::companies(config, connector.as_deref(), output),
        Some(Command::Token { connector, client_id, reveal, output }) => {
            token::token(config, connector.as_deref(), client_id, reveal, output)
        }
        Some(Command::User(arguments)) => user::user(arguments, config),
        Some(Command::Guide { step }) => guide::guide(step.as_deref()),
        Some(Command::Errors { code, markdown, output }) => errors::errors(code.as_deref(), markdown, output),
        Some(Command::Reload { at }) => admin::reload(config, at),
        Some(Command::Stop { at }) => admin::stop(config, at),
        Some(Command::Service(arguments)) => service::service(arguments, config),
        Some(Command::Schema { markdown }) => {
            reference::schema(markdown);
            Ok(())
        }
        Some(Command::Completions { shell }) => {
            reference::completions(shell, Arguments::command());
            Ok(())
        }
        Some(Command::Man { dir }) => reference::man(Arguments::command(), dir.as_deref()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

const CONFIG: &str = if cfg!(windows) {
    "The configuration file [default: %ProgramData%\\bcproxy\\proxy.yaml, or else proxy.yaml in this folder]"
} else if cfg!(target_os = "linux") {
    "The configuration file [default: /etc/bcproxy/proxy.yaml if it exists, or else proxy.yaml in this folder]"
} else {
    "The configuration file [default: proxy.yaml]"
};

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    /// The words of a command line in a shell, up to a redirection.
    fn words(line: &str) -> Vec<String> {
        let line = line.split(['>', '|']).next().unwrap();
        let quoted = line.split('\'').enumerate();
        quoted
            .flat_map(|(index, part)| match index % 2 {
                0 => part.split_whitespace().map(ToOwned::to_owned).collect(),
                _ => vec![part.to_owned()],
            })
            .collect()
    }

    #[test]
    fn every_command_has_examples_that_are_valid() {
        let mut all = Arguments::command();
        all.build();
        let commands = all.get_subcommands().filter(|command| !matches!(command.get_name(), "run" | "help"));
        // It is hidden on systems other than Windows.
        let commands = commands.filter(|command| !command.is_hide_set() || command.get_name() == "service");
        for command in std::iter::once(&all).chain(commands) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let lines: Vec<&str> = help.lines().filter(|line| line.starts_with("  bcproxy")).collect();
            assert!(help.starts_with("Examples:\n") && !lines.is_empty(), "{}: {help}", command.get_name());
            for line in lines {
                // The description begins after two spaces.
                assert_valid(line.trim_start().split("  ").next().unwrap());
            }
        }
    }

    #[track_caller]
    fn assert_valid(line: &str) {
        match Arguments::try_parse_from(words(&line.replace('"', "'"))) {
            Err(error) if error.kind() != ErrorKind::DisplayVersion => panic!("{line}: {error}"),
            _ => {}
        }
    }

    #[test]
    fn every_command_on_the_page_for_windows_is_valid() {
        let page = include_str!("../../docs/windows.md");
        let (text, blocks): (Vec<_>, Vec<_>) =
            page.split("```").enumerate().partition(|(index, _)| index.is_multiple_of(2));
        let in_blocks = blocks.iter().filter_map(|(_, block)| block.strip_prefix("powershell\n"));
        // Behind a pipe, it is the last command.
        let commands = in_blocks.flat_map(str::lines).filter_map(|line| line.rsplit("| ").next());
        let in_text = text.iter().flat_map(|(_, text)| text.split('`').skip(1).step_by(2));
        let commands: Vec<&str> = commands.chain(in_text).filter(|command| command.starts_with("bcproxy ")).collect();
        assert!(commands.len() > 30, "{commands:?}");
        commands.into_iter().for_each(assert_valid);
    }

    #[test]
    fn every_command_of_the_windows_installer_is_valid() {
        let source = include_str!("../../packaging/windows/bcproxy.wxs");
        let attribute = |element: &str, name: &str| {
            let (_, rest) = element.split_once(&format!(" {name}=\""))?;
            Some(rest.split('"').next()?.replace("&quot;", "\""))
        };
        let actions: Vec<&str> = source.split("<CustomAction").skip(1).collect();
        // Windows Installer replaces properties in brackets; the options are in properties of their own.
        let options =
            actions.iter().filter_map(|action| Some((attribute(action, "Property")?, attribute(action, "Value")?)));
        let options: Vec<_> = options.filter(|(property, _)| property.ends_with("_OPTION")).collect();
        let commands: Vec<String> = actions.iter().filter_map(|action| attribute(action, "ExeCommand")).collect();
        assert!(options.len() == 3 && commands.len() == 5, "{options:?} {commands:?}");
        for command in commands.into_iter().chain(attribute(source, "Arguments")) {
            let full =
                options.iter().fold(command.clone(), |full, (name, value)| full.replace(&format!("[{name}]"), value));
            let without = options.iter().fold(command, |full, (name, _)| full.replace(&format!("[{name}]"), ""));
            for line in [full, without] {
                let line =
                    line.replace("[CommonAppDataFolder]", r"C:\ProgramData\").replace("[CONFIG]", r"D:\b c\proxy.yaml");
                let line = line.replace("[ACCOUNT]", r"CONTOSO\bcproxy$").replace("[LISTEN]", "0.0.0.0:8080");
                assert!(!line.contains('['), "{line}");
                assert_valid(&format!("bcproxy {line}"));
            }
        }
    }
}
