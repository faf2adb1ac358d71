//! The configuration in service, and what the process as a whole uses.

use maud::{Markup, html};

use super::parts::{Mood, bar, counted, moment_of, note, number, order};
use crate::admin::report::{BudgetReport, CertificateReport, ConnectionsReport, OtlpReport, Report, SharedStoreReport};

pub fn section(report: &Report) -> Markup {
    let configuration = &report.configuration;
    html! {
        section #configuration aria-labelledby="configuration-title" {
            h2 #configuration-title { "Configuration" }
            @if let Some(warnings) = &configuration.warnings {
                div data-key="warnings" {
                    (note(Mood::Poor, "The configuration in service works, but probably has mistakes.", None))
                    pre { (warnings) }
                }
            }
            div.columns data-key="columns" {
                div {
                    h3 { "In service" }
                    dl {
                        dt { "File" } dd { code { (configuration.file.display()) } }
                        dt { "Since" } dd { (moment_of(configuration.loaded_at)) }
                        dt { "Content" } dd { a href="/configuration" { "Show it, with secrets masked" } }
                        dt { "Reloads" } dd { (number(configuration.reloads_applied)) " applied, " (number(configuration.reloads_rejected)) " rejected" }
                        dt { "Listening on" } dd { @for (index, address) in report.listeners.iter().enumerate() { @if index > 0 { ", " } code { (address) } } }
                        @for one in &report.certificates { (certificate(one)) }
                    }
                    (order("/reload", "Reload the configuration", RELOAD, &[]))
                }
                div {
                    h3 { "Process" }
                    @if let Some(store) = &report.shared_store { (shared_store(store)) }
                    (used("Connections", report.connections.open as u64, report.connections.limit as u64, number))
                    (budget("Memory for clients", &report.client_memory))
                    (budget("Disk for clients", &report.spool))
                    @if report.connections.rejected > 0 { (rejections(&report.connections)) }
                    @let failures = || report.client_auth_failures.iter().filter(|(_, count)| **count > 0);
                    @if failures().next().is_some() {
                        p {
                            "Wrong credentials of clients: "
                            @for (index, (scheme, count)) in failures().enumerate() { @if index > 0 { ", " } (number(*count)) " (" (scheme) ")" }
                            "."
                        }
                    }
                    @if report.log_lines_dropped > 0 {
                        p { (counted(report.log_lines_dropped, "log line")) " dropped, because clients caused too many." }
                    }
                    @if report.log_lines_unwritten > 0 {
                        p { (counted(report.log_lines_unwritten, "log line")) " lost, because the log could not be written." }
                    }
                    @if let Some(otlp) = &report.otlp { (telemetry(otlp)) }
                }
            }
        }
    }
}

fn certificate(certificate: &CertificateReport) -> Markup {
    let day = certificate.expires.date();
    html! {
        dt { "Certificate" }
        dd {
            "of " code { (certificate.listener) } " expires on " time datetime=(day) { (day) }
            ", in " (certificate.days_left) " days"
        }
    }
}

fn rejections(connections: &ConnectionsReport) -> Markup {
    let occurred = connections.rejections.iter().filter(|(_, count)| *count > 0);
    html! {
        p {
            "Rejected connections since the start: "
            @for (index, (why, count)) in occurred.enumerate() {
                @if index > 0 { ", " }
                (number(*count)) " (" (why.describe()) ")"
            }
            "."
        }
    }
}

fn telemetry(otlp: &OtlpReport) -> Markup {
    html! {
        p {
            "Telemetry for " code { (otlp.endpoint) } ": "
            @for (index, (signal, export)) in otlp.signals().into_iter().enumerate() {
                @if index > 0 { ", " }
                (number(export.exported)) " " (signal) " exported"
                @if export.dropped > 0 { " and " (number(export.dropped)) " dropped" }
            }
            "."
        }
        @if let Some(failure) = &otlp.failure { (note(Mood::Poor, failure, None)) }
    }
}

fn shared_store(store: &SharedStoreReport) -> Markup {
    html! {
        div data-key="shared-store" {
            p {
                "Shared store " code { (store.address) } ": "
                @if store.up { "in use" } @else { "away" }
                " since " (moment_of(store.since)) ". "
                (counted(store.replicas as u64, "replica")) @if store.replicas == 1 { " uses it." } @else { " use it." }
            }
            p.aside {
                (counted(store.calls, "call")) ", " (number(store.calls_failed)) " without a response in time; "
                (counted(store.outages, "outage")) ". The latest call took " (milliseconds(store.latest_call)) " ms."
            }
            @if store.replicas_missing > 0 {
                p {
                    (counted(store.replicas_missing as u64, "replica")) " stopped without an orderly end. Caches are off \
                     until it is back, for 10 minutes at most."
                }
            }
        }
    }
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.1}", seconds * 1000.0)
}

fn budget(name: &str, budget: &BudgetReport) -> Markup {
    html! {
        (used(name, budget.used, budget.limit, bytes))
        @if budget.exhausted > 0 { p.aside { (counted(budget.exhausted, "request")) " found it full." } }
    }
}

fn used(name: &str, used: u64, limit: u64, unit: fn(u64) -> String) -> Markup {
    html! {
        div.limit {
            span { (name) }
            (bar(used, limit))
            span.figure { (unit(used)) " of " (unit(limit)) }
        }
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{} KiB", count / 1024),
        _ => format!("{} MiB", number(count / 1_048_576)),
    }
}

const RELOAD: &str = "bcproxy reads the file again. If it has a mistake, nothing changes, and the page says why. Requests in flight are \
     not interrupted.";
