//! The report as metrics in the Prometheus text format, which most monitoring systems read.

mod connectors;
mod family;
mod requests;
mod series;
mod shared_store;

use std::fmt;
use std::time::Duration;

use opentelemetry_proto::tonic::metrics::v1::Metric;
use prometheus_client::collector::Collector;
pub use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text};
use prometheus_client::registry::Registry;

use self::family::{Labels, PREFIX, Writer, flag};
use self::series::Series;
use super::control::Control;
use super::report::{ExportReport, Report, State};
use crate::telemetry::otlp::metrics::Period;

/// All metrics. Label values come from the configuration, never from clients.
pub fn metrics(report: Report) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Metrics { series: Series::of(&report), report }));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

/// The metrics of this moment for an OpenTelemetry collector: the same ones.
pub fn otlp_metrics(control: &Control) -> Vec<Metric> {
    let report = Report::of(&control.status(), control.liveness().stalled(), control.history());
    let period = Period::since_start(Duration::try_from_secs_f64(report.uptime).unwrap_or_default());
    let mut metrics = Vec::new();
    // Only writing text can fail.
    let _ = Metrics { series: Series::of(&report), report }.write(&mut Writer::Otlp(&mut metrics, period));
    metrics
}

#[derive(Debug)]
struct Metrics {
    report: Report,
    series: Series,
}

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        self.write(&mut Writer::Text(encoder))
    }
}

impl Metrics {
    fn write(&self, writer: &mut Writer) -> fmt::Result {
        self.service(writer)?;
        shared_store::write(&self.report, writer)?;
        requests::write(&self.report, self.series, writer)?;
        connectors::write(&self.report, self.series, writer)
    }

