//! Which connections go through an outbound proxy, and how we sign in to it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::{Authority, Scheme};
use hyper_util::client::proxy::matcher::Matcher;
use zeroize::Zeroizing;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::environment::{self, EnvironmentError};
use crate::https_url::HttpsUrl;
use crate::secret::{Secret, SecretError, SecretSource};

/// What a connector says about outbound proxies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum OutboundProxy {
    /// Whatever the environment says: `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`.
    #[default]
    OfEnvironment,
    /// None, whatever the environment says.
    Off,
    Server(ProxyServer),
}

/// A proxy, and what is reached without it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProxyServer {
    pub address: ProxyAddress,
    pub login: Option<Login>,
    /// Hosts, domains and networks that are reached without it, as in `NO_PROXY`.
    pub except: Vec<String>,
}

/// Who we are towards a proxy (RFC 7617).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Login {
    pub user: String,
    /// Read again for every connection.
    pub password: SecretSource,
}

/// Where a proxy is: host and port of an `http` address without user name and path. Without a port it is 80.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProxyAddress(Authority);

/// Why a text is no [`ProxyAddress`]; never says any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyAddressError {
    #[error("write it as http://host:port, such as http://proxy.contoso.local:3128")]
    Malformed,
    #[error(
        "bcproxy speaks plain HTTP to an outbound proxy, and TLS through it: write it as http://host:port, or ask who keeps the proxy for such a port"
    )]
    OtherScheme,
    #[error(
        "a user name and password are never part of the address; write them beside it: \
         outbound_proxy: {{ url: http://host:port, user: NAME, password: {{ env: PROXY_PASSWORD }} }}"
    )]
    UserInfo,
    #[error("end it after host and port")]
    Path,
}

/// How connections leave: what a connector says, with the environment read.
#[derive(Debug, Clone, Default)]
pub struct Way(Option<Arc<Rule>>);

#[derive(Debug)]
struct Rule {
    proxy: Proxy,
    /// Knows what is reached without it.
    matcher: Matcher,
}

/// A proxy in use.
#[derive(Debug)]
pub(super) struct Proxy {
    pub address: ProxyAddress,
    pub named_by: NamedBy,
    user: Option<(String, Password)>,
}

/// Who named a proxy; for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    Key,
    /// An environment variable.
    Variable(&'static str),
}

#[derive(Debug)]
pub(super) enum Password {
    Kept(SecretSource),
    /// It stood in an environment variable.
    Given(Secret),
}

impl Way {
    /// Fails when the environment decides and what it says can't be used.
    pub fn new(wanted: &OutboundProxy) -> Result<Self, EnvironmentError> {
        match wanted {
            OutboundProxy::Off => Ok(Self(None)),
            OutboundProxy::OfEnvironment => {
                let found = environment::proxy(|name| std::env::var_os(name))?;
                Ok(found.map_or(Self(None), |(proxy, except)| Self::through(proxy, &except)))
            }
            OutboundProxy::Server(server) => {
                let user =
                    server.login.as_ref().map(|login| (login.user.clone(), Password::Kept(login.password.clone())));
                let proxy = Proxy { address: server.address.clone(), named_by: NamedBy::Key, user };
                Ok(Self::through(proxy, &server.except.join(",")))
            }
        }
    }

    /// `host:port` of the proxy that connections to this address go through, and who named it.
    pub fn proxy_of(&self, target: &Uri) -> Option<(&ProxyAddress, NamedBy)> {
        self.proxy_for(target).map(|proxy| (&proxy.address, proxy.named_by))
    }

    /// The proxy that connections to a service go through, in words; `None`: straight.
    pub fn described(&self, service: &HttpsUrl) -> Option<String> {
        let (address, named_by) = self.proxy_of(&service.origin().parse().ok()?)?;
        Some(format!("the outbound proxy {address} ({named_by})"))
    }

    pub(super) fn proxy_for(&self, target: &Uri) -> Option<&Proxy> {
        let rule = self.0.as_ref()?;
        rule.matcher.intercept(target).map(|_| &rule.proxy)
    }

    /// The proxy, for a connection that outlives this.
    pub(super) fn shared_proxy_for(&self, target: &Uri) -> Option<SharedProxy> {
        self.proxy_for(target)?;
        self.0.clone().map(SharedProxy)
    }

    fn through(proxy: Proxy, except: &str) -> Self {
        let matcher = Matcher::builder().https(proxy.address.url()).no(format!("{except},{THIS_MACHINE}")).build();
        Self(Some(Arc::new(Rule { proxy, matcher })))
    }
}

/// A proxy that is kept for as long as a connection is made through it.
pub(super) struct SharedProxy(Arc<Rule>);

impl std::ops::Deref for SharedProxy {
    type Target = Proxy;

    fn deref(&self) -> &Proxy {
        &self.0.proxy
    }
}

/// A proxy elsewhere can't reach what this machine calls itself.
const THIS_MACHINE: &str = "localhost,127.0.0.0/8,::1";

impl Proxy {
    pub fn new(address: ProxyAddress, variable: &'static str, user: Option<(String, Password)>) -> Self {
        Self { address, named_by: NamedBy::Variable(variable), user }
    }

    pub fn has_login(&self) -> bool {
        self.user.is_some()
    }

