//! The status page for a browser on this machine. It reloads itself and runs no script.

use maud::{DOCTYPE, Markup, html};

use super::report::{
    ApplicationReport, CacheReport, ConnectorReport, KnownClientReport, LimiterReport, ProblemReport, Readiness,
    Report, RequestsReport, State, in_words, rfc3339,
};

/// The style sheet, served at `/style.css`.
pub const STYLE: &str = include_str!("style.css");

/// Permits the page to load its style sheet and to send its own forms, and nothing else.
pub const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub fn page(report: &Report) -> String {
    let (mood, summary) = summary(report);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="refresh" content="5";
                title { (summary) " – bcproxy" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                header {
                    h1 { "bcproxy" }
                    p class={ "pill " (mood) } { (summary) }
                    p.aside {
                        "version " (report.version) ", up for " (in_words(report.uptime)) ", "
                        (report.connections.open) " of " (report.connections.limit) " connections open"
                    }
                }
                (configuration(report))
                section {
                    h2 { "Connectors" }
                    div.cards { @for report in &report.connectors { (connector(report)) } }
                }
                section {
                    h2 { "Routes" }
                    (routes(report))
                }
                @if !report.known_clients.is_empty() {
                    section {
                        h2 { "Clients" }
                        (clients(&report.known_clients))
                    }
                }
                section {
                    h2 { "Latest problems" }
                    (problems(&report.problems))
                }
                footer {
                    "Also available as: " a href="/status.json" { "/status.json" } ", " a href="/metrics" { "/metrics" } ", "
                    a href="/readyz" { "/readyz" } "."
                }
            }
        }
    };
    page.into_string()
}

/// The style class and a short text for the overall state.
fn summary(report: &Report) -> (&'static str, String) {
    let all = report.connectors.len();
    let ready = report.connectors.iter().filter(|one| one.is_ready()).count();
    let connectors = match () {
        () if ready == all && all == 1 => "ready".to_owned(),
        () if ready == all => format!("all {all} connectors are ready"),
        () if ready == 0 => "no connector is ready".to_owned(),
        () => format!("{ready} of {all} connectors are ready"),
    };
    match report.state {
        State::Ready => ("good", connectors),
        State::Degraded => ("poor", format!("{connectors}, but something needs attention")),
        State::NotReady if ready > 0 => ("bad", "stalled".to_owned()),
        State::NotReady => ("bad", connectors),
        State::Stopping => ("bad", "stopping".to_owned()),
    }
}

fn configuration(report: &Report) -> Markup {
    let configuration = &report.configuration;
    html! {
        p.aside {
            "Configuration " code { (configuration.file.display()) } ", loaded " (rfc3339(configuration.loaded_at)) ". Listening on "
            @for (index, address) in report.listeners.iter().enumerate() {
                @if index > 0 { ", " }
                code { (address) }
            }
            "."
            @for certificate in &report.certificates {
                " The certificate of " code { (certificate.listener) } " expires on " (certificate.expires.date())
                ", in " (certificate.days_left) " days."
            }
        }
        @if report.connections.rejected > 0 {
            p.aside {
                "Rejected connections since the start: "
                @for (index, (why, count)) in report.connections.rejections.iter().filter(|(_, count)| *count > 0).enumerate() {
                    @if index > 0 { ", " }
                    (count) " (" (why.describe()) ")"
                }
                "."
            }
        }
        @for warning in &report.warnings { div.note.poor { pre { (warning) } } }
        @if let Some(warnings) = &configuration.warnings {
            div.note.poor {
                p { strong { "The configuration in service works, but probably has mistakes." } }
                pre { (warnings) }
            }
        }
    }
}

fn connector(connector: &ConnectorReport) -> Markup {
    let (mood, state) = match &connector.readiness {
        Readiness::Ready { .. } if connector.warnings.is_empty() => ("good", "ready"),
        Readiness::Ready { .. } => ("poor", "ready, but needs attention"),
        Readiness::Waiting => ("poor", "waiting for Entra or Business Central"),
        Readiness::NotReady { .. } => ("bad", "not ready"),
    };
    html! {
        article {
            h3 { (connector.name) " " span class={ "pill " (mood) } { (state) } }
            @if let Readiness::NotReady { reason } = &connector.readiness { p.note.bad { (reason) } }
            @for warning in &connector.warnings { p.note.poor { (warning) } }
            dl {
                dt { "Environment" } dd { (connector.environment) " in " (connector.tenant) }
                @match &connector.readiness {
                    Readiness::Ready { company: Some(company) } => { dt { "Company" } dd { (company.name) " " small { (company.id) } } }
                    Readiness::Ready { company: None } => { dt { "Company" } dd { "named by the client" } }
                    Readiness::Waiting | Readiness::NotReady { .. } => {}
                }
                @for report in &connector.applications { (application(report)) }
            }
        }
    }
}

