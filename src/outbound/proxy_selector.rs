//! Which connections go through an outbound proxy.

use std::collections::HashMap;
use std::sync::Arc;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use super::environment::{self, EnvironmentError};
use super::https_url::HttpsUrl;
use super::proxy::{Proxy, ProxySource};
use super::proxy_settings::{OutboundProxy, ProxyAddress};

/// Decides which connections of a connector go through an outbound proxy. Clones share the rule.
#[derive(Debug, Clone, Default)]
pub struct ProxySelector(Option<Arc<Rule>>);

#[derive(Debug)]
struct Rule {
    proxy: Arc<Proxy>,
    /// Knows the exceptions.
    matcher: Matcher,
    /// Knows the exceptions for one port only.
    of_port: HashMap<u16, Matcher>,
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
        let (address, source) = self.proxy_for(&service.origin.uri())?;
        Some(format!("the outbound proxy {address} ({source})"))
    }

    pub(super) fn select(&self, target: &Uri) -> Option<&Arc<Proxy>> {
        let rule = self.0.as_ref()?;
        let of_port = rule.of_port.get(&target.port_u16().unwrap_or(443));
        let is_proxied = [Some(&rule.matcher), of_port].into_iter().flatten().all(|it| it.intercept(target).is_some());
        is_proxied.then_some(&rule.proxy)
    }

    fn with_proxy(proxy: Proxy, except: &str) -> Self {
        let mut hosts: HashMap<Option<u16>, String> = HashMap::from([(None, LOOPBACK.to_owned())]);
        for (host, port) in except.split(',').map(split_exception) {
            *hosts.entry(port).or_default() += &format!(",{host}");
        }
        let matcher = |hosts: String| Matcher::builder().https(proxy.address.origin().to_string()).no(hosts).build();
        let every_port = matcher(hosts.remove(&None).unwrap_or_default());
        let of_port = hosts.into_iter().filter_map(|(port, hosts)| Some((port?, matcher(hosts)))).collect();
        Self(Some(Arc::new(Rule { matcher: every_port, of_port, proxy: Arc::new(proxy) })))
    }
}

/// The host, domain or network of an exception, and its port if it is for that one only.
///
/// Programs write domains as `contoso.local`, `.contoso.local` or `*.contoso.local`, and some a dot behind a name. An
/// exception with an impossible port is left as it is: it is no host.
pub fn split_exception(exception: &str) -> (&str, Option<u16>) {
    let exception = exception.trim();
    let (host, port) = match exception.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':')),
        None => match exception.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (exception, None),
        },
    };
    let Ok(port) = port.map(str::parse).transpose() else { return (exception, None) };
    let host = host.strip_prefix('*').filter(|domain| domain.starts_with('.')).unwrap_or(host);
    (host.strip_suffix('.').unwrap_or(host), port)
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
        let selector = server(&[
            "a.test:443",
            "b.test:8443",
            "*.c.test",
            "d.test.",
            "[fd00::1]",
            "[fd00::2]:8443",
            "fd00::3",
            "f.test:99999",
        ]);
        for host in [
            "a.test",
            "b.test:8443",
            "c.test",
            "x.c.test",
            "d.test",
            "[fd00::1]:9",
            "[fd00::2]:8443",
            "[fd00::3]",
            "[::1]",
        ] {
            assert!(!is_proxied(&selector, host), "{host}");
        }
        for host in ["a.test:8443", "b.test", "xc.test", "e.test", "f.test", "[fd00::2]", "[fd00::4]"] {
            assert!(is_proxied(&selector, host), "{host}");
        }
        assert!(!is_proxied(&ProxySelector::new(&OutboundProxy::Off).unwrap(), "login.microsoftonline.com"));
    }
}
