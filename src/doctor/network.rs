//! The connection to the services: name look-up, TCP, TLS.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::findings::{Findings, Wrong};
use super::{certificate, entra};
use crate::error_chain::root_cause;
use crate::guide::Step;
use crate::outbound::{HttpsUrl, Origin, ProxySelector, TcpConnector, Unreachable};
use crate::shared_socket::SharedSocket;

/// The address of a service, as configured.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint<'a> {
    /// The name of the service.
    pub service: &'static str,
    /// The URL whose host and port are checked.
    pub url: &'a HttpsUrl,
    /// The key of `proxy.yaml` that holds the URL.
    pub key: &'static str,
}

impl<'a> Endpoint<'a> {
    /// Entra at this URL.
    pub fn entra(url: &'a HttpsUrl) -> Self {
        Self { service: "Entra", url, key: "authority" }
    }

    /// Business Central at this URL.
    pub fn business_central(url: &'a HttpsUrl) -> Self {
        Self { service: "Business Central", url, key: "base_url" }
    }

    fn origin(&self) -> &'a Origin {
        self.url.origin()
    }

    fn unreachable(&self, error: &(dyn Error + 'static)) -> Unreachable {
        Unreachable::new(self.service, self.url.authority(), self.key, error)
    }
}

/// Checks the three steps for all endpoints and returns whether all passed. `limit` bounds each step of each endpoint.
pub async fn network(
    endpoints: &[Endpoint<'_>],
    ca_file: Option<&Path>,
    proxies: &ProxySelector,
    limit: Duration,
    findings: &mut Findings<'_>,
) -> bool {
    let started = Instant::now();
    let mut looked_up = Vec::with_capacity(endpoints.len());
    let mut shown: Vec<String> = Vec::new();
    for endpoint in endpoints {
        match look_up(endpoint, proxies, limit).await {
            Ok(found) => {
                let sentence = found.to_string();
                shown.extend((!shown.contains(&sentence)).then_some(sentence));
                looked_up.push(found);
            }
            Err(wrong) => return fail(findings, wrong, started),
        }
    }
    findings.passed(Step::Name, shown.join(", "), started.elapsed());

    let started = Instant::now();
    let mut streams = Vec::with_capacity(endpoints.len());
    let mut shown = Vec::with_capacity(endpoints.len());
    for (endpoint, looked_up) in endpoints.iter().zip(&looked_up) {
        match connect(endpoint, looked_up, proxies, limit).await {
            Ok(stream) => streams.push(stream),
            Err(wrong) => return fail(findings, wrong, started),
        }
        shown.push(match looked_up {
            LookedUp::Service { .. } => {
                format!("{} accepts connections on port {}", endpoint.service, endpoint.origin().port())
            }
            LookedUp::Proxy { proxy, .. } => {
                format!(
                    "the outbound proxy {proxy} connects to {}:{}",
                    endpoint.origin().host(),
                    endpoint.origin().port()
                )
            }
        });
    }
    findings.passed(Step::Connection, shown.join(", "), started.elapsed());

    let started = Instant::now();
    let mut shown = Vec::with_capacity(endpoints.len());
    for (endpoint, stream) in endpoints.iter().zip(streams) {
        match certificate::examine(endpoint.origin().host(), stream, ca_file, limit).await {
            Ok(issuer) => shown.push(format!("{}'s certificate is from {issuer}", endpoint.service)),
            Err(wrong) => return fail(findings, wrong, started),
        }
    }
    findings.passed(Step::Tls, shown.join(", "), started.elapsed());
    true
}

fn fail(findings: &mut Findings<'_>, wrong: Wrong, started: Instant) -> bool {
    findings.failed(wrong, started.elapsed());
    false
}

/// Whose name was looked up on this machine.
enum LookedUp {
    Service {
        host: String,
        address: IpAddr,
    },
    /// The outbound proxy, which looks up the service's name.
    Proxy {
        proxy: String,
        host: String,
        address: IpAddr,
    },
}

impl fmt::Display for LookedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { host, address } => write!(f, "{host} is {address}"),
            Self::Proxy { host, address, .. } => {
                write!(f, "the outbound proxy {host} is {address}, and looks up the services itself")
            }
        }
    }
}

async fn look_up(endpoint: &Endpoint<'_>, proxies: &ProxySelector, limit: Duration) -> Result<LookedUp, Wrong> {
    if let Some((proxy, named_by)) = proxies.proxy_for(&endpoint.origin().uri()) {
        let wrong = |cause: String| {
            let what =
                format!("the name of the outbound proxy, {}, can't be looked up ({cause})", proxy.origin().host());
            Wrong::new(Step::Name, what, format!("Check this machine's DNS and the spelling of {named_by}."))
        };
        let address = first_address(proxy.origin(), limit).await.map_err(wrong)?;
        return Ok(LookedUp::Proxy { proxy: proxy.to_string(), host: proxy.origin().host().to_owned(), address });
    }
    let host = endpoint.origin().host();
    let wrong = |cause: String| {
        let what = format!("the name of {}, {host}, can't be looked up ({cause})", endpoint.service);
        Wrong::new(Step::Name, what, format!("Check this machine's DNS and the spelling of `{}`.", endpoint.key))
    };
    let address = first_address(endpoint.origin(), limit).await.map_err(wrong)?;
    Ok(LookedUp::Service { host: host.to_owned(), address })
}

/// The first address of a host.
async fn first_address(origin: &Origin, limit: Duration) -> Result<IpAddr, String> {
    match tokio::time::timeout(limit, tokio::net::lookup_host((origin.host(), origin.port()))).await {
        Ok(Ok(mut found)) => found.next().map(|first| first.ip()).ok_or_else(|| "the name has no address".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no response within {} s", limit.as_secs_f32())),
    }
}

/// A connection to the service.
async fn connect(
    endpoint: &Endpoint<'_>,
    looked_up: &LookedUp,
    proxies: &ProxySelector,
    limit: Duration,
) -> Result<SharedSocket, Wrong> {
    let connector = TcpConnector::new(proxies.clone()).with_timeout(limit);
    let error = match connector.connect(endpoint.origin().uri()).await {
        Ok(stream) => return Ok(stream.into_inner()),
        Err(error) => error,
    };
    if let LookedUp::Proxy { .. } = looked_up {
        return Err(entra::unreached(&endpoint.unreachable(error.as_ref())));
    }
    let cause = root_cause(error.as_ref());
    let (service, authority, key) = (endpoint.service, endpoint.url.authority(), endpoint.key);
    Err(Wrong::new(
        Step::Connection,
        format!("{service} at {authority} can't be reached ({cause})"),
        format!(
            "Ask the administrator of the firewall to let this machine connect to port {} of {}. If connections must go \
             through an outbound proxy, name it with `outbound_proxy`. If `{key}` is set, check its value.",
            endpoint.origin().port(),
            endpoint.origin().host()
        ),
    ))
}
