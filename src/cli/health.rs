//! `bcproxy health`: what the running bcproxy's admin listener says.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Failure, load_shape, runtime};

pub fn health(path: &Path, connector: Option<&str>) -> Result<(), Failure> {
    let address = admin_address(path)?;
    let path = match connector {
        Some(name) => format!("/readyz/{}", utf8_percent_encode(name, NON_ALPHANUMERIC)),
        None => "/readyz".to_owned(),
    };
    match ask(Method::GET, address, &path, PATIENCE)? {
        (StatusCode::OK, text) => {
            print!("{text}");
            Ok(())
        }
        (_, text) => Err(Failure::Failed(text)),
    }
}

/// Where the bcproxy that runs with this file has its admin listener.
pub fn admin_address(path: &Path) -> Result<SocketAddr, Failure> {
    let off = || Failure::Configuration("`admin: off` in the configuration: there is nothing to ask".to_owned());
    load_shape(path)?.admin.ok_or_else(off)
}

/// Asks the admin listener there; what it answers.
pub fn ask(
    method: Method,
    address: SocketAddr,
    path: &str,
    patience: Duration,
) -> Result<(StatusCode, String), Failure> {
    let asked = async { tokio::time::timeout(patience, send(method, &format!("http://{address}{path}"))).await };
    match runtime()?.block_on(asked) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(reason)) => {
            Err(Failure::Failed(format!("bcproxy does not answer on {address} ({reason}); is it running?")))
        }
        Err(_) => Err(Failure::Failed(format!("bcproxy did not answer on {address} within {} s", patience.as_secs()))),
    }
}

async fn send(method: Method, url: &str) -> Result<(StatusCode, String), String> {
    let request = Request::builder().method(method).uri(url).body(Empty::new());
    let request = request.map_err(|_| "the address can't be used".to_owned())?;
    let client: Client<HttpConnector, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.map_err(|error| crate::error_chain::root_cause(&error))?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await.map_err(|error| error.to_string())?;
    Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
}

const PATIENCE: Duration = Duration::from_secs(8);

const MAX_ANSWER_BYTES: usize = 1024 * 1024;
