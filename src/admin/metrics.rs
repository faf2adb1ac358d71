//! The report as metrics, in the text form that Prometheus and most other monitors read.

use std::fmt;

use prometheus_client::collector::Collector;
pub use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use time::{Date, Time};

use super::report::{Application, Connector, GateReport, Report, Requests, State};
use crate::proxy::{Counts, Times};

/// All metrics. Labels name routes, connectors and applications as the configuration does; there is nothing in them that clients choose.
pub fn metrics(report: Report) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("bcproxy");
    registry.register_collector(Box::new(Metrics(report)));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Metrics(Report);

/// Names and values, in the order they are written.
type Labels<'l> = Vec<(&'static str, &'l str)>;

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut writer = Writer(encoder);
        self.service(&mut writer)?;
        self.requests(&mut writer)?;
        self.connectors(&mut writer)?;
        self.gates(&mut writer)
    }
}

impl Metrics {
    fn service(&self, writer: &mut Writer) -> fmt::Result {
        let Self(report) = self;
        let one = |value: f64| [(Labels::new(), value)];
        writer.gauges("build_info", "The running version", [(vec![("version", report.version)], 1.0)])?;
        writer.gauges("uptime_seconds", "How long the process has been in service", one(report.uptime))?;
        let configuration = &report.configuration;
        writer.gauges(
            "configuration_in_service",
            "1 when the configuration file is in service, 0 when it was changed and can't be used",
            one(flag(configuration.unused.is_none())),
        )?;
        writer.counters(
            "reloads",
            "Changed configuration files, by whether they could be used",
            [
                (vec![("outcome", "taken")], configuration.reloads_taken),
                (vec![("outcome", "refused")], configuration.reloads_refused),
            ],
        )?;
        let connections = &report.connections;
        writer.gauges("connections", "Connections of clients that are open", one(connections.open as f64))?;
        writer.counters(
            "connections_refused",
            "Connections that max_connections had no place for",
            [(Labels::new(), connections.refused)],
        )
    }

    /// What is counted for each route, and with an empty route for what has none.
    fn requests(&self, writer: &mut Writer) -> fmt::Result {
        let routes = || {
            let unrouted = std::iter::once(("", &self.0.unrouted));
            self.0.routes.iter().map(|route| (route.path.as_str(), &route.requests)).chain(unrouted)
        };
        let answers = routes().flat_map(|(route, requests)| {
            requests.counts.responses.iter().map(move |((status, outcome), count)| {
                (vec![("route", route), ("status", status.as_str()), ("outcome", outcome.as_str())], *count)
            })
        });
        writer.counters("requests", "Answered requests, by status and by how the answer ended", answers)?;
        let counted = |count: fn(&Requests) -> u64| {
            routes().map(move |(route, requests)| (vec![("route", route)], count(requests)))
        };
        writer.counters("answer_bytes", "Bytes of answers' bodies", counted(|requests| requests.bytes))?;
        writer.counters(
            "requests_sent_again",
            "How often a request was sent to Business Central once more",
            counted(|requests| requests.sent_again),
        )?;
        let timed = |times: fn(&Counts) -> &Times| {
            let times = routes().map(move |(route, requests)| (vec![("route", route)], times(&requests.counts)));
            times.filter(|(_, times)| times.count() > 0)
        };
        writer.histograms(
            "request_duration_seconds",
            "From a request's head to its answer's end",
            timed(|counts| &counts.total),
        )?;
        writer.histograms(
            "upstream_duration_seconds",
            "From handing a request to Business Central to the head of its answer",
            timed(|counts| &counts.upstream),
        )?;
        writer.histograms(
            "queue_duration_seconds",
            "How long requests waited for their turn at Business Central's limits",
            timed(|counts| &counts.queue),
        )
    }

