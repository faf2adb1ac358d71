//! `bcproxy setup`: asks for each value of a connection, tests it immediately and writes `proxy.yaml`.
//!
//! | file | job |
//! |---|---|
//! | `arguments`, `outbound_proxy` | the options |
//! | `command` | the order of the steps |
//! | `session` | what all steps share, and waiting |
//! | `entra_steps`, `business_central_steps` | the steps |
//! | `interrupt` | Ctrl-C |
//! | `prompt` | questions on the terminal |
//! | `credential_input` | the application's credential, as given |
//! | `paths` | paths from the command line |
//! | `write`, `yaml` | the files it writes |
//! | `azure_cli` | the Entra part as commands of the Azure CLI |

mod arguments;
mod azure_cli;
mod business_central_steps;
mod command;
mod credential_input;
mod entra_steps;
mod interrupt;
mod outbound_proxy;
mod paths;
mod prompt;
mod session;
mod write;
mod yaml;

pub use arguments::Arguments;
pub use command::setup;
