//! The report as metrics in the Prometheus text format, which most monitoring systems read.

use std::fmt;

use hyper::StatusCode;
use prometheus_client::collector::Collector;
pub use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::report::{
    ApplicationReport, ConnectorReport, LimiterReport, Report, RequestsReport, State, WarningKind, end_of_day,
};
use crate::proxy::{Counts, Times};

/// All metrics. Label values come from the configuration, never from clients.
pub fn metrics(report: Report) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("bcproxy");
    registry.register_collector(Box::new(Metrics(report)));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Metrics(Report);

/// Names and values, in output order.
type Labels<'l> = Vec<(&'static str, &'l str)>;

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut writer = Writer(encoder);
        self.service(&mut writer)?;
        self.requests(&mut writer)?;
        self.connectors(&mut writer)?;
        self.limiters(&mut writer)
    }
}

impl Metrics {
    fn service(&self, writer: &mut Writer) -> fmt::Result {
        let Self(report) = self;
        let single = |value: f64| [(Labels::new(), value)];
        writer.family("build_info", "The running version", [(vec![("version", report.version)], 1.0)])?;
        writer.family("uptime_seconds", "Time since the start of the process", single(report.uptime))?;
        let configuration = &report.configuration;
        writer.family(
            "config_last_reload_successful",
            "1 if the configuration file is in service, 0 if a changed file was rejected",
            single(flag(configuration.rejection.is_none())),
        )?;
        writer.family(
            "config_reloads",
            "Reloads of changed configuration files, by outcome",
            [
                (vec![("outcome", "applied")], configuration.reloads_applied),
                (vec![("outcome", "rejected")], configuration.reloads_rejected),
            ],
        )?;
        writer.family(
            "ready",
            "1 if at least one connector is ready and the data path runs, as /readyz says",
            single(flag(matches!(report.state, State::Ready | State::Degraded))),
        )?;
        writer.family(
            "warnings",
            "What needs attention although requests are answered, by kind; `connector` is empty for the service",
            self.warnings(),
        )?;
        writer.family(
            "listener_certificate_expiry_timestamp_seconds",
            "Expiry of the certificate that a listener presents",
            report.certificates.iter().map(|certificate| {
                (vec![("listener", certificate.listener.as_str())], certificate.expires.unix_timestamp() as f64)
            }),
        )?;
        let connections = &report.connections;
        writer.family("connections", "Open client connections", single(connections.open as f64))?;
        writer.family(
            "connections_rejected",
            "Client connections rejected, by reason",
            connections.rejections.iter().map(|(why, count)| (vec![("reason", why.as_str())], *count)),
        )?;
        let failures = report.client_auth_failures.iter();
        writer.family(
            "client_auth_failures",
            "Requests with wrong credentials, by scheme of client_auth",
            failures.map(|(scheme, count)| (vec![("scheme", *scheme)], *count)),
        )?;
        writer.family(
            "log_lines_dropped",
            "Log lines dropped because clients caused too many",
            [(Labels::new(), report.log_lines_dropped)],
        )?;
        let Report { client_memory, spool, .. } = report;
        writer.family(
            "client_memory_bytes",
            "Memory that clients make bcproxy hold",
            single(client_memory.used as f64),
        )?;
        writer.family(
            "client_memory_exhausted",
            "Requests rejected or moved to disk because max_memory was reached",
            [(Labels::new(), client_memory.exhausted)],
        )?;
        writer.family("spool_bytes", "Request bodies on disk", single(spool.used as f64))?;
        writer.family(
            "spool_exhausted",
            "Requests rejected because the disk size of spool was reached",
            [(Labels::new(), spool.exhausted)],
        )
    }

