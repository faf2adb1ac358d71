//! `bcproxy service`: bcproxy as a service of Windows.
//!
//! | file | job |
//! |---|---|
//! | `command` | the options, and the call of the command they name |
//! | `install` | installs the service, and gives its account access to its files |
//! | `control` | starts, stops, shows and removes the service |
//! | `secret` | the commands for secrets encrypted for this machine |
//! | `secret_store` | stores a secret for the service and administrators alone |
//! | `name`, `account`, `data_folder` | what a service is called, runs under, and keeps its files in |
//! | `manager` | what is asked of the service control manager |
//! | `system` | the service control manager of this machine; `scripted` is one for tests |

mod account;
mod command;
mod control;
mod data_folder;
mod install;
mod manager;
mod name;
#[cfg(test)]
mod scripted;
mod secret;
mod secret_store;
#[cfg(windows)]
mod system;

pub use command::{Arguments, install_and_start, service, store_for_service};
