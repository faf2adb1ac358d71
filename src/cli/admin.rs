//! `bcproxy health`, `bcproxy reload` and `bcproxy stop`: requests to the admin listener of a running bcproxy.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anstream::print;
use hyper::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::common::{Failure, Progress, load_without_secrets, runtime};
use crate::bounded_body::read_body;
use crate::config::Config;
use crate::error_chain::root_cause;
use crate::outbound::local_client;

/// Asks whether bcproxy, this connector or every connector is ready.
pub fn health(file: &Path, connector: Option<&str>, all: bool) -> Result<(), Failure> {
    let path = match connector {
        Some(name) => format!("/readyz/{}", utf8_percent_encode(name, NON_ALPHANUMERIC)),
        None if all => "/readyz?all".to_owned(),
        None => "/readyz".to_owned(),
    };
    send(Method::GET, admin_address(file, None)?, &path, HEALTH_TIMEOUT)
}

/// Reloads the configuration of the running bcproxy and prints the result.
pub fn reload(file: &Path, admin: Option<SocketAddr>) -> Result<(), Failure> {
    send(Method::POST, admin_address(file, admin)?, "/reload", COMMAND_TIMEOUT)
}

/// Tells the running bcproxy to finish open requests and stop; the second call aborts them.
pub fn stop(file: &Path, admin: Option<SocketAddr>) -> Result<(), Failure> {
    send(Method::POST, admin_address(file, admin)?, "/stop", COMMAND_TIMEOUT)
}

/// Returns the address of the admin listener: `address` if given, otherwise the one in the configuration file, which
/// may have mistakes.
pub(super) fn admin_address(file: &Path, address: Option<SocketAddr>) -> Result<SocketAddr, Failure> {
    if let Some(address) = address {
        return Ok(address);
    }
    let off = || {
        Failure::Configuration(format!(
            "{} has no admin listener (`admin: off`), which this command needs. Set `admin` to an address.",
            file.display()
        ))
    };
    match load_without_secrets(file) {
        Ok(config) => config.admin.ok_or_else(off),
        // The running bcproxy has the previous configuration, and tells of the mistakes itself.
        Err(mistakes) => Config::admin_address(file).ok_or(mistakes),
    }
}

/// Returns the state of the running bcproxy: the document at `/status.json`.
pub(super) fn status_document(address: SocketAddr) -> Result<String, Failure> {
    ask(Method::GET, address, "/status.json", HEALTH_TIMEOUT)
}

/// Sends a request without a body to the admin listener and prints the response.
fn send(method: Method, address: SocketAddr, path: &str, timeout: Duration) -> Result<(), Failure> {
    print!("{}", ask(method, address, path, timeout)?);
    Ok(())
}

/// Sends a request without a body to the admin listener and returns the response.
fn ask(method: Method, address: SocketAddr, path: &str, timeout: Duration) -> Result<String, Failure> {
    let url = format!("http://{address}{path}");
    let response = async { tokio::time::timeout(timeout, exchange(method, &url)).await };
    let progress = Progress::new(format!("waiting for bcproxy on {address}"));
    match runtime()?.block_on(progress.during(response)) {
        Ok(Ok((status, text))) if status.is_success() => Ok(text),
        Ok(Ok((StatusCode::UNPROCESSABLE_ENTITY, text))) => Err(Failure::Configuration(text)),
        Ok(Ok((_, text))) => Err(Failure::Failed(text)),
        Ok(Err(reason)) => Err(Failure::Failed(format!(
            "bcproxy does not respond on {address} ({reason}). Check that it is running and that `admin` names this address."
        ))),
        Err(_) => Err(Failure::Failed(format!(
            "bcproxy did not respond on {address} within {} s. Check its log.",
            timeout.as_secs()
        ))),
    }
}

async fn exchange(method: Method, url: &str) -> Result<(StatusCode, String), String> {
    let client = local_client().map_err(|error| root_cause(&error))?;
    let response = client.request(method, url).send().await.map_err(|error| root_cause(&error))?;
    let (status, mut body) = (response.status(), Vec::new());
    match read_body(reqwest::Body::from(response), MAX_RESPONSE_BYTES, &mut body).await {
        Ok(true) => Ok((status, String::from_utf8_lossy(&body).into_owned())),
        Ok(false) => Err("the response exceeds 16 MiB".to_owned()),
        Err(error) => Err(root_cause(&error)),
    }
}

/// The status of some thousand connectors.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

const HEALTH_TIMEOUT: Duration = Duration::from_secs(8);

/// A reload with some thousand connectors takes a while, and a stop waits for a reload in progress.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);
