//! `bcproxy explain`: what would become of a request, and why; nothing is sent.

use std::ffi::OsString;
use std::fmt::Write;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;

use super::{Failure, Output, load_shape, runtime};
use crate::proxy::explain::{
    Case, Explanation, Header, HeaderChanges, Outcome, Question, Rejected, SentRequest, explain,
};

/// The request that is asked about.
#[derive(Debug, Args)]
pub struct Arguments {
    /// GET, POST, …
    method: String,
    /// Path and query as the program sends them, such as '/api/customers?$top=1'. May hold spaces and umlauts.
    path: OsString,
    /// A header of the request, 'Name: value'. May be given several times.
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = header_line)]
    headers: Vec<String>,
    /// The program's IP address.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    from: IpAddr,
    /// The file that holds the request's body; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub fn print(config: &Path, arguments: Arguments) -> Result<(), Failure> {
    let config = load_shape(config)?;
    let output = arguments.output;
    let question = Question {
        method: arguments.method,
        target: arguments.path.into_encoded_bytes(),
        headers: arguments.headers,
        client: arguments.from,
        body: arguments.body.as_deref().map(read).transpose()?,
    };
    let explanation = runtime()?.block_on(explain(&config, &question));
    match output {
        Output::Text => print!("{}", drawn(&explanation)),
        Output::Json => {
            let json = serde_json::to_string_pretty(&explanation);
            println!("{}", json.map_err(|error| Failure::Failed(format!("the account can't be written: {error}")))?);
        }
    }
    Ok(())
}

fn header_line(line: &str) -> Result<String, String> {
    let is_line = line.contains(':') && !line.contains(['\r', '\n']);
    if is_line { Ok(line.to_owned()) } else { Err("write it as 'Name: value'".to_owned()) }
}

fn read(file: &Path) -> Result<Bytes, Failure> {
    let mut body = Vec::new();
    let read = match file.to_str() {
        Some("-") => std::io::stdin().read_to_end(&mut body).map(|_| body),
        _ => std::fs::read(file),
    };
    read.map(Bytes::from)
        .map_err(|error| Failure::Configuration(format!("the body in {} can't be read: {error}", file.display())))
}

// A String takes everything that is written to it, so the results of `write!` below say nothing.

fn drawn(explanation: &Explanation) -> String {
    let mut text = String::new();
    let request = &explanation.request;
    let repaired = if request.is_repaired { " (repaired)" } else { "" };
    let _ = writeln!(text, "{} {}{repaired}, from {}", request.method, request.target, request.client);
    if let Some(route) = &explanation.route {
        let place = format!("connector {}, environment {}", route.connector, route.environment);
        line(&mut text, "route", &format!("{} → {}, {place}", route.path, route.to));
    }
    for Case { condition, outcome } in &explanation.cases {
        if let Some(condition) = condition {
            let _ = writeln!(text, "\nif {condition}:");
        }
        match outcome {
            Outcome::Sent(sent) => draw_sent(&mut text, sent),
            Outcome::Rejected(rejected) => draw_refused(&mut text, rejected),
            Outcome::Challenged(challenged) => {
                let response = format!("{} with a challenge in {}", challenged.status, challenged.scheme);
                line(
                    &mut text,
                    "answer",
                    &format!("{response}: a Windows handshake begins, the request comes after it"),
                );
            }
        }
    }
    if !explanation.notes.is_empty() {
        text.push_str("\nNot known without asking, or without the body:\n");
        explanation.notes.iter().for_each(|note| line(&mut text, "", note));
    }
    text
}

fn draw_sent(text: &mut String, sent: &SentRequest) {
    line(text, "company", &sent.company);
    line(text, "sent to", &format!("{} {}", sent.method, sent.url));
    block(text, "through", sent.through.iter().cloned());
    let HeaderChanges { added, changed, removed } = &sent.headers;
    let written = |sign: &str, header: &Header| {
        let by = header.by.map_or_else(String::new, |key| format!("   ({key})"));
        format!("{sign} {}: {}{by}", header.name, header.value)
    };
    let added = added.iter().map(|header| written("+", header));
    let changed = changed.iter().map(|header| written("~", header));
    block(text, "headers", added.chain(changed).chain(removed.iter().map(|name| format!("- {name}"))));
    block(text, "body", sent.body.iter().cloned());
    block(text, "cache", sent.cache.iter().cloned());

    let response = &sent.response;
    let headers = format!("headers {}", response.headers.join(", "));
    let bodies = response.bodies.iter().map(|body| format!("{}: {}", body.content_type, body.changed));
    line(text, "answer", &format!("addresses to be followed begin with {}, in", response.addresses_begin_with));
    block(text, "", std::iter::once(headers).chain(bodies).map(|place| format!("  {place}")));
    if response.bodies.is_empty() {
        line(text, "", "  (its body passes as it is)");
    }
    block(text, "", response.set.iter().map(|header| written("+", header)));
    line(text, "", &format!("- {}", response.removed.join(", ")));
}

fn draw_refused(text: &mut String, rejected: &Rejected) {
    let Rejected { status, meant, code, message } = rejected;
    let what = if status == meant {
        format!("{status} {code}")
    } else {
        format!("{status}, a SOAP fault that means {meant} {code}")
    };
    line(text, "refused", &what);
    message.lines().for_each(|part| line(text, "", part));
}

fn block(text: &mut String, name: &str, lines: impl Iterator<Item = String>) {
    for (number, what) in lines.enumerate() {
        line(text, if number == 0 { name } else { "" }, &what);
    }
}

fn line(text: &mut String, name: &str, what: &str) {
    let _ = writeln!(text, "  {name:<8} {what}");
}
