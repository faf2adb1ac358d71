//! The plain HTTP client, for the little there is besides the data path.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::tls::{self, TlsError};

/// The HTTP client for the company look-up and token requests: no redirects, since a token or secret goes to the configured host only.
pub fn plain_client(ca_file: Option<&Path>, connect: Duration) -> Result<reqwest::Client, PlainClientError> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client_config(ca_file)?)
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(connect)
        .build()?)
}

/// Why the plain client can't be built.
#[derive(Debug, thiserror::Error)]
pub enum PlainClientError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the HTTP client can't be set up ({0})")]
    Client(Arc<reqwest::Error>),
}

impl From<reqwest::Error> for PlainClientError {
    fn from(error: reqwest::Error) -> Self {
        Self::Client(Arc::new(error))
    }
}
