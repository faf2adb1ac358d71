//! Whether a set-up worked: what it got, what Business Central received, and what the access log says of it.

use bcproxy::simulator::Received;
use hyper::Method;
use roxmltree::{Document, Node};
use serde_json::Value;

use super::Seen;
use super::payload::Payload;
use super::setups::{AuthScheme, Kind, Setup};

/// What a client and the proxy have to settle among themselves.
const OF_THE_CONNECTION: [&str; 9] =
    ["connection", "cookie", "expect", "http2-settings", "keep-alive", "method", "proxy-connection", "te", "upgrade"];

/// The error says what was other than it should be.
pub fn check(setup: &Setup, seen: &Seen, payload: &Payload) -> Result<(), String> {
    let result = it_got_everything(setup, seen, payload)
        .and_then(|()| each_call_arrived_once(setup.kind, seen, payload))
        .and_then(|()| seen.received.iter().try_for_each(is_complete))
        .and_then(|()| nothing_else_was_answered(seen));
    let result = match (setup.limit, result) {
        (None, result) => result,
        (Some(_), Ok(())) => Err("works, against what is known of it".to_owned()),
        (Some(_), Err(_)) => nothing_was_written(seen),
    };
    result.map_err(|mistake| format!("{mistake}{}", story(seen)))
}

/// The same where the client has to sign in, with the scheme that lets it in, if any.
pub fn check_sign_in(setup: &Setup, scheme: Option<AuthScheme>, seen: &Seen, payload: &Payload) -> Result<(), String> {
    let result = match scheme {
        None => nothing_arrived(seen),
        Some(AuthScheme::NtlmV1) => nothing_arrived(seen).and_then(|()| was_told_why(setup.kind, seen)),
        Some(AuthScheme::BasicReads) => nothing_was_written(seen).and_then(|()| some_was_read(seen)),
        Some(_) => it_got_everything(setup, seen, payload)
            .and_then(|()| each_call_arrived_once(setup.kind, seen, payload))
            .and_then(|()| seen.received.iter().try_for_each(is_complete)),
    };
    result.map_err(|mistake| format!("{mistake}{}", story(seen)))
}

fn some_was_read(seen: &Seen) -> Result<(), String> {
    if seen.received.is_empty() { Err("reads nothing".to_owned()) } else { Ok(()) }
}

fn nothing_arrived(seen: &Seen) -> Result<(), String> {
    match (&seen.complaint, &seen.received[..]) {
        (Some(_), []) => Ok(()),
        (None, []) => Err("is content with a rejection".to_owned()),
        (_, received) => Err(format!("{} requests arrived", received.len())),
    }
}

/// Of NTLMv1: in the rejection, and by the program if it speaks SOAP.
fn was_told_why(kind: Kind, seen: &Seen) -> Result<(), String> {
    // Mono's WCF knows no details of a fault but its own, and complains about those instead.
    let names_it = |text: &str| text.contains("NTLMv1") || text.contains("'urn:bcproxy:error'");
    let status = if kind == Kind::Soap { 500 } else { 403 };
    let rejected = |line: &Value| line["status"] == status && line["reason"].as_str().is_some_and(names_it);
    match seen.log.iter().find(|line| rejected(line)) {
        None => Err("was rejected for another reason".to_owned()),
        Some(_) if kind == Kind::Soap && !seen.complaint.as_deref().is_some_and(names_it) => {
            Err(format!("does not show the reason: {}", seen.complaint.as_deref().unwrap_or_default()))
        }
        Some(_) => Ok(()),
    }
}

fn it_got_everything(setup: &Setup, seen: &Seen, payload: &Payload) -> Result<(), String> {
    if let Some(complaint) = &seen.complaint {
        return Err(complaint.clone());
    }
    let text = if setup.shows_all { &payload.text } else { Payload::SENTENCE };
    let wanted = ["CRONUS International Ltd. customer 10000", payload.name, text];
    for (file, (got, wanted)) in ["read", "create", "call"].iter().zip(seen.got.iter().zip(wanted)) {
        if memchr::memmem::find(got, wanted.as_bytes()).is_none() {
            return Err(format!("{file} is not what was asked for: {}", shortened(got)));
        }
    }
    Ok(())
}

