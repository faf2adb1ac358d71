//! The keys of telemetry: what is sent to a collector.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use hyper::header::HeaderName;

use super::connector::OutboundServerKeys;
use super::scalars::Text;
use super::secret::{SecretKeys, read_secret};
use crate::config::model::{CollectorUrl, Share};
use crate::config::shape::{At, Form, Named, OrOff, Shape, mapping, unique_entries};
use crate::config::yaml::{Node, Report};
use crate::secret::SecretSource;

mapping! {
    /// What bcproxy sends to monitoring systems by itself. `/metrics` and the log need no keys here.
    TelemetryKeys: "telemetry section" {
        /// The OpenTelemetry collector that gets traces, metrics and logs (OTLP over HTTP, as protobuf).
        otlp: OtlpKeys = Required,
    }
}

mapping! {
    /// An OpenTelemetry collector, and what it gets. Requests never wait for it. While it is away, bcproxy keeps a
    /// bounded number of records, drops further ones and counts them.
    OtlpKeys: "otlp section" {
        /// The address of the collector, without `/v1/traces`: `https://collector.example:4318`.
        /// An `http` address is reached without the outbound proxy, and gets `headers` only on this machine.
        endpoint: CollectorUrl = Required,
        /// Headers that the collector requires, each with the place where its whole value is stored:
        /// `{ Authorization: { env: OTLP_AUTHORIZATION } }`. bcproxy reads the value again for every export.
        headers: SecretHeaders = Optional,
        /// The share of the requests that are traced, such as `1%` or `0.01%`.
        /// A request with a `traceparent` header is traced if its client traces it, up to 10 such requests a second.
        /// With `off` or `0%`, no request is traced, and `traceparent` and `tracestate` are forwarded unchanged.
        traces: OrOff<Share> = Default("1%"),
        /// How often the collector gets the metrics, which are those of `/metrics`.
        metrics: OrOff<Duration> = Default("60s"),
        /// Whether the collector gets what is logged. `log.level` and `log.requests` apply.
        logs: bool = Default("false"),
        /// The attribute `service.name` of all records.
        service_name: Text = Default("bcproxy"),
        /// Further attributes of all records, such as `{ deployment.environment.name: production }`.
        resource_attributes: Named<Text> = Optional,
        /// A PEM file of certificates to trust in addition to those that this machine trusts.
        /// Relative to the folder of `proxy.yaml`.
        ca_file: PathBuf = Optional,
        /// The proxy through which bcproxy reaches the collector, as in a connector: `http://host:port`, or `off`.
        /// Default: the environment variables `HTTPS_PROXY`, or else `ALL_PROXY`, and `NO_PROXY`.
        outbound_proxy: OrOff<OutboundServerKeys> = Optional,
    }
}

/// Headers whose values are secrets, in the order of the file.
#[derive(Debug)]
pub struct SecretHeaders(pub Vec<(HeaderName, At<SecretSource>)>);

impl Shape for SecretHeaders {
    fn form() -> Form {
        Form::Named { name: "HEADER", item: Box::new(SecretKeys::form()) }
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let mut seen = HashSet::new();
        let mut headers = Vec::new();
        for (key, value) in unique_entries(node, report)? {
            let name = key.text().and_then(|text| text.parse::<HeaderName>().ok());
            let Some(name) = name.filter(|name| !FRAMING.contains(&name.as_str())) else {
                report.mask(value.span);
                let help = "write the name of a header that the collector requires, such as Authorization";
                report.error(key.span, "this is not the name of a header that can be set", help);
                continue;
            };
            if !seen.insert(name.clone()) {
                report.error(key.span, "this header is already set with different letter case", "keep one of the two");
            }
            let secret = read_secret(value, "Authorization: { env: OTLP_AUTHORIZATION }", report);
            headers.extend(secret.map(|secret| (name, secret.source)));
        }
        Some(Self(headers))
    }
}

/// Headers that say how the export itself is sent.
const FRAMING: [&str; 8] =
    ["connection", "content-encoding", "content-length", "content-type", "expect", "host", "te", "transfer-encoding"];