    fn connectors(&self, writer: &mut Writer) -> fmt::Result {
        let connectors = &self.0.connectors;
        let of_each = |value: fn(&Connector) -> bool| {
            connectors
                .iter()
                .map(move |connector| (vec![("connector", connector.name.as_str())], flag(value(connector))))
        };
        writer.gauges(
            "connector_ready",
            "1 when the connector has a token and knows its company",
            of_each(|connector| matches!(connector.state, State::Ready { .. })),
        )?;
        writer.gauges(
            "connector_cut_off",
            "1 when nobody tries to connect to Business Central, since the last attempts failed",
            of_each(|connector| connector.cut_off.is_some()),
        )?;
        let applications = || {
            let pairs =
                connectors.iter().flat_map(|connector| connector.applications.iter().map(move |it| (connector, it)));
            pairs.map(|(connector, it)| (labels(connector, &it.client_id), it))
        };
        let gauge = |value: fn(&Application) -> Option<f64>| {
            applications().filter_map(move |(labels, it)| Some((labels, value(it)?)))
        };
        writer.gauges(
            "token_usable",
            "1 when the application has a token that can be used",
            gauge(|it| Some(flag(it.token.is_some()))),
        )?;
        writer.gauges(
            "token_age_seconds",
            "How long ago the token in use was asked for",
            gauge(|it| it.token.as_ref().map(|token| token.age)),
        )?;
        writer.counters(
            "token_requests",
            "Requests for a token, by how they ended",
            applications().flat_map(|(labels, it)| {
                let with = |outcome, count| ([labels.clone(), vec![("outcome", outcome)]].concat(), count);
                [with("received", it.tokens_received), with("failed", it.tokens_failed)]
            }),
        )?;
        writer.gauges(
            "credential_end_timestamp_seconds",
            "When the credential in use ends, where that is known",
            gauge(|it| it.last_day.and_then(end_of)),
        )
    }

    fn gates(&self, writer: &mut Writer) -> fmt::Result {
        let gates = || {
            self.0.connectors.iter().flat_map(|connector| {
                let soap = connector.soap.iter().map(|gate| (labels(connector, "soap"), gate));
                let applications = connector.applications.iter();
                let others = applications.filter_map(|it| Some((labels(connector, &it.client_id), it.gate.as_ref()?)));
                others.chain(soap)
            })
        };
        let gauge = |value: fn(&GateReport) -> f64| gates().map(move |(labels, gate)| (labels, value(gate)));
        writer.gauges("gate_in_work", "Requests Business Central is working on", gauge(|gate| gate.in_work as f64))?;
        writer.gauges("gate_waiting", "Requests that wait for their turn", gauge(|gate| gate.waiting as f64))?;
        writer.gauges(
            "gate_recent",
            "Requests begun within the time the limit is about",
            gauge(|gate| gate.recent as f64),
        )?;
        writer.gauges(
            "gate_recent_limit",
            "How many may begin within that time",
            gauge(|gate| gate.most_recent as f64),
        )?;
        writer.gauges(
            "gate_paused_seconds",
            "How long Business Central wants to be left alone yet",
            gauge(|gate| gate.paused_for.unwrap_or(0.0)),
        )
    }
}

fn labels<'l>(connector: &'l Connector, application: &'l str) -> Labels<'l> {
    vec![("connector", &connector.name), ("application", application)]
}

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

/// The last second of a day, as monitors count.
fn end_of(day: Date) -> Option<f64> {
    Some(day.next_day()?.with_time(Time::MIDNIGHT).assume_utc().unix_timestamp() as f64)
}

/// Writes families of metrics.
struct Writer<'w>(DescriptorEncoder<'w>);

impl Writer<'_> {
    fn gauges<'l>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'l>, f64)>,
    ) -> fmt::Result {
        let write = |mut encoder: MetricEncoder, value: &f64| encoder.encode_gauge(value);
        self.family(name, help, MetricType::Gauge, values, write)
    }

    /// The encoder adds `_total` to the name.
    fn counters<'l>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'l>, u64)>,
    ) -> fmt::Result {
        let write = |mut encoder: MetricEncoder, value: &u64| encoder.encode_counter::<NoLabelSet, _, f64>(value, None);
        self.family(name, help, MetricType::Counter, values, write)
    }

    fn histograms<'l, 't>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'l>, &'t Times)>,
    ) -> fmt::Result {
        let write = |mut encoder: MetricEncoder, times: &&Times| {
            let buckets: Vec<(f64, u64)> = times.buckets().collect();
            encoder.encode_histogram::<NoLabelSet>(times.sum().as_secs_f64(), times.count(), &buckets, None)
        };
        self.family(name, help, MetricType::Histogram, values, write)
    }

    fn family<'l, V>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        values: impl IntoIterator<Item = (Labels<'l>, V)>,
        write: impl Fn(MetricEncoder, &V) -> fmt::Result,
    ) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in values {
            write(encoder.encode_family(&labels)?, &value)?;
        }
        Ok(())
    }
}