fn application(application: &ApplicationReport) -> Markup {
    html! {
        dt { "Application" } dd { (application.client_id) }
        dt { "Token" }
        dd {
            @match &application.token {
                Some(token) => {
                    (in_words(token.age)) " old, usable for " (in_words(token.usable_for))
                }
                None => "none",
            }
            @if let Some(failure) = &application.failure {
                p.note.bad { (failure.reason) " Next attempt in " (in_words(failure.retry_in)) "." }
            }
            @if let Some(day) = &application.credential_expires { p.aside { "The credential expires on " (day) "." } }
        }
        @if let Some(report) = &application.limiter { dt { "API and OData" } dd { (limiter(report)) } }
        @if let Some(report) = &application.soap_limiter { dt { "SOAP" } dd { (limiter(report)) } }
    }
}

fn limiter(limiter: &LimiterReport) -> Markup {
    html! {
        (limiter.in_flight) " of " (limiter.concurrency) " in flight, " (limiter.queued) " queued, "
        (limiter.window_requests) " of " (limiter.window_limit) " in the last " (in_words(limiter.window))
    }
}

fn routes(report: &Report) -> Markup {
    let has_cache = report.routes.iter().any(|route| route.cache.is_some());
    html! {
        table {
            thead {
                tr {
                    th { "Path" } th { "Target" }
                    th.number { "Requests" } th.number { "4xx" } th.number { "5xx" } th.number { "Retries" }
                    th.number { "Mean duration" } th.number { "Mean queue time" }
                    @if has_cache { th.number { "Cache hits" } }
                }
            }
            tbody {
                @for route in &report.routes {
                    tr {
                        (row(&route.path, &route.target, &route.requests))
                        @if has_cache { td.number { (cache(route.cache.as_ref())) } }
                    }
                }
                @if report.unrouted.requests > 0 {
                    tr {
                        (row("–", "no matching route", &report.unrouted))
                        @if has_cache { td.number { (cache(None)) } }
                    }
                }
            }
        }
        p.aside { "All figures count from the start of bcproxy." }
    }
}

fn row(path: &str, target: &str, requests: &RequestsReport) -> Markup {
    let mean = |time: Option<f64>| time.map_or_else(|| "–".to_owned(), |seconds| format!("{:.0} ms", seconds * 1000.0));
    html! {
        td { code { (path) } } td { (target) }
        td.number { (requests.requests) }
        td.number { (requests.in_class(400)) } td.number { (requests.in_class(500)) }
        td.number { (requests.retries) }
        td.number { (mean(requests.mean_duration)) } td.number { (mean(requests.mean_queue)) }
    }
}

/// Its hit rate, with the counts behind it.
fn cache(cache: Option<&CacheReport>) -> Markup {
    let Some(cache) = cache else { return html! { "–" } };
    let answered = cache.hit + cache.coalesced;
    html! {
        @if let Some(rate) = cache.hit_rate { (format!("{:.0} %", rate * 100.0)) } @else { "–" }
        br;
        small { (answered) " of " (answered + cache.miss) " reads" }
    }
}

fn clients(clients: &[KnownClientReport]) -> Markup {
    html! {
        table {
            thead { tr { th { "Client" } th.number { "Requests" } th.number { "Errors" } } }
            tbody {
                @for client in clients {
                    tr { td { (client.name) } td.number { (client.requests) } td.number { (client.errors) } }
                }
            }
        }
    }
}

fn problems(problems: &[ProblemReport]) -> Markup {
    html! {
        @if problems.is_empty() {
            p { "No problems since the start." }
        } @else {
            table {
                thead { tr { th { "Time" } th { "Client" } th { "Request" } th.number { "Status" } th { "Reason" } } }
                tbody {
                    @for problem in problems {
                        tr {
                            td.time {
                                (problem.at)
                                @if problem.count > 1 { br; small { (problem.count) "× since " (problem.since()) } }
                            }
                            td.time {
                                (problem.client)
                                @if let Some(identity) = &problem.identity { br; small { (identity) } }
                            }
                            td { code { (problem.method) " " (problem.path) } br; small { (problem.id) } }
                            td.number { (problem.status) }
                            td {
                                (problem.reason)
                                @if let Some(client_id) = &problem.client_id { br; small { "application " (client_id) } }
                                @for (name, id) in problem.ids_for_microsoft() { br; small { (name) " " (id) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