    /// How many warnings there are, by connector and kind. The service's own kinds are always there.
    fn warnings(&self) -> impl Iterator<Item = (Labels<'_>, f64)> {
        let Self(report) = self;
        let of_connectors =
            report.connectors.iter().map(|one| (one.name.as_str(), &WarningKind::OF_CONNECTOR[..], &one.warnings));
        let of_service = std::iter::once(("", &WarningKind::OF_SERVICE[..], &report.warnings));
        of_service.chain(of_connectors).flat_map(|(connector, kinds, warnings)| {
            kinds.iter().map(move |kind| {
                let count = warnings.iter().filter(|warning| warning.kind == *kind).count();
                (vec![("connector", connector), ("kind", kind.as_str())], count as f64)
            })
        })
    }

    /// Counts per route; requests without a route have an empty `route`.
    fn requests(&self, writer: &mut Writer) -> fmt::Result {
        let routes = || {
            let unrouted = std::iter::once(("", &self.0.unrouted));
            self.0.routes.iter().map(|route| (route.path.as_str(), &route.requests)).chain(unrouted)
        };
        let responses = routes().flat_map(|(route, requests)| {
            requests.counts.responses.iter().map(move |((status, outcome), count)| {
                let status = status.as_ref().map_or("", StatusCode::as_str);
                (vec![("route", route), ("status", status), ("outcome", outcome.as_str())], *count)
            })
        });
        writer.family("requests", "Finished requests, by response status and outcome", responses)?;
        let clients = self.0.known_clients.iter().flat_map(|client| {
            let good = client.requests - client.errors;
            [("success", good), ("error", client.errors)]
                .map(|(result, count)| (vec![("client", client.name.as_str()), ("result", result)], count))
        });
        writer.family("client_requests", "Finished requests of known clients, by result", clients)?;
        let mut counted = |name: &str, help: &str, count: fn(&RequestsReport) -> u64| {
            let counts = routes().map(|(route, requests)| (vec![("route", route)], count(requests)));
            writer.family(name, help, counts)
        };
        counted("response_bytes", "Bytes of response bodies", |requests| requests.response_bytes)?;
        counted("retries", "Retries of requests to Business Central", |requests| requests.retries)?;
        let cached = self.0.routes.iter().filter_map(|route| Some((route.path.as_str(), route.cache.as_ref()?)));
        let cached = cached.flat_map(|(route, cache)| {
            cache.by_result().map(|(result, count)| (vec![("route", route), ("result", result)], count))
        });
        writer.family("cache_requests", "Requests that reached a route's cache, by result", cached)?;
        let mut timed = |name: &str, help: &str, times: fn(&Counts) -> &Times| {
            let times = routes().map(|(route, requests)| (vec![("route", route)], times(&requests.counts)));
            writer.family(name, help, times.filter(|(_, times)| times.count() > 0))
        };
        timed("request_duration_seconds", "Time from the request head to the end of the response", |counts| {
            &counts.total
        })?;
        timed(
            "upstream_duration_seconds",
            "Time from sending a request to Business Central to the head of its response",
            |counts| &counts.upstream,
        )?;
        timed("queue_duration_seconds", "Time that requests were queued by the limiter", |counts| &counts.queue)
    }

    fn connectors(&self, writer: &mut Writer) -> fmt::Result {
        let mut of_each = |name: &str, help: &str, value: fn(&ConnectorReport) -> bool| {
            let flags = self.0.connectors.iter().map(|one| (vec![("connector", one.name.as_str())], flag(value(one))));
            writer.family(name, help, flags)
        };
        of_each("connector_ready", "1 if the connector has a token and its company", ConnectorReport::is_ready)?;
        of_each(
            "connector_circuit_breaker_open",
            "1 if bcproxy does not connect to Business Central for now because the last attempts failed",
            |connector| connector.circuit_breaker_reason.is_some(),
        )?;
        writer.family(
            "token_requests",
            "Token requests to Entra, by outcome",
            self.applications().flat_map(|(labels, application)| {
                let with = |outcome, count| ([labels.clone(), vec![("outcome", outcome)]].concat(), count);
                [with("received", application.tokens_received), with("failed", application.tokens_failed)]
            }),
        )?;
        let mut gauge = |name: &str, help: &str, value: fn(&ApplicationReport) -> Option<f64>| {
            let values = self.applications().filter_map(|(labels, application)| Some((labels, value(application)?)));
            writer.family(name, help, values)
        };
        gauge("token_usable", "1 if the application has a usable token", |application| {
            Some(flag(application.token.is_some()))
        })?;
        gauge("token_age_seconds", "Age of the token in use", |application| {
            application.token.as_ref().map(|token| token.age)
        })?;
        gauge("credential_expiry_timestamp_seconds", "Expiry of the credential in use, if known", |application| {
            application.credential_expires.and_then(end_of_day).map(|end| end.unix_timestamp() as f64)
        })
    }

