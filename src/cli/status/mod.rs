//! `bcproxy status`: shows the state of the running bcproxy.
//!
//! | file | job |
//! |---|---|
//! | `document` | what the text needs of the JSON |
//! | `table` | columns of text |

mod document;
mod table;

use std::net::SocketAddr;
use std::path::Path;

use anstream::{print, println};
use console::style;

use document::{Configuration, Connections, Problem, Requests, Route, Status};
use table::{LEFT, RIGHT, Table, line, lines};

use super::admin::status_document;
use super::common::{Failure, Output, printable};
use crate::admin::in_words;

/// Prints the state of the running bcproxy. Fails when no connector is ready or bcproxy is stopping.
pub fn status(file: &Path, admin: Option<SocketAddr>, output: Output) -> Result<(), Failure> {
    let document = status_document(file, admin)?;
    let status: Status = serde_json::from_str(&document).map_err(|error| {
        Failure::Failed(format!(
            "The response is not the status of a bcproxy of this version ({error}). Check the address."
        ))
    })?;
    match output {
        Output::Json => println!("{document}"),
        Output::Text => print!("{}", as_text(&status)),
    }
    // The output has already named the reason.
    if status.is_ready() { Ok(()) } else { Err(Failure::Failed(String::new())) }
}

fn as_text(status: &Status) -> String {
    let mut text = String::new();
    let state = colored(&status.state);
    line(&mut text, 0, &format!("bcproxy {}: {state}, up for {}", printable(&status.version), in_words(status.uptime)));
    status.warnings.iter().for_each(|warning| lines(&mut text, 1, &warning.text()));
    let Configuration { file, loaded_at } = &status.configuration;
    line(&mut text, 1, &printable(&format!("configuration {file}, loaded at {loaded_at}")));
    let Connections { open, limit } = status.connections;
    let listeners = printable(&status.listeners.join(", "));
    line(&mut text, 1, &format!("listening on {listeners}, {open} of {limit} connections open"));
    connectors(status).write(&mut text);
    routes(status).write(&mut text);
    problems(status).write(&mut text);
    text
}

fn connectors(status: &Status) -> Table<4> {
    let mut table = Table::new([("CONNECTOR", LEFT), ("STATE", LEFT), ("ENVIRONMENT", LEFT), ("COMPANY", LEFT)]);
    for connector in &status.connectors {
        let company = connector.company.as_ref().map_or("–", |company| &company.name);
        let state = colored(&connector.state);
        let cells = [printable(&connector.name), state, printable(&connector.environment), printable(company)];
        table.add(cells, connector.remarks());
    }
    table
}

fn routes(status: &Status) -> Table<6> {
    let columns =
        [("ROUTE", LEFT), ("TO", LEFT), ("CONNECTOR", LEFT), ("REQUESTS", RIGHT), ("4XX", RIGHT), ("5XX", RIGHT)];
    let mut table = Table::new(columns);
    let mut add = |path: &str, to: &str, connector: &str, requests: &Requests| {
        let class = |first| requests.in_class(first).to_string();
        let all = requests.requests.to_string();
        table.add([printable(path), printable(to), printable(connector), all, class('4'), class('5')], []);
    };
    for Route { path, to, connector, requests } in &status.routes {
        add(path, to, connector, requests);
    }
    if status.unrouted.requests > 0 {
        add("–", "no matching route", "–", &status.unrouted);
    }
    table
}

fn problems(status: &Status) -> Table<5> {
    let columns = [("LATEST PROBLEMS", LEFT), ("COUNT", RIGHT), ("STATUS", RIGHT), ("CLIENT", LEFT), ("REQUEST", LEFT)];
    let mut table = Table::new(columns);
    for Problem { count, at, client, method, path, status, reason } in status.problems.iter().take(SHOWN_PROBLEMS) {
        let request = printable(&format!("{method} {path}"));
        let cells = [printable(at), count.to_string(), status.to_string(), printable(client), request];
        table.add(cells, [reason.clone()]);
    }
    table
}

/// The words of a state's name in JSON, in color on a terminal.
fn colored(state: &str) -> String {
    let words = style(printable(&state.replace('_', " ")));
    match state {
        "ready" => words.green(),
        "not_ready" | "stopping" => words.red(),
        _ => words.yellow(),
    }
    .to_string()
}

/// The status page has more.
const SHOWN_PROBLEMS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{
        "version": "1.2.3", "uptime": 90061.5, "state": "degraded", "future": [1],
        "warnings": [{"reason": "the file can't be used\nline 3", "until": null}],
        "configuration": {"file": "/etc/proxy.yaml", "loaded_at": "2026-11-30T01:00:00Z"},
        "listeners": ["http://127.0.0.1:8080"], "connections": {"open": 3, "limit": 16000, "rejected": 0},
        "connectors": [
            {"name": "cronus", "tenant": "t", "environment": "Production", "state": "ready",
             "company": {"name": "CRONUS", "id": "1"},
             "warnings": [{"reason": "the rate is used up", "until": "2026-11-30T02:00:00Z"}]},
            {"name": "test", "tenant": "t", "environment": "Sandbox", "state": "not_ready", "reason": "one\ntwo\u001b[2J",
             "warnings": []}
        ],
        "routes": [
            {"path": "/api", "to": "api/v2.0", "connector": "cronus", "requests": 1234, "by_status": {"200": 1200, "404": 30, "429": 3, "502": 1}}
        ],
        "unrouted": {"requests": 1, "by_status": {"404": 1}},
        "problems": [
            {"count": 25, "at": "2026-11-30T01:30:00Z", "client": "192.168.1.20", "method": "GET", "path": "/api/x", "status": 502, "reason": "broken"}
        ]
    }"#;

    #[test]
    fn the_text_has_every_part_in_columns() {
        let text = as_text(&serde_json::from_str(DOCUMENT).unwrap());
        let expected = "\
bcproxy 1.2.3: degraded, up for 1 d 1 h
  warning: the file can't be used
  line 3
  configuration /etc/proxy.yaml, loaded at 2026-11-30T01:00:00Z
  listening on http://127.0.0.1:8080, 3 of 16000 connections open

CONNECTOR  STATE      ENVIRONMENT  COMPANY
cronus     ready      Production   CRONUS
    warning: the rate is used up (until 2026-11-30T02:00:00Z)
test       not ready  Sandbox      –
    one
    two[2J

ROUTE  TO                 CONNECTOR  REQUESTS  4XX  5XX
/api   api/v2.0           cronus         1234   33    1
–      no matching route  –                 1    1    0

LATEST PROBLEMS       COUNT  STATUS  CLIENT        REQUEST
2026-11-30T01:30:00Z     25     502  192.168.1.20  GET /api/x
    broken
";
        assert_eq!(console::strip_ansi_codes(&text), expected);
    }
}
