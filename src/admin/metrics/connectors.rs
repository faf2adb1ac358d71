//! Connectors: whether they are ready, their warnings, tokens and limiters.

use std::fmt;

use super::family::{Labels, Writer, flag};
use super::series::Series;
use crate::admin::report::{
    AllReplicasReport, ApplicationReport, ConnectorReport, LimiterReport, Report, WarningKind, end_of_day,
};

/// How many warnings there are, by connector and kind. The service's own kinds are always there.
pub fn warnings(report: &Report, series: Series) -> impl Iterator<Item = (Labels<'_>, f64)> {
    let of_connectors =
        report.connectors.iter().map(|one| (one.name.as_str(), &WarningKind::OF_CONNECTOR[..], &one.warnings));
    let of_service = std::iter::once(("", &WarningKind::OF_SERVICE[..], &report.warnings));
    let counts = of_service.chain(of_connectors).flat_map(|(connector, kinds, warnings)| {
        kinds.iter().map(move |kind| {
            let count = warnings.iter().filter(|warning| warning.kind == *kind).count();
            (vec![("connector", connector), ("kind", kind.as_str())], count as f64)
        })
    });
    counts
        .filter(move |(labels, count)| series.all_of_connectors || *count > 0.0 || labels.contains(&("connector", "")))
}

/// All metrics of connectors but their warnings.
pub fn write(report: &Report, series: Series, writer: &mut Writer) -> fmt::Result {
    let all = series.all_of_connectors;
    let of_each = |value: fn(&ConnectorReport) -> bool| {
        let connectors = report.connectors.iter();
        connectors.map(move |one| (vec![("connector", one.name.as_str())], flag(value(one))))
    };
    writer.family(
        "connector_ready",
        "1 if the connector has a token and its company",
        of_each(ConnectorReport::is_ready),
    )?;
    writer.family(
        "connector_circuit_breaker_open",
        "1 if bcproxy does not connect to Business Central for now because the last attempts failed",
        of_each(|connector| connector.circuit_breaker_reason.is_some()).filter(|(_, open)| all || *open > 0.0),
    )?;
    writer.family(
        "token_requests",
        "Token requests to Entra, by outcome",
        applications(report).flat_map(|(labels, application)| {
            let with = |outcome, count| ([labels.clone(), vec![("outcome", outcome)]].concat(), count);
            let counts = [with("received", application.tokens_received), with("failed", application.tokens_failed)];
            counts.into_iter().filter(|(_, count)| all || *count > 0)
        }),
    )?;
    let gauge = |value: fn(&ApplicationReport) -> Option<f64>| {
        applications(report).filter_map(move |(labels, application)| Some((labels, value(application)?)))
    };
    writer.family(
        "token_usable",
        "1 if the application has a usable token",
        gauge(|application| Some(flag(application.token.is_some()))).filter(|(_, usable)| all || *usable == 0.0),
    )?;
    writer.family(
        "token_age_seconds",
        "Age of the token in use",
        gauge(|application| application.token.as_ref().map(|token| token.age)).filter(|_| all),
    )?;
    writer.family(
        "credential_expiry_timestamp_seconds",
        "Expiry of the credential in use, if known",
        gauge(|application| application.credential_expires.and_then(end_of_day).map(|end| end.unix_timestamp() as f64)),
    )?;
    limiters(report, series, writer)
}

/// The applications of all connectors, each with its labels.
fn applications(report: &Report) -> impl Iterator<Item = (Labels<'_>, &ApplicationReport)> {
    report.connectors.iter().flat_map(|connector| {
        let applications = connector.applications.iter();
        applications.map(|one| (vec![("connector", connector.name.as_str()), ("application", &one.client_id)], one))
    })
}

fn limiters(report: &Report, series: Series, writer: &mut Writer) -> fmt::Result {
    let all = series.all_of_connectors;
    let limiters = || {
        let each = applications(report).flat_map(|(labels, application)| {
            let soap = application.soap_limiter.iter().map({
                let labels = labels.clone();
                move |limiter| ([labels.clone(), vec![("protocol", "soap")]].concat(), limiter)
            });
            application.limiter.iter().map(move |limiter| (labels.clone(), limiter)).chain(soap)
        });
        each.filter(move |(_, limiter)| all || !limiter.is_idle())
    };
    let mut gauge = |name: &str, help: &str, value: fn(&LimiterReport) -> f64| {
        writer.family(name, help, limiters().map(|(labels, limiter)| (labels, value(limiter))))
    };
    gauge("limiter_in_flight", "Requests in flight to Business Central", |limiter| limiter.in_flight as f64)?;
    gauge("limiter_in_flight_limit", "Requests that may be in flight to Business Central", |limiter| {
        limiter.concurrency as f64
    })?;
    gauge("limiter_queued", "Queued requests", |limiter| limiter.queued as f64)?;
    gauge("limiter_window_requests", "Requests started within the window of the rate limit", |limiter| {
        limiter.window_requests as f64
    })?;
    gauge("limiter_window_limit", "Requests allowed within the window of the rate limit", |limiter| {
        limiter.window_limit as f64
    })?;
    gauge("limiter_pause_remaining_seconds", "Remaining time of a pause that Business Central requested", |limiter| {
        limiter.pause_remaining.unwrap_or(0.0)
    })?;
    gauge(
        "limiter_rate_limited_seconds",
        "How long requests have been waiting because of the rate limit",
        |limiter| limiter.rate_limited.unwrap_or(0.0),
    )?;
    if report.shared_store.is_none() {
        return Ok(());
    }
    // Without series while this replica shares nothing: the others' use is unknown then.
    let mut of_all = |name: &str, help: &str, value: fn(&AllReplicasReport) -> usize| {
        let known = limiters().filter_map(|(labels, limiter)| Some((labels, limiter.all_replicas.as_ref()?)));
        writer.family(name, help, known.map(|(labels, all)| (labels, value(all) as f64)))
    };
    of_all("limiter_all_replicas_in_flight", "Requests of all replicas in flight to Business Central", |all| {
        all.in_flight
    })?;
    let help = "Requests of all replicas started within the window of the rate limit";
    of_all("limiter_all_replicas_window_requests", help, |all| all.window_requests)
}
