//! `bcproxy reload` and `bcproxy stop`: what a signal does, where there are none.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hyper::{Method, StatusCode};

use super::Failure;
use super::health::{admin_address, ask};

/// Has the running bcproxy read its configuration file again, and says what became of it.
pub fn reload(path: &Path, at: Option<SocketAddr>) -> Result<(), Failure> {
    match order(path, at, "/reload")? {
        (StatusCode::OK, said) => print!("{said}"),
        (StatusCode::UNPROCESSABLE_ENTITY, reason) => return Err(Failure::Configuration(reason)),
        (_, said) => return Err(Failure::Failed(said)),
    }
    Ok(())
}

/// Has the running bcproxy finish what is under way and end; asked again, it ends at once.
pub fn stop(path: &Path, at: Option<SocketAddr>) -> Result<(), Failure> {
    match order(path, at, "/stop")? {
        (StatusCode::ACCEPTED, said) => print!("{said}"),
        (_, said) => return Err(Failure::Failed(said)),
    }
    Ok(())
}

fn order(path: &Path, at: Option<SocketAddr>, what: &str) -> Result<(StatusCode, String), Failure> {
    let address = match at {
        Some(address) => address,
        None => admin_address(path)?,
    };
    ask(Method::POST, address, what, PATIENCE)
}

/// Some thousand connectors take a while to be put together.
const PATIENCE: Duration = Duration::from_secs(60);
