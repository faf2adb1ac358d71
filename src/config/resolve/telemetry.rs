//! The collector, and what it gets.

use super::connectors::{outbound_proxy, password, secret_variables};
use super::files::check_ca_file;
use super::references::{Variables, check_secret_source};
use crate::config::model::{Otlp, Share};
use crate::config::shape::{At, OrOff};
use crate::config::vocabulary::TopLevelKeys;
use crate::config::yaml::Report;

/// Checks every variable and file that the collector's keys name.
pub fn check_collector(file: &TopLevelKeys, variables: Variables, report: &mut Report) {
    let Some(otlp) = file.otlp() else { return };
    for (_, source) in otlp.headers.iter().flat_map(|headers| &headers.value.0) {
        check_secret_source(source, "header's value", variables, report);
    }
    check_ca_file(otlp.ca_file.as_ref(), report);
    if let Some(source) = password(otlp.outbound_proxy.as_ref()) {
        check_secret_source(source, "password", variables, report);
    }
}

/// Builds the settings of the collector. `None` if a key is missing or wrong.
pub fn otlp(file: &TopLevelKeys, report: &mut Report) -> Option<Option<Otlp>> {
    let Some(telemetry) = &file.telemetry else { return Some(None) };
    let keys = &telemetry.value.otlp.as_ref()?.value;
    let hidden = secret_variables(file);
    let endpoint = keys.endpoint.as_ref()?;
    if let Some(At { label, .. }) = &keys.headers
        && !endpoint.value.is_https()
        && !endpoint.value.is_local()
    {
        report.error(
            *label,
            "these headers would be sent unencrypted to another machine",
            "use an https:// address as `endpoint`, or remove `headers`",
        );
    }
    let headers = keys.headers.iter().flat_map(|headers| &headers.value.0);
    let attributes = keys.resource_attributes.iter().flat_map(|named| &named.value.0);
    Some(Some(Otlp {
        endpoint: endpoint.value.clone(),
        headers: headers.map(|(name, source)| (name.clone(), source.value.clone().hiding(&hidden))).collect(),
        traces: match keys.traces.as_ref()?.value {
            OrOff::On(Share::NONE) | OrOff::Off => None,
            OrOff::On(share) => Some(share),
        },
        metrics: match keys.metrics.as_ref()?.value {
            OrOff::On(interval) => Some(interval),
            OrOff::Off => None,
        },
        logs: keys.logs.as_ref()?.value,
        service_name: keys.service_name.as_ref()?.value.0.clone(),
        resource_attributes: attributes
            .filter_map(|(name, value)| Some((name.value.clone(), value.as_ref()?.0.clone())))
            .collect(),
        ca_file: keys.ca_file.as_ref().map(|path| path.value.clone()),
        outbound_proxy: outbound_proxy(keys.outbound_proxy.as_ref(), &hidden, report)?,
    }))
}
