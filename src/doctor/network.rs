//! The way to the services: name look-up, TCP, TLS.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::certificate;
use super::{Findings, Wrong};
use crate::guide::Step;
use crate::https_url::HttpsUrl;

/// A service, and where the configuration says it is.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint<'a> {
    pub service: &'static str,
    pub url: &'a HttpsUrl,
    /// The key that says where it is.
    pub key: &'static str,
}

impl<'a> Endpoint<'a> {
    pub fn entra(url: &'a HttpsUrl) -> Self {
        Self { service: "Entra", url, key: "authority" }
    }

    pub fn business_central(url: &'a HttpsUrl) -> Self {
        Self { service: "Business Central", url, key: "base_url" }
    }

    fn host(&self) -> &str {
        let authority = self.url.authority();
        match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => authority.split(':').next().unwrap_or(authority),
        }
    }

    fn port(&self) -> u16 {
        let after_host = self.url.authority().rsplit(']').next().unwrap_or_default();
        after_host.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(443)
    }
}

/// Walks the three steps for all endpoints; whether all went well. `limit` bounds each step of each.
pub async fn network(
    endpoints: &[Endpoint<'_>],
    ca_file: Option<&Path>,
    limit: Duration,
    findings: &mut Findings<'_>,
) -> bool {
    let started = Instant::now();
    let mut addresses = Vec::with_capacity(endpoints.len());
    for endpoint in endpoints {
        match look_up(endpoint, limit).await {
            Ok(found) => addresses.push(found),
            Err(wrong) => return fail(findings, wrong, started),
        }
    }
    let shown = endpoints
        .iter()
        .zip(&addresses)
        .filter_map(|(endpoint, addresses)| Some(format!("{} is {}", endpoint.host(), addresses.first()?.ip())));
    findings.passed(Step::Name, shown.collect::<Vec<_>>().join(", "), started.elapsed());

    let started = Instant::now();
    let mut streams = Vec::with_capacity(endpoints.len());
    for (endpoint, addresses) in endpoints.iter().zip(&addresses) {
        match connect(endpoint, addresses, limit).await {
            Ok(stream) => streams.push(stream),
            Err(wrong) => return fail(findings, wrong, started),
        }
    }
    let shown = endpoints.iter().map(|endpoint| format!("{} answers on port {}", endpoint.service, endpoint.port()));
    findings.passed(Step::Connection, shown.collect::<Vec<_>>().join(", "), started.elapsed());

    let started = Instant::now();
    let mut shown = Vec::with_capacity(endpoints.len());
    for (endpoint, stream) in endpoints.iter().zip(streams) {
        match certificate::examine(endpoint.host(), stream, ca_file, limit).await {
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

async fn look_up(endpoint: &Endpoint<'_>, limit: Duration) -> Result<Vec<SocketAddr>, Wrong> {
    let host = endpoint.host();
    let wrong = |cause: String| {
        let what = format!("the name of {}, {host}, can't be looked up ({cause})", endpoint.service);
        Wrong::new(Step::Name, what, format!("check this machine's DNS, and that `{}` is spelled right", endpoint.key))
    };
    match tokio::time::timeout(limit, tokio::net::lookup_host((host, endpoint.port()))).await {
        Ok(Ok(found)) => {
            let found: Vec<SocketAddr> = found.collect();
            if found.is_empty() { Err(wrong("it has no address".to_owned())) } else { Ok(found) }
        }
        Ok(Err(error)) => Err(wrong(error.to_string())),
        Err(_) => Err(wrong(format!("no answer within {} s", limit.as_secs_f32()))),
    }
}

/// The first address that answers, as a client would.
async fn connect(endpoint: &Endpoint<'_>, addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, Wrong> {
    let mut last = None;
    for address in addresses {
        match tokio::time::timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = Some(error),
            Err(_) => {
                last =
                    Some(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", limit.as_secs_f32())))
            }
        }
    }
    let cause = last.map_or_else(String::new, |error| format!(" ({error})"));
    let (service, authority, key) = (endpoint.service, endpoint.url.authority(), endpoint.key);
    Err(Wrong::new(
        Step::Connection,
        format!("{service} at {authority} can't be reached{cause}"),
        format!(
            "let this machine connect to port {} of {}: ask who keeps the firewall; check `{key}` if it is not Microsoft's own",
            endpoint.port(),
            endpoint.host()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        for (text, host, port) in [
            ("https://login.microsoftonline.com", "login.microsoftonline.com", 443),
            ("https://gateway:8443/x", "gateway", 8443),
            ("https://[::1]", "::1", 443),
            ("https://[::1]:8443", "::1", 8443),
        ] {
            let url = text.parse().unwrap();
            let endpoint = Endpoint::entra(&url);
            assert_eq!((endpoint.host(), endpoint.port()), (host, port), "{text}");
        }
    }
}
