//! The command line: one file or folder per command; `admin` has those that ask a running bcproxy.
//!
//! Exit codes: 0 success, 1 failure, 2 wrong usage or configuration.

mod admin;
mod certificate;
mod check;
mod command_line;
mod common;
mod companies;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod errors;
mod examples;
mod explain;
mod guide;
mod reference;
mod run;
mod service;
mod setup;
mod status;
mod token;
mod user;

pub use command_line::main;