    /// What signs us in (RFC 7617), marked sensitive; `None` where no user name was given.
    pub async fn authorization(&self) -> Result<Option<HeaderValue>, SecretError> {
        let Some((user, password)) = &self.user else { return Ok(None) };
        let kept;
        let password = match password {
            Password::Kept(source) => {
                kept = source.read("password of the outbound proxy").await?;
                &kept
            }
            Password::Given(secret) => secret,
        };
        let pair = Zeroizing::new(format!("{user}:{}", password.expose()));
        let text = Zeroizing::new(format!("Basic {}", &*Zeroizing::new(STANDARD.encode(pair.as_bytes()))));
        // Base64 is always one.
        let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Basic"));
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

impl ProxyAddress {
    /// `http://host:port/`.
    pub fn url(&self) -> String {
        format!("http://{}/", self.0)
    }

    pub fn uri(&self) -> Uri {
        // Scheme, authority and a path are always one.
        Uri::builder().scheme(Scheme::HTTP).authority(self.0.clone()).path_and_query("/").build().unwrap_or_default()
    }

    /// Without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        self.0.host().trim_matches(['[', ']'])
    }

    pub fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(80)
    }
}

impl FromStr for ProxyAddress {
    type Err = ProxyAddressError;

    fn from_str(text: &str) -> Result<Self, ProxyAddressError> {
        // Before anything else: a password may hold characters that make no address.
        if text.contains('@') {
            return Err(ProxyAddressError::UserInfo);
        }
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        if scheme.is_some_and(|scheme| !scheme.eq_ignore_ascii_case("http")) {
            return Err(ProxyAddressError::OtherScheme);
        }
        let uri: Uri = text.parse().map_err(|_| ProxyAddressError::Malformed)?;
        let (Some(_), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(ProxyAddressError::Malformed);
        };
        // What stands behind the host is a port, or nothing.
        let is_whole = authority.port_u16().is_some() || authority.as_str().len() == authority.host().len();
        if authority.host().is_empty() || !is_whole {
            return Err(ProxyAddressError::Malformed);
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || text.contains('#') {
            return Err(ProxyAddressError::Path);
        }
        Ok(Self(authority.clone()))
    }
}

impl fmt::Display for ProxyAddress {
    /// `host:port`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.host(), self.port())
    }
}

impl fmt::Display for NamedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("`outbound_proxy`"),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_host_and_port_and_nothing_else() {
        for (text, shown) in [
            ("http://proxy.corp:3128", "proxy.corp:3128"),
            ("HTTP://proxy.corp/", "proxy.corp:80"),
            ("http://[fd00::1]:8080", "[fd00::1]:8080"),
        ] {
            assert_eq!(text.parse::<ProxyAddress>().unwrap().to_string(), shown);
        }
        for (text, error) in [
            ("proxy.corp:3128", ProxyAddressError::Malformed),
            ("proxy", ProxyAddressError::Malformed),
            ("", ProxyAddressError::Malformed),
            ("http://proxy:99999", ProxyAddressError::Malformed),
            ("https://proxy.corp:3128", ProxyAddressError::OtherScheme),
            ("socks5://proxy.corp", ProxyAddressError::OtherScheme),
            ("http://a:hunter2@proxy.corp", ProxyAddressError::UserInfo),
            ("a:hun#ter?2@proxy.corp", ProxyAddressError::UserInfo),
            ("http://proxy.corp/pac", ProxyAddressError::Path),
            ("http://proxy.corp?a", ProxyAddressError::Path),
        ] {
            assert_eq!(text.parse::<ProxyAddress>(), Err(error), "{text}");
        }
    }

    #[test]
    fn what_is_excepted_and_this_machine_itself_are_reached_without_it() {
        let server = |except: &[&str]| {
            Way::new(&OutboundProxy::Server(ProxyServer {
                address: "http://proxy.corp:3128".parse().unwrap(),
                login: None,
                except: except.iter().map(ToString::to_string).collect(),
            }))
            .unwrap()
        };
        let goes = |way: &Way, host: &str| way.proxy_of(&format!("https://{host}").parse().unwrap()).is_some();
        let way = server(&["gateway.corp", ".contoso.local", "10.0.0.0/8", "192.168.1.20"]);
        for host in ["login.microsoftonline.com", "notgateway.corp", "contoso.locals", "192.168.1.21", "[fd00::1]:8443"]
        {
            assert!(goes(&way, host), "{host}");
        }
        for host in [
            "gateway.corp:8443",
            "x.gateway.corp",
            "contoso.local",
            "a.Contoso.local",
            "10.1.2.3",
            "192.168.1.20",
            "localhost:8443",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]:8443",
        ] {
            assert!(!goes(&way, host), "{host}");
        }
        assert!(!goes(&server(&["*"]), "login.microsoftonline.com"));
        assert!(!goes(&Way::new(&OutboundProxy::Off).unwrap(), "login.microsoftonline.com"));
    }

    #[tokio::test]
    async fn a_login_is_basic_and_prints_nothing() {
        let login = ("contoso\\svc".to_owned(), Password::Given(Secret::new("p:ä".to_owned())));
        let proxy = Proxy::new("http://proxy.corp".parse().unwrap(), "HTTPS_PROXY", Some(login));
        let value = proxy.authorization().await.unwrap().unwrap();
        assert_eq!(value, format!("Basic {}", STANDARD.encode("contoso\\svc:p:ä")).as_str());
        assert!(value.is_sensitive());
        assert!(!format!("{proxy:?}").contains("p:ä"));
    }
}
