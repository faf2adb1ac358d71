//! `bcproxy health`: asks a running bcproxy whether it is ready.

use std::path::Path;
use std::time::Duration;

use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::common::Failure;
use super::common::admin_client::{admin_address, send};

pub fn health(file: &Path, connector: Option<&str>) -> Result<(), Failure> {
    let address = admin_address(file, None)?;
    let path = match connector {
        Some(name) => format!("/readyz/{}", utf8_percent_encode(name, NON_ALPHANUMERIC)),
        None => "/readyz".to_owned(),
    };
    send(Method::GET, address, &path, TIMEOUT)
}

const TIMEOUT: Duration = Duration::from_secs(8);
