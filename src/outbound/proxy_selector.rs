//! Which connections go through an outbound proxy.

use std::sync::Arc;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use super::environment::{self, EnvironmentError};
use super::https_url::HttpsUrl;
use super::proxy::{Proxy, ProxySource};
use super::proxy_address::ProxyAddress;
use super::proxy_settings::OutboundProxy;

/// Decides which connections of a connector go through an outbound proxy. Clones share the rule.
#[derive(Debug, Clone, Default)]
pub struct ProxySelector(Option<Arc<Rule>>);

#[derive(Debug)]
struct Rule {
    proxy: Arc<Proxy>,
    /// Knows the exceptions.
    matcher: Matcher,
}

impl ProxySelector {
    /// Applies a connector's setting. Fails if the environment decides and its variables are unusable.
    pub fn new(setting: &OutboundProxy) -> Result<Self, EnvironmentError> {
        match setting {
            OutboundProxy::Off => Ok(Self(None)),
            OutboundProxy::FromEnvironment => {
                let found = environment::proxy(|name| std::env::var_os(name))?;
                Ok(found.map_or(Self(None), |(proxy, except)| Self::with_proxy(proxy, &except)))
            }
            OutboundProxy::Server(server) => {
                let (address, login) = (server.address.clone(), server.login.clone());
                let proxy = Proxy { address, source: ProxySource::Setting, login };
                Ok(Self::with_proxy(proxy, &server.except.join(",")))
            }
        }
    }

    /// The proxy for connections to this target, and where it was configured; `None`: the connection is direct.
    pub fn proxy_for(&self, target: &Uri) -> Option<(&ProxyAddress, ProxySource)> {
        self.select(target).map(|proxy| (&proxy.address, proxy.source))
    }

    /// A phrase that names the proxy for connections to a service; `None`: the connection is direct.
    pub fn describe(&self, service: &HttpsUrl) -> Option<String> {
        let (address, source) = self.proxy_for(&service.origin().uri())?;
        Some(format!("the outbound proxy {address} ({source})"))
    }

    pub(super) fn select(&self, target: &Uri) -> Option<&Arc<Proxy>> {
        let rule = self.0.as_ref()?;
        rule.matcher.intercept(target).map(|_| &rule.proxy)
    }

    fn with_proxy(proxy: Proxy, except: &str) -> Self {
        let matcher =
            Matcher::builder().https(proxy.address.origin().to_string()).no(format!("{except},{LOOPBACK}")).build();
        Self(Some(Arc::new(Rule { proxy: Arc::new(proxy), matcher })))
    }
}

/// Never proxied: on another machine these names mean that machine.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::ProxyServer;

    #[test]
    fn exceptions_and_loopback_bypass_the_proxy() {
        let server = |except: &[&str]| {
            ProxySelector::new(&OutboundProxy::Server(ProxyServer {
                address: "http://proxy.corp:3128".parse().unwrap(),
                login: None,
                except: except.iter().map(ToString::to_string).collect(),
            }))
            .unwrap()
        };
        let is_proxied = |selector: &ProxySelector, host: &str| {
            selector.proxy_for(&format!("https://{host}").parse().unwrap()).is_some()
        };
        let selector = server(&["gateway.corp", ".contoso.local", "10.0.0.0/8", "192.168.1.20"]);
        for host in ["login.microsoftonline.com", "notgateway.corp", "contoso.locals", "192.168.1.21", "[fd00::1]:8443"]
        {
            assert!(is_proxied(&selector, host), "{host}");
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
            assert!(!is_proxied(&selector, host), "{host}");
        }
        assert!(!is_proxied(&server(&["*"]), "login.microsoftonline.com"));
        assert!(!is_proxied(&ProxySelector::new(&OutboundProxy::Off).unwrap(), "login.microsoftonline.com"));
    }
}