    fn service(&self, writer: &mut Writer) -> fmt::Result {
        let Self { report, series } = self;
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
            connectors::warnings(report, *series),
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
        writer.family(
            "log_lines_unwritten",
            "Log lines lost because the log could not be written, or not fast enough",
            [(Labels::new(), report.log_lines_unwritten)],
        )?;
        if let Some(otlp) = &report.otlp {
            let by_signal = |count: fn(&ExportReport) -> u64| {
                otlp.signals().map(|(signal, records)| (vec![("signal", signal)], count(records)))
            };
            let exported = by_signal(|records| records.exported);
            writer.family("otlp_exported", "Records that the OpenTelemetry collector took, by signal", exported)?;
            let dropped = by_signal(|records| records.dropped);
            writer.family("otlp_dropped", "Records dropped because the collector was away or too slow", dropped)?;
        }
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
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::admin::history::History;
    use crate::admin::report::{
        CompanyReport, ConnectorReport, LimiterReport, Readiness, RequestsReport, RouteReport, TokenReport, Warning,
        WarningKind,
    };
    use crate::admin::{ConfigHistory, Status};
    use crate::config::Config;
    use crate::proxy::{Counts, Outcome, Proxy};

    const FILE: &str = "
listen: 127.0.0.1:0
connectors:
  one:
    tenant_id: contoso.onmicrosoft.com
    client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
    client_secret: { env: BC_CLIENT_SECRET }
    authority: https://127.0.0.1:9/contoso.onmicrosoft.com
    base_url: https://127.0.0.1:9
routes: [ { path: /one, to: api/v2.0 } ]
";

    /// The report of this many ready connectors with a route each, of which the first ones have served requests.
    async fn report(connectors: usize, active: usize) -> Report {
        let loaded = Config::from_yaml(FILE, Path::new("proxy.yaml")).unwrap();
        let proxy = Proxy::start(&loaded.config).await.unwrap();
        let view = proxy.view();
        let history = ConfigHistory::new(PathBuf::from("proxy.yaml"), &loaded);
        let status = Status { view: view.clone(), history, is_stopping: false };
        let mut report = Report::of(&status, None, &History::default());
        let connector = |number: usize| {
            let mut one = ConnectorReport::of(&view.connectors[0], &[]);
            one.name = format!("customer-{number:05}");
            one.readiness =
                Readiness::Ready { company: Some(CompanyReport { name: "CRONUS".to_owned(), id: String::new() }) };
            let application = &mut one.applications[0];
            application.token = Some(TokenReport { age: 1_234.567_891, usable_for: 2000.0 });
            application.tokens_received = 24;
            application.credential_expires = Some(time::macros::date!(2027 - 05 - 01));
            // Everybody's company was looked up since the start.
            limiter(application).window_requests = if number < active { 600 } else { 2 };
            limiter(application).in_flight = usize::from(number < active);
            one
        };
        report.connectors = (0..connectors).map(connector).collect();
        let route = |number: usize| {
            let mut one = RouteReport::of(&view.routes[0]);
            one.path = format!("/customer-{number:05}/api");
            let mut counts = Counts::default();
            if number < active {
                counts.responses.insert((Some(hyper::StatusCode::OK), Outcome::Complete), 1_000_000);
                counts.responses.insert((Some(hyper::StatusCode::NOT_FOUND), Outcome::Complete), 1_000);
                counts.bytes = 1_000_000_000;
                for times in [&mut counts.total, &mut counts.upstream, &mut counts.queue] {
                    times.add(std::time::Duration::from_millis(70));
                }
            }
            one.requests = RequestsReport::of(counts);
            one
        };
        report.routes = (0..connectors).map(route).collect();
        report
    }

    fn limiter(application: &mut crate::admin::report::ApplicationReport) -> &mut LimiterReport {
        application.limiter.as_mut().unwrap()
    }

    fn has(text: &str, line: &str) -> bool {
        text.lines().any(|written| written.starts_with(line))
    }

    #[tokio::test]
    async fn the_metrics_of_10_000_connectors_leave_out_what_never_happened() {
        let mut report = report(10_000, 100).await;
        report.connectors[7].warnings.push(Warning::new(WarningKind::RateLimit, "The rate limit is used up."));
        report.connectors[8].circuit_breaker_reason = Some("no route to host".to_owned());
        report.connectors[9].applications[0].token = None;
        limiter(&mut report.connectors[9_999].applications[0]).queued = 1;
        let started = std::time::Instant::now();
        let text = metrics(report).unwrap();
        println!("{} bytes in {:?}", text.len(), started.elapsed());
        assert!(text.len() < 4 << 20, "{} bytes", text.len());
        let application = "application=\"3f2504e0-4f89-41d3-9a0c-0305e82c3301\"";
        for line in [
            "bcproxy_connector_ready{connector=\"customer-09999\"} 1.0",
            "bcproxy_warnings{connector=\"\",kind=\"stalled\"} 0.0",
            "bcproxy_warnings{connector=\"customer-00007\",kind=\"rate_limit\"} 1.0",
            "bcproxy_connector_circuit_breaker_open{connector=\"customer-00008\"} 1.0",
            &format!("bcproxy_token_usable{{connector=\"customer-00009\",{application}}} 0.0"),
            &format!("bcproxy_limiter_window_limit{{connector=\"customer-00099\",{application}}} 6000"),
            &format!("bcproxy_limiter_queued{{connector=\"customer-09999\",{application}}} 1.0"),
            &format!("bcproxy_credential_expiry_timestamp_seconds{{connector=\"customer-09999\",{application}}} "),
            "bcproxy_requests_total{route=\"/customer-00099/api\",status=\"404\",outcome=\"complete\"} 1000",
            "bcproxy_request_duration_seconds_bucket{route=\"*\",le=\"0.1\"} 100",
            "bcproxy_request_duration_seconds_count{route=\"*\"} 100",
            "bcproxy_spool_exhausted_total 0",
        ] {
            assert!(has(&text, line), "{line}");
        }
        for line in [
            "bcproxy_warnings{connector=\"customer-00007\",kind=\"unreachable\"}",
            "bcproxy_connector_circuit_breaker_open{connector=\"customer-00007\"}",
            &format!("bcproxy_token_usable{{connector=\"customer-00008\",{application}}}"),
            &format!("bcproxy_limiter_queued{{connector=\"customer-09998\",{application}}}"),
            "bcproxy_retries_total{route=\"/customer-00099/api\"}",
            "bcproxy_response_bytes_total{route=\"/customer-00100/api\"}",
            "bcproxy_request_duration_seconds_count{route=\"/customer-00099/api\"}",
        ] {
            assert!(!has(&text, line), "{line}");
        }
    }

    #[tokio::test]
    async fn up_to_500_connectors_and_routes_have_all_their_series_from_the_start() {
        let text = metrics(report(500, 500).await).unwrap();
        println!("{} bytes", text.len());
        assert!(text.len() < 4 << 20, "{} bytes", text.len());
        for line in [
            "bcproxy_warnings{connector=\"customer-00499\",kind=\"unreachable\"} 0.0",
            "bcproxy_connector_circuit_breaker_open{connector=\"customer-00499\"} 0.0",
            "bcproxy_retries_total{route=\"/customer-00499/api\"} 0",
            "bcproxy_request_duration_seconds_count{route=\"/customer-00499/api\"} 1",
        ] {
            assert!(has(&text, line), "{line}");
        }
        assert!(!text.contains("route=\"*\""));
    }
}
