//! `bcproxy stop`: tells a running bcproxy to stop, on systems with and without signals.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hyper::Method;

use super::common::Failure;
use super::common::admin_client::{admin_address, send};

/// Tells the running bcproxy to finish open requests and stop; the second call aborts them.
pub fn stop(file: &Path, admin: Option<SocketAddr>) -> Result<(), Failure> {
    send(Method::POST, admin_address(file, admin)?, "/stop", TIMEOUT)
}

/// A stop waits for a reload in progress.
const TIMEOUT: Duration = Duration::from_secs(60);
