//! The options that name an outbound proxy.

use std::path::PathBuf;

use super::write;
use crate::cli::Failure;
use crate::outbound::{OutboundProxy, ProxyAddressError, ProxyLogin, ProxyServer};
use crate::secret::SecretSource;

#[derive(Debug, clap::Args)]
pub struct ProxyOptions {
    /// The proxy through which this machine reaches the internet: http://host:port, or `off`. Without it, that of the environment
    /// (HTTPS_PROXY), if it has one.
    #[arg(long, value_name = "URL")]
    outbound_proxy: Option<String>,
    /// The user name it wants.
    #[arg(long, value_name = "NAME", requires = "outbound_proxy")]
    outbound_proxy_user: Option<String>,
    /// The environment variable that holds its password.
    #[arg(
        long,
        value_name = "VARIABLE",
        requires = "outbound_proxy_user",
        conflicts_with = "outbound_proxy_password_file"
    )]
    outbound_proxy_password_env: Option<String>,
    /// The file that holds its password.
    #[arg(long, value_name = "FILE", requires = "outbound_proxy_user")]
    outbound_proxy_password_file: Option<PathBuf>,
}

impl ProxyOptions {
    /// What the options say.
    pub fn setting(&self) -> Result<OutboundProxy, Failure> {
        let url = match self.outbound_proxy.as_deref() {
            None => return Ok(OutboundProxy::FromEnvironment),
            Some("off") => return Ok(OutboundProxy::Off),
            Some(url) => url,
        };
        let address = url.parse().map_err(|reason: ProxyAddressError| {
            Failure::Configuration(format!("--outbound-proxy is no address of the form http://host:port: {reason}."))
        })?;
        let password = match (&self.outbound_proxy_password_file, &self.outbound_proxy_password_env) {
            (Some(path), _) => Some(SecretSource::File(write::absolute(path.clone())?)),
            (None, variable) => variable.clone().map(SecretSource::Env),
        };
        let login = match (self.outbound_proxy_user.clone(), password) {
            (None, _) => None,
            (Some(user), Some(password)) => Some(ProxyLogin { user, password }),
            (Some(_), None) => {
                let text =
                    "Say where the password is, with --outbound-proxy-password-env or --outbound-proxy-password-file.";
                return Err(Failure::Configuration(text.to_owned()));
            }
        };
        Ok(OutboundProxy::Server(ProxyServer { address, login, except: Vec::new() }))
    }
}