fn each_call_arrived_once(kind: Kind, seen: &Seen, payload: &Payload) -> Result<(), String> {
    // A client may read a description as often as it likes.
    let is_description = |received: &&Received| {
        kind == Kind::Soap
            && received.method == Method::GET
            && (received.target.ends_with("?wsdl") || received.target.contains("?xsd="))
    };
    let calls: Vec<&Received> = seen.received.iter().filter(|received| !is_description(received)).collect();
    let [read, create, call] = calls[..] else { return Err(format!("{} calls arrived instead of three", calls.len())) };
    let right = match kind {
        Kind::Http => [
            read.method == Method::GET && read.body.is_empty(),
            create.method == Method::POST && create.body == payload.customer(),
            call.method == Method::POST && call.body == payload.echo(),
        ],
        Kind::Soap => [
            is_call(read, &["Read", "No"], "10000"),
            is_call(create, &["Create", "Customer", "No"], "NEW-1")
                && is_call(create, &["Create", "Customer", "Name"], payload.name),
            is_call(call, &["Echo", "text"], &payload.text),
        ],
    };
    match right.iter().zip(calls).find(|(right, _)| !**right) {
        None => Ok(()),
        Some((_, wrong)) => Err(format!("{} got another body: {}", wrong.target, shortened(&wrong.body))),
    }
}

/// A SOAP call, well-formed to its end, with this value at this place in its body.
fn is_call(received: &Received, path: &[&str], value: &str) -> bool {
    let Ok(text) = str::from_utf8(&received.body) else { return false };
    let Ok(document) = Document::parse(text.trim_start_matches('\u{feff}')) else { return false };
    let body = child(document.root_element(), "Body");
    let location = path.iter().fold(body, |node, name| child(node?, name));
    received.method == Method::POST && location.and_then(|node| node.text()) == Some(value)
}

fn child<'a, 'input>(parent: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    parent.children().find(|child| child.tag_name().name() == name)
}

fn is_complete(received: &Received) -> Result<(), String> {
    let length = received.body.len() as u64;
    let announced = received.headers.get("content-length").is_none_or(|value| value == &length.to_string());
    if !(received.complete && received.body_length == length && announced && received.token_accepted()) {
        return Err(format!("{} is not complete: {} of {length} bytes", received.target, received.body_length));
    }
    match OF_THE_CONNECTION.iter().find(|name| received.headers.contains_key(**name)) {
        None => Ok(()),
        Some(name) => Err(format!("{} went on with {name}", received.target)),
    }
}

/// Nor was anything refused.
fn nothing_else_was_answered(seen: &Seen) -> Result<(), String> {
    let answered = seen.log.iter().filter(|line| line["outcome"] != "handshake").count();
    if answered == seen.received.len() {
        Ok(())
    } else {
        Err(format!("{answered} answers to the client, {} of Business Central", seen.received.len()))
    }
}

/// A client that fails must not have half succeeded.
fn nothing_was_written(seen: &Seen) -> Result<(), String> {
    match seen.received.iter().find(|received| received.body_length > 0) {
        None => Ok(()),
        Some(_) => Err("fails, and yet a body went out".to_owned()),
    }
}

/// What came to the proxy and what went on from it.
fn story(seen: &Seen) -> String {
    let came = seen.log.iter().map(|line| {
        let [method, path, credentials, outcome] =
            ["method", "path", "credentials", "outcome"].map(|key| line[key].as_str().unwrap_or_default());
        format!("\n  came {method} {path} {credentials} {} {outcome}", line["status"])
    });
    let went = seen.received.iter().map(|received| {
        format!("\n  went {} {} {} bytes {:?}", received.method, received.target, received.body_length, received.status)
    });
    came.chain(went).collect()
}

fn shortened(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(300).collect()
}
