//! The clients that send requests, the busiest first.

use maud::{Markup, html};

use super::parts::{bar, duration, key, moment, number};
use super::query::{Field, PageQuery};
use crate::admin::report::{ClientReport, KnownClientReport, Report};

pub fn section(report: &Report) -> Markup {
    let total: u64 = report.clients.iter().map(|client| client.recent_requests).sum();
    html! {
        section #clients aria-labelledby="clients-title" {
            h2 #clients-title { "Clients" }
            @if report.clients.is_empty() {
                p data-key="none" { "No client has sent a request since the start." }
            } @else {
                table data-key="table" {
                    thead {
                        tr {
                            th scope="col" { "Client" } th scope="col" { "User agent" } th scope="col" { "Credentials" }
                            th.number scope="col" { "Last 5 min" } th.number scope="col" { "Time queued" }
                            th.number scope="col" { "Queued now" } th.number scope="col" { "Requests" }
                            th.number scope="col" { "Errors" } th scope="col" { "Last request" }
                        }
                    }
                    tbody { @for client in report.clients.iter().take(SHOWN) { (row(client, total)) } }
                }
                p.aside data-key="order" {
                    "The busiest of the last 5 minutes first"
                    @if report.clients.len() > SHOWN { ", the first " (SHOWN) " of them" }
                    ". A client is an address with its user agent and identity."
                }
            }
            @if !report.known_clients.is_empty() { (known(&report.known_clients)) }
        }
    }
}

fn row(client: &ClientReport, total: u64) -> Markup {
    let user_agent = client.user_agent.as_deref();
    let name = client.name.as_deref().or(client.identity.as_deref());
    html! {
        tr data-key=(key((&client.address, user_agent, &client.identity, &client.name))) {
            th scope="row" {
                code { (client.address) }
                @if let Some(name) = name { " " span.name { (name) } }
            }
            td data-label="User agent" { @if let Some(user_agent) = user_agent { code { (user_agent) } } @else { "–" } }
            td data-label="Credentials" { (client.credentials) ", HTTP/" (client.http) }
            td.number.share data-label="Last 5 min" {
                (number(client.recent_requests)) " "
                small { (client.recent_requests * 100 / total.max(1)) " %" }
                (bar(client.recent_requests, total))
            }
            td.number data-label="Time queued" { (queue_time(client)) }
            td.number data-label="Queued now" { (number(client.queued as u64)) }
            td.number data-label="Requests" { (number(client.requests)) }
            td.number data-label="Errors" {
                @if client.errors > 0 {
                    a href=(PageQuery::default().link(Field::Client, &client.address, "problems")) { (number(client.errors)) }
                } @else { "0" }
            }
            td data-label="Last request" { (moment(&client.last_seen)) }
        }
    }
}

/// The mean time that a request of the last five minutes was queued.
fn queue_time(client: &ClientReport) -> String {
    match client.recent_requests {
        0 => "–".to_owned(),
        requests => duration(client.recent_queue / requests as f64),
    }
}

fn known(clients: &[KnownClientReport]) -> Markup {
    html! {
        h3 data-key="known-title" { "Clients with a name" }
        table.narrow data-key="known" {
            thead { tr { th scope="col" { "Name" } th.number scope="col" { "Requests" } th.number scope="col" { "Errors" } } }
            tbody {
                @for client in clients.iter().take(SHOWN) {
                    tr data-key=(client.name) {
                        th scope="row" { (client.name) }
                        td.number data-label="Requests" { (number(client.requests)) }
                        td.number data-label="Errors" { (number(client.errors)) }
                    }
                }
            }
        }
    }
}

/// The page stays small. `/status.json` has more.
const SHOWN: usize = 50;