    /// The applications of all connectors, each with its labels.
    fn applications(&self) -> impl Iterator<Item = (Labels<'_>, &ApplicationReport)> {
        self.0.connectors.iter().flat_map(|connector| {
            let applications = connector.applications.iter();
            applications.map(|one| (vec![("connector", connector.name.as_str()), ("application", &one.client_id)], one))
        })
    }

    fn limiters(&self, writer: &mut Writer) -> fmt::Result {
        let limiters = || {
            self.applications().flat_map(|(labels, application)| {
                let soap = [labels.clone(), vec![("protocol", "soap")]].concat();
                let others = application.limiter.iter().map(move |limiter| (labels.clone(), limiter));
                others.chain(application.soap_limiter.iter().map(move |limiter| (soap.clone(), limiter)))
            })
        };
        let mut gauge = |name: &str, help: &str, value: fn(&LimiterReport) -> f64| {
            writer.family(name, help, limiters().map(|(labels, limiter)| (labels, value(limiter))))
        };
        gauge("limiter_in_flight", "Requests in flight to Business Central", |limiter| limiter.in_flight as f64)?;
        gauge("limiter_queued", "Queued requests", |limiter| limiter.queued as f64)?;
        gauge("limiter_window_requests", "Requests started within the window of the rate limit", |limiter| {
            limiter.window_requests as f64
        })?;
        gauge("limiter_window_limit", "Requests allowed within the window of the rate limit", |limiter| {
            limiter.window_limit as f64
        })?;
        gauge(
            "limiter_pause_remaining_seconds",
            "Remaining time of a pause that Business Central requested",
            |limiter| limiter.pause_remaining.unwrap_or(0.0),
        )?;
        gauge(
            "limiter_rate_limited_seconds",
            "How long requests have been waiting because of the rate limit",
            |limiter| limiter.rate_limited.unwrap_or(0.0),
        )
    }
}

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

/// The end of a day in UTC as a Unix timestamp.
/// A value, whose type tells the type of its metric.
trait Value {
    const TYPE: MetricType;
    fn write(&self, encoder: MetricEncoder) -> fmt::Result;
}

/// A gauge.
impl Value for f64 {
    const TYPE: MetricType = MetricType::Gauge;
    fn write(&self, mut encoder: MetricEncoder) -> fmt::Result {
        encoder.encode_gauge(self)
    }
}

/// A counter. The encoder appends `_total` to the name.
impl Value for u64 {
    const TYPE: MetricType = MetricType::Counter;
    fn write(&self, mut encoder: MetricEncoder) -> fmt::Result {
        encoder.encode_counter::<NoLabelSet, _, f64>(self, None)
    }
}

/// A histogram.
impl Value for &Times {
    const TYPE: MetricType = MetricType::Histogram;
    fn write(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let buckets: Vec<(f64, u64)> = self.buckets().collect();
        encoder.encode_histogram::<NoLabelSet>(self.sum().as_secs_f64(), self.count(), &buckets, None)
    }
}

/// Writes metric families.
struct Writer<'w>(DescriptorEncoder<'w>);

impl Writer<'_> {
    fn family<'l, V: Value>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'l>, V)>,
    ) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, V::TYPE)?;
        values.into_iter().try_for_each(|(labels, value)| value.write(encoder.encode_family(&labels)?))
    }
}
