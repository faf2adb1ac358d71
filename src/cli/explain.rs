//! `bcproxy explain`: shows how bcproxy would handle a request, and why, without sending it.

use std::ffi::OsString;
use std::fmt::Write;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anstream::{print, println};
use bytes::Bytes;
use clap::Args;

use super::common::{Failure, Output, load_without_secrets, runtime};
use crate::proxy::explain::{self, Case, Explanation, Header, HeaderChanges, Outcome, Question, Rejected, SentRequest};

/// The request to explain.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The HTTP method: GET, POST, …
    method: String,
    /// The path and query as the client sends them, such as '/api/customers?$top=1'. May contain spaces and umlauts.
    path: OsString,
    /// A header of the request, 'Name: value'. Can be repeated.
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = header_line)]
    headers: Vec<String>,
    /// The client's IP address.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    from: IpAddr,
    /// The file with the request's body; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Prints how bcproxy would handle the request.
pub fn explain(config: &Path, arguments: Arguments) -> Result<(), Failure> {
    let path = arguments.path.to_string_lossy();
    if !path.starts_with('/') && path != "*" && !path.contains("://") {
        return Err(Failure::Configuration(format!("The path must begin with a slash: /{path}.")));
    }
    let config = load_without_secrets(config)?;
    let output = arguments.output;
    let question = Question {
        method: arguments.method,
        target: arguments.path.into_encoded_bytes(),
        headers: arguments.headers,
        client: arguments.from,
        body: arguments.body.as_deref().map(read).transpose()?,
    };
    let explanation = runtime()?.block_on(explain::explain(&config, &question));
    match output {
        Output::Text => print!("{}", as_text(&explanation)),
        Output::Json => {
            let json = serde_json::to_string_pretty(&explanation);
            println!("{}", json.map_err(|error| Failure::Failed(format!("Writing the JSON failed: {error}.")))?);
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
        .map_err(|error| Failure::Configuration(format!("Reading the body from {} failed: {error}.", file.display())))
}

// Writing to a String can't fail, so the results of `writeln!` below are ignored.

fn as_text(explanation: &Explanation) -> String {
    let mut text = String::new();
    let request = &explanation.request;
    let repaired = if request.is_repaired { " (repaired)" } else { "" };
    let _ = writeln!(text, "{} {}{repaired}, from {}", request.method, request.target, request.client);
    if let Some(route) = &explanation.route {
        line(&mut text, "route", &format!("{} → {}", route.path, route.target));
    }
    for Case { condition, outcome } in &explanation.cases {
        if let Some(condition) = condition {
            let _ = writeln!(text, "\nif {condition}:");
        }
        match outcome {
            Outcome::Sent(sent) => write_sent(&mut text, sent),
            Outcome::Rejected(rejected) => write_rejection(&mut text, rejected),
            Outcome::Challenged(challenged) => {
                let response = format!("{} with a challenge, scheme {}", challenged.status, challenged.scheme);
                let next = "the client completes the Windows handshake, then sends the request again";
                line(&mut text, "response", &format!("{response}: {next}"));
            }
        }
    }
    if !explanation.notes.is_empty() {
        text.push_str("\nNotes:\n");
        explanation.notes.iter().for_each(|note| line(&mut text, "", note));
    }
    text
}

fn write_sent(text: &mut String, sent: &SentRequest) {
    line(text, "company", &sent.company);
    line(text, "sent to", &format!("{} {}", sent.method, sent.url));
    block(text, "through", sent.through.iter().cloned());
    let HeaderChanges { added, changed, removed } = &sent.headers;
    let format_header = |sign: &str, header: &Header| {
        let by = header.by.map_or_else(String::new, |key| format!("   ({key})"));
        format!("{sign} {}: {}{by}", header.name, header.value)
    };
    let added = added.iter().map(|header| format_header("+", header));
    let changed = changed.iter().map(|header| format_header("~", header));
    block(text, "headers", added.chain(changed).chain(removed.iter().map(|name| format!("- {name}"))));
    block(text, "body", sent.body.iter().cloned());
    block(text, "cache", sent.cache.iter().cloned());

    let response = &sent.response;
    let headers = format!("headers {}", response.headers.join(", "));
    let bodies = response.bodies.iter().map(|body| format!("{}: {}", body.content_type, body.changed));
    line(text, "response", &format!("links are rewritten to {}, in", response.addresses_begin_with));
    block(text, "", std::iter::once(headers).chain(bodies).map(|item| format!("  {item}")));
    if response.bodies.is_empty() {
        line(text, "", "  (the body is not changed)");
    }
    block(text, "", response.set.iter().map(|header| format_header("+", header)));
    line(text, "", &format!("- {}", response.removed.join(", ")));
}

fn write_rejection(text: &mut String, rejected: &Rejected) {
    let Rejected { status, meant, code, message } = rejected;
    let what =
        if status == meant { format!("{status} {code}") } else { format!("{status}, a SOAP fault for {meant} {code}") };
    line(text, "rejected", &what);
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
