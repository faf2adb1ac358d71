//! `bcproxy setup`: asks for each value of a connection, tests it immediately and writes `proxy.yaml`.
//!
//! | file | job |
//! |---|---|
//! | `arguments` | the options, and the outbound proxy and credential they name |
//! | `command` | the order of the steps, and writing the files |
//! | `session` | what all steps share, Ctrl-C, and waiting |
//! | `entra_steps`, `business_central_steps` | the steps |
//! | `prompt` | questions on the terminal |
//! | `yaml` | the text of `proxy.yaml` |
//! | `azure_cli` | the Entra part as commands of the Azure CLI |

mod arguments;
mod azure_cli;
mod business_central_steps;
mod command;
mod entra_steps;
mod prompt;
mod session;
mod yaml;

pub use arguments::Arguments;
pub use command::setup;
