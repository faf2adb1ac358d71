//! `bcproxy setup`: says what to click, asks for each value, tests it immediately and writes `proxy.yaml`.
//!
//! | file | job |
//! |---|---|
//! | `arguments` | the options, and the outbound proxy and credential they name |
//! | `missing_options` | the options that `--non-interactive` requires |
//! | `command` | the order of the steps |
//! | `session` | what all steps share, Ctrl-C, and waiting |
//! | `entra_steps`, `business_central_steps`, `serving_steps` | the steps |
//! | `client_secret` | a typed client secret: its expiry, and where it is stored |
//! | `networks` | the networks of this machine |
//! | `prompt` | questions on the terminal |
//! | `target` | the file to write: what is there, and what would change |
//! | `yaml` | the text of `proxy.yaml` |
//! | `output` | writes the files, and says what comes next |
//! | `azure_cli` | the Entra part as commands of the Azure CLI |

mod arguments;
mod azure_cli;
mod business_central_steps;
mod client_secret;
mod command;
mod entra_steps;
mod missing_options;
mod networks;
mod output;
mod prompt;
mod serving_steps;
mod session;
mod target;
mod yaml;

pub use arguments::Arguments;
pub use command::setup;
