//! What each command asks a running bcproxy.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anstream::print;
use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::endpoint::Endpoint;
use crate::cli::common::Failure;

/// Asks whether bcproxy, this connector or every connector is ready.
pub fn health(file: &Path, connector: Option<&str>, all: bool) -> Result<(), Failure> {
    let path = match connector {
        Some(name) => format!("/readyz/{}", utf8_percent_encode(name, NON_ALPHANUMERIC)),
        None if all => "/readyz?all".to_owned(),
        None => "/readyz".to_owned(),
    };
    print!("{}", Endpoint::find(file, None)?.ask(Method::GET, &path, HEALTH_TIMEOUT)?);
    Ok(())
}

/// Reloads the configuration of the running bcproxy and prints the result.
pub fn reload(file: &Path, admin: Option<SocketAddr>) -> Result<(), Failure> {
    print!("{}", Endpoint::find(file, admin)?.ask(Method::POST, "/reload", COMMAND_TIMEOUT)?);
    Ok(())
}

/// Tells the running bcproxy to finish open requests and stop; the second call aborts them.
pub fn stop(file: &Path, admin: Option<SocketAddr>) -> Result<(), Failure> {
    print!("{}", Endpoint::find(file, admin)?.ask(Method::POST, "/stop", COMMAND_TIMEOUT)?);
    Ok(())
}

/// Returns the state of the running bcproxy: the document at `/status.json`.
pub fn status_document(file: &Path, admin: Option<SocketAddr>) -> Result<String, Failure> {
    Endpoint::find(file, admin)?.ask(Method::GET, "/status.json", HEALTH_TIMEOUT)
}

const HEALTH_TIMEOUT: Duration = Duration::from_secs(8);

/// A reload with some thousand connectors takes a while, and a stop waits for a reload in progress.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);
