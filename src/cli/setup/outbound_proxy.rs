//! The options that name an outbound proxy.

use std::path::PathBuf;

use super::paths::absolute;
use crate::cli::common::Failure;
use crate::outbound::{OutboundProxy, ProxyAddressError, ProxyLogin, ProxyServer};
use crate::secret::SecretSource;

/// The options that name an outbound proxy.
#[derive(Debug, clap::Args)]
pub struct ProxyOptions {
    /// The proxy to the internet: http://host:port, or `off` [default: the environment variable HTTPS_PROXY].
    #[arg(long, value_name = "URL")]
    outbound_proxy: Option<String>,
    /// The user name for the proxy.
    #[arg(long, value_name = "NAME", requires = "outbound_proxy")]
    outbound_proxy_user: Option<String>,
    /// The environment variable with the password for the proxy.
    #[arg(
        long,
        value_name = "VARIABLE",
        requires = "outbound_proxy_user",
        conflicts_with = "outbound_proxy_password_file"
    )]
    outbound_proxy_password_env: Option<String>,
    /// The file with the password for the proxy.
    #[arg(long, value_name = "FILE", requires = "outbound_proxy_user")]
    outbound_proxy_password_file: Option<PathBuf>,
}

impl ProxyOptions {
    /// Returns the setting for `outbound_proxy` in the configuration.
    pub fn setting(&self) -> Result<OutboundProxy, Failure> {
        let url = match self.outbound_proxy.as_deref() {
            None => return Ok(OutboundProxy::FromEnvironment),
            Some("off") => return Ok(OutboundProxy::Off),
            Some(url) => url,
        };
        let address = url.parse().map_err(|reason: ProxyAddressError| {
            Failure::Configuration(format!("--outbound-proxy is invalid: {reason}. Write it as http://host:port."))
        })?;
        let password = match (&self.outbound_proxy_password_file, &self.outbound_proxy_password_env) {
            (Some(path), _) => Some(SecretSource::File(absolute(path)?)),
            (None, variable) => variable.clone().map(SecretSource::Env),
        };
        let login = match (self.outbound_proxy_user.clone(), password) {
            (None, _) => None,
            (Some(user), Some(password)) => Some(ProxyLogin { user, password }),
            (Some(_), None) => {
                let text =
                    "--outbound-proxy-user requires --outbound-proxy-password-env or --outbound-proxy-password-file.";
                return Err(Failure::Configuration(text.to_owned()));
            }
        };
        Ok(OutboundProxy::Server(ProxyServer { address, login, except: Vec::new() }))
    }
}
