//! `bcproxy reload`: tells a running bcproxy to reload its configuration file, on systems with and without signals.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hyper::Method;

use super::common::Failure;
use super::common::admin_client::{admin_address, send};

/// Reloads the configuration of the running bcproxy and prints the result.
pub fn reload(file: &Path, admin: Option<SocketAddr>) -> Result<(), Failure> {
    send(Method::POST, admin_address(file, admin)?, "/reload", TIMEOUT)
}

/// A reload with some thousand connectors takes a while.
const TIMEOUT: Duration = Duration::from_secs(60);
