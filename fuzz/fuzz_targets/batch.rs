//! A batch that is sent says to another reader what bcproxy checked, and nothing it did not check.
#![no_main]

mod words;

use bcproxy::business_central::batch::{Batch, Operation};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use words::spelled_out;

const WORDS: [&str; 32] = [
    "{\"requests\":[",
    "{\"Requests\":[",
    "]}",
    "{\"id\":\"1\",\"method\":\"GET\",\"url\":\"a\"}",
    "{\"id\":\"2\",\"method\":\"POST\",\"url\":\"$1/b\",\"body\":{}}",
    "\"id\":",
    "\"ID\":",
    "\"\\u0069d\":",
    "\"method\":",
    "\"url\":",
    "\"uRL\":",
    "\"headers\":",
    "\"body\":",
    "\"atomicityGroup\":",
    "\"dependsOn\":",
    "\"Company\":",
    "\"If-Match\":",
    "\"GET\"",
    "\"PATCH\"",
    "\"a\"",
    "\"\\n\"",
    "null",
    "1.50",
    "true",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\u{feff}",
    "\\u",
];

fuzz_target!(|input: (bool, &[u8])| {
    let (is_framed, input) = input;
    let text = spelled_out(input, &WORDS);
    let Ok(text) = String::from_utf8(text) else { return };
    let text = if is_framed { format!("{{\"requests\":[{text}]}}") } else { text };
    let Ok(mut batch) = Batch::parse(&text) else { return };
    for operation in &mut batch.operations {
        operation.url.push_str("\"\u{1F512}");
        operation.retain_headers(|name| name != "company");
    }
    let sent = batch.to_json();
    let read: Value = match serde_json::from_str(&sent) {
        Ok(read) => read,
        // This reader has only numbers of a certain size.
        Err(error) if error.to_string().starts_with("number out of range") => return,
        Err(error) => panic!("{text} is sent as {sent}: {error}"),
    };
    let requests = read["requests"].as_array().unwrap_or_else(|| panic!("{text} is sent as {sent}"));
    assert_eq!(requests.len(), batch.operations.len(), "{text} is sent as {sent}");
    for (request, operation) in requests.iter().zip(&batch.operations) {
        check(request, operation, &format!("{text} is sent as {sent}"));
    }
    let again = Batch::parse(&sent).unwrap_or_else(|error| panic!("{text} is sent as {sent}: {error}"));
    assert_eq!(again.to_json(), sent, "{text}");
});

/// Another reader takes the request for what was checked.
fn check(request: &Value, operation: &Operation<'_>, told: &str) {
    let member = |name: &str| request[name].as_str();
    let read = (member("id"), member("method"), member("url"));
    let checked = (operation.id.as_str(), operation.method.as_str(), operation.url.as_str());
    assert_eq!(read, (Some(checked.0), Some(checked.1), Some(checked.2)), "{told}");
    let checked: Value =
        operation.body.as_deref().map_or(Value::Null, |body| serde_json::from_str(body).expect("JSON"));
    assert_eq!(request["body"], checked, "{told}");
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        assert!(!name.eq_ignore_ascii_case("company"), "{told}");
        assert_eq!(operation.header(name).as_deref(), value.as_str(), "{told}");
        assert!(!format!("{name}{value}").contains(['\r', '\n', '\0']), "{told}");
    }
    for name in request.as_object().into_iter().flatten().map(|(name, _)| name) {
        let is_known = ["id", "method", "url", "headers", "body"].contains(&name.to_lowercase().as_str());
        assert!(!is_known || *name == name.to_lowercase(), "{told}");
    }
}
