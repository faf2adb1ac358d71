//! The status page: the report for a person in front of a browser on this machine. It reloads itself and runs no script.

use maud::{DOCTYPE, Markup, html};

use super::report::{Application, Connector, GateReport, ProblemReport, Report, RouteReport, State, in_words};

/// The page's look, at `/style.css`.
pub const STYLE: &str = include_str!("style.css");

/// What the page may load: its style, from here.
pub const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

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
                        (report.connections.open) " of " (report.connections.most) " connections open"
                    }
                }
                (configuration(report))
                section {
                    h2 { "Connectors" }
                    div.cards { @for one in &report.connectors { (connector(one)) } }
                }
                section {
                    h2 { "Routes" }
                    (routes(report))
                }
                section {
                    h2 { "Latest problems" }
                    (problems(&report.problems))
                }
                footer {
                    "The same for programs: " a href="/status.json" { "/status.json" } ", " a href="/metrics" { "/metrics" } ", "
                    a href="/readyz" { "/readyz" } "."
                }
            }
        }
    };
    page.into_string()
}

/// How it is on the whole, and in a few words.
fn summary(report: &Report) -> (&'static str, String) {
    let all = report.connectors.len();
    let ready = report.connectors.iter().filter(|one| matches!(one.state, State::Ready { .. })).count();
    match () {
        () if report.is_stopping => ("bad", "stopping".to_owned()),
        () if report.configuration.unused.is_some() => ("poor", "the configuration file can't be used".to_owned()),
        () if ready == all && all == 1 => ("good", "ready".to_owned()),
        () if ready == all => ("good", format!("all {all} connectors are ready")),
        () if ready == 0 => ("bad", "no connector is ready".to_owned()),
        () => ("poor", format!("{ready} of {all} connectors are ready")),
    }
}

fn configuration(report: &Report) -> Markup {
    let configuration = &report.configuration;
    html! {
        p.aside {
            "Configuration " code { (configuration.file) } ", read " (configuration.read) ". Listening on "
            @for (index, address) in report.listening.iter().enumerate() {
                @if index > 0 { ", " }
                code { (address) }
            }
            "."
        }
        @if let Some(reason) = &configuration.unused {
            div.note.poor {
                p { strong { "The file was changed and can't be used; the configuration before is in service." } }
                pre { (reason) }
            }
        }
    }
}

fn connector(connector: &Connector) -> Markup {
    let (mood, state) = match &connector.state {
        State::Ready { .. } => ("good", "ready"),
        State::Waiting => ("poor", "waiting for Entra or Business Central"),
        State::NotReady { .. } => ("bad", "not ready"),
    };
    html! {
        article {
            h3 { (connector.name) " " span class={ "pill " (mood) } { (state) } }
            @if let State::NotReady { reason } = &connector.state { p.note.bad { (reason) } }
            @if let Some(reason) = &connector.cut_off {
                p.note.bad { "Business Central can't be reached: " (reason) ". bcproxy tries again by itself." }
            }
            dl {
                dt { "Environment" } dd { (connector.environment) " in " (connector.tenant) }
                @match &connector.state {
                    State::Ready { company: Some(company) } => { dt { "Company" } dd { (company.name) " " small { (company.id) } } }
                    State::Ready { company: None } => { dt { "Company" } dd { "named by the client" } }
                    State::Waiting | State::NotReady { .. } => {}
                }
                @for one in &connector.applications { (application(one)) }
                @if let Some(gate) = &connector.soap { dt { "SOAP calls" } dd { (business(gate)) } }
            }
        }
    }
}

fn application(application: &Application) -> Markup {
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
                p.note.bad { (failure.reason) " Asked again in " (in_words(failure.retry_in)) "." }
            }
            @match (&application.ends_soon, &application.last_day) {
                (Some(soon), _) => p.note.poor { (soon) "." },
                (None, Some(day)) => p.aside { "Its credential ends on " (day) "." },
                (None, None) => {}
            }
        }
        @if let Some(gate) = &application.gate { dt { "api and OData" } dd { (business(gate)) } }
    }
}

fn business(gate: &GateReport) -> Markup {
    html! {
        (gate.in_work) " of " (gate.most_in_work) " in work, " (gate.waiting) " waiting, "
        (gate.recent) " of " (gate.most_recent) " in the last " (in_words(gate.period))
        @if let Some(pause) = gate.paused_for {
            p.note.poor { "Business Central asked for a pause, " (in_words(pause)) " of it left." }
        }
    }
}

fn routes(report: &Report) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th { "Path" } th { "Leads to" }
                    th.number { "Requests" } th.number { "4xx" } th.number { "5xx" } th.number { "Sent again" }
                    th.number { "Took" } th.number { "Queued" }
                }
            }
            tbody {
                @for route in &report.routes { (row(&route.path, &target(route), &route.requests)) }
                @if report.unrouted.requests > 0 { (row("–", "no route, or a step of a handshake", &report.unrouted)) }
            }
        }
        p.aside { "Took and queued are means since the start." }
    }
}

fn target(route: &RouteReport) -> String {
    let company = match &route.company {
        Some(company) => format!(", company {company}"),
        None => String::new(),
    };
    format!("{} of {}, environment {}{company}", route.to, route.connector, route.environment)
}

fn row(path: &str, target: &str, requests: &super::report::Requests) -> Markup {
    let mean = |time: Option<f64>| time.map_or_else(|| "–".to_owned(), |seconds| format!("{:.0} ms", seconds * 1000.0));
    html! {
        tr {
            td { code { (path) } } td { (target) }
            td.number { (requests.requests) }
            td.number { (requests.with_status_from(400)) } td.number { (requests.with_status_from(500)) }
            td.number { (requests.sent_again) }
            td.number { (mean(requests.mean_duration)) } td.number { (mean(requests.mean_queue)) }
        }
    }
}

fn problems(problems: &[ProblemReport]) -> Markup {
    html! {
        @if problems.is_empty() {
            p { "None since the start." }
        } @else {
            table {
                thead { tr { th { "When" } th { "Who" } th { "Request" } th.number { "Answer" } th { "Why" } } }
                tbody {
                    @for problem in problems {
                        tr {
                            td.time { (problem.at) }
                            td.time { (problem.client) }
                            td { code { (problem.method) " " (problem.path) } br; small { (problem.id) } }
                            td.number { (problem.status) }
                            td {
                                (problem.reason)
                                @if let Some(client_id) = &problem.client_id { br; small { "application " (client_id) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
