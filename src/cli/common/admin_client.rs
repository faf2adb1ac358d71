//! Requests to the admin listener of a running bcproxy.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::configuration::load_without_secrets;
use super::failure::Failure;
use super::startup::runtime;

/// Returns the address of the admin listener: `address` if given, otherwise the one in the configuration file.
pub fn admin_address(file: &Path, address: Option<SocketAddr>) -> Result<SocketAddr, Failure> {
    if let Some(address) = address {
        return Ok(address);
    }
    let off = || {
        Failure::Configuration(format!(
            "{} has no admin listener (`admin: off`), which this command needs. Set `admin` to an address.",
            file.display()
        ))
    };
    load_without_secrets(file)?.admin.ok_or_else(off)
}

/// Sends a request without a body to the admin listener and returns the response's status and text.
pub fn send(
    method: Method,
    address: SocketAddr,
    path: &str,
    timeout: Duration,
) -> Result<(StatusCode, String), Failure> {
    let url = format!("http://{address}{path}");
    let response = async { tokio::time::timeout(timeout, exchange(method, &url)).await };
    match runtime()?.block_on(response) {
        Ok(Ok(response)) => Ok(response),
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
    let request = Request::builder().method(method).uri(url).body(Empty::new());
    let request = request.map_err(|_| "the URL is invalid".to_owned())?;
    let client: Client<HttpConnector, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.map_err(|error| crate::error_chain::root_cause(&error))?;
    let status = response.status();
    let body =
        Limited::new(response.into_body(), MAX_RESPONSE_BYTES).collect().await.map_err(|error| error.to_string())?;
    Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
}

const MAX_RESPONSE_BYTES: usize = 1024 * 1024;
