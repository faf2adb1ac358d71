//! An outbound proxy in use, and how bcproxy signs in to it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::proxy_settings::{ProxyAddress, ProxyLogin};
use crate::secret::{Secret, SecretError};

/// An outbound proxy in use.
#[derive(Debug)]
pub(super) struct Proxy {
    pub address: ProxyAddress,
    pub source: ProxySource,
    pub login: Option<ProxyLogin>,
}

/// Where the proxy was configured; shown in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxySource {
    /// The key `outbound_proxy` of `proxy.yaml`.
    Setting,
    /// The environment variable of this name.
    Variable(&'static str),
}

impl Proxy {
    async fn login(&self) -> Result<Option<(&str, Secret)>, SecretError> {
        let Some(ProxyLogin { user, password }) = &self.login else { return Ok(None) };
        Ok(Some((user, password.read("password of the outbound proxy").await?)))
    }

    /// The proxy's URL, with the user name and password if it has them.
    pub async fn url(&self) -> Result<Secret, SecretError> {
        let login = self.login().await?.map_or_else(Zeroizing::default, |(user, password)| {
            let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
            Zeroizing::new(format!("{}:{}@", encoded(user), encoded(password.expose())))
        });
        Ok(Secret::new(format!("http://{}{}", *login, self.address)))
    }

    /// The value of `Proxy-Authorization` (RFC 7617), marked sensitive; `None` without a user name.
    pub async fn authorization(&self) -> Result<Option<HeaderValue>, SecretError> {
        let Some((user, password)) = self.login().await? else { return Ok(None) };
        let pair = Zeroizing::new(format!("{user}:{}", password.expose()));
        let text = Zeroizing::new(format!("Basic {}", &*Zeroizing::new(STANDARD.encode(pair.as_bytes()))));
        // Base64 is always a valid header value.
        let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Basic"));
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

impl fmt::Display for ProxySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting => f.write_str("`outbound_proxy`"),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretSource;

    #[tokio::test]
    async fn the_password_is_sent_as_basic_and_never_printed() {
        let password = SecretSource::Given(Secret::new("p:ä".to_owned()));
        let proxy = Proxy {
            address: "http://proxy.corp".parse().unwrap(),
            source: ProxySource::Variable("HTTPS_PROXY"),
            login: Some(ProxyLogin { user: "contoso\\svc".to_owned(), password }),
        };
        let value = proxy.authorization().await.unwrap().unwrap();
        assert_eq!(value, format!("Basic {}", STANDARD.encode("contoso\\svc:p:ä")).as_str());
        assert!(value.is_sensitive());
        assert!(!format!("{proxy:?}").contains("p:ä"));
    }
}
