//! The connection to the services: name look-up, TCP, TLS.

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
struct Endpoint<'a> {
    service: &'static str,
    url: &'a HttpsUrl,
    /// The key of `proxy.yaml` that holds the URL.
    key: &'static str,
}

impl<'a> Endpoint<'a> {
    fn origin(&self) -> &'a Origin {
        &self.url.origin
    }
}

/// Checks the three steps for both services and returns whether all passed. `limit` bounds each step of each service.
pub async fn network(
    authority: &HttpsUrl,
    base_url: &HttpsUrl,
    ca_file: Option<&Path>,
    proxies: &ProxySelector,
    limit: Duration,
    findings: &mut Findings<'_>,
) -> bool {
    let endpoints = [
        Endpoint { service: "Entra", url: authority, key: "authority" },
        Endpoint { service: "Business Central", url: base_url, key: "base_url" },
    ];
    findings.checking(Step::Name);
    let started = Instant::now();
    let mut looked_up = Vec::with_capacity(endpoints.len());
    let mut shown: Vec<String> = Vec::new();
    for endpoint in &endpoints {
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

    findings.checking(Step::Connection);
    let started = Instant::now();
    let mut streams = Vec::with_capacity(endpoints.len());
    let mut shown = Vec::with_capacity(endpoints.len());
    for (endpoint, looked_up) in endpoints.iter().zip(&looked_up) {
        match connect(endpoint, looked_up, proxies, limit).await {
            Ok(stream) => streams.push(stream),
            Err(wrong) => return fail(findings, wrong, started),
        }
        let (host, port) = (endpoint.origin().host(), endpoint.origin().port);
        shown.push(match &looked_up.proxy {
            None => format!("{} accepts connections on port {port}", endpoint.service),
            Some(proxy) => format!("the outbound proxy {proxy} connects to {host}:{port}"),
        });
    }
    findings.passed(Step::Connection, shown.join(", "), started.elapsed());

    findings.checking(Step::Tls);
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

/// The host whose name was looked up on this machine: the service's, or that of the outbound proxy.
struct LookedUp {
    host: String,
    address: IpAddr,
    /// The outbound proxy, which looks up the service's name.
    proxy: Option<String>,
}

impl fmt::Display for LookedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, address, proxy } = self;
        match proxy {
            None => write!(f, "{host} is {address}"),
            Some(_) => write!(f, "the outbound proxy {host} is {address}, and looks up the services itself"),
        }
    }
}

async fn look_up(endpoint: &Endpoint<'_>, proxies: &ProxySelector, limit: Duration) -> Result<LookedUp, Wrong> {
    let proxy = proxies.proxy_for(&endpoint.origin().uri());
    let (whose, origin, named_by) = match &proxy {
        Some((proxy, named_by)) => ("the outbound proxy", proxy.origin(), named_by.to_string()),
        None => (endpoint.service, endpoint.origin(), format!("`{}`", endpoint.key)),
    };
    let host = origin.host().to_owned();
    match first_address(origin, limit).await {
        Ok(address) => Ok(LookedUp { host, address, proxy: proxy.map(|(proxy, _)| proxy.to_string()) }),
        Err(cause) => Err(Wrong::new(
            Step::Name,
            format!("the name of {whose}, {host}, can't be looked up ({cause})"),
            format!("Check this machine's DNS and the spelling of {named_by}."),
        )),
    }
}

/// The first address of a host.
async fn first_address(origin: &Origin, limit: Duration) -> Result<IpAddr, String> {
    match tokio::time::timeout(limit, tokio::net::lookup_host((origin.host(), origin.port))).await {
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
    let Endpoint { service, url, key } = *endpoint;
    let authority = url.authority();
    if looked_up.proxy.is_some() {
        return Err(entra::unreached(&Unreachable::new(service, authority, key, error.as_ref())));
    }
    let cause = root_cause(error.as_ref());
    Err(Wrong::new(
        Step::Connection,
        format!("{service} at {authority} can't be reached ({cause})"),
        format!(
            "Ask the administrator of the firewall to let this machine connect to port {} of {}. If connections must go \
             through an outbound proxy, name it with `outbound_proxy`. If `{key}` is set, check its value.",
            endpoint.origin().port,
            endpoint.origin().host()
        ),
    ))
}
