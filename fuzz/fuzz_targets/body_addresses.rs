//! Each address that Business Central would follow in a body is found; replacing them changes nothing else.
#![no_main]

mod words;

use bcproxy::business_central::body_addresses::{Allowance, BodyAddresses, may_contain_addresses};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use words::spelled_out;

const WORDS: [&str; 30] = [
    "\"customer@odata.bind\":",
    "\"c@Odata.Bind\":",
    "\"@odata.id\":",
    "\"@id\":",
    "\"a@bind\":",
    "\"x\\u0040odata.bind\":",
    "\"a@odata.bind@odata.bind\":",
    "\"@odata.etag\":",
    "\"a\":",
    "\"companies(1)\"",
    "\"companies\\u0028\\\"2\"",
    "[\"customers(3)\",",
    "\"\"",
    "null",
    "1.50",
    "true",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\u00",
    "\\",
    "@odata.bind",
    "\u{feff}",
    " ",
    "\n",
    "{\"a\":{\"@odata.id\":\"x\"}}",
];

fuzz_target!(|input: &[u8]| {
    let Ok(body) = String::from_utf8(spelled_out(input, &WORDS)) else { return };
    let Ok(addresses) = BodyAddresses::find(&body, &mut Allowance::default()) else { return };
    let found: Vec<&str> = addresses.iter().collect();
    assert!(found.is_empty() || may_contain_addresses(body.as_bytes()), "{body}");
    assert_eq!(addresses.replaced(&vec![None; found.len()]), body);

    let value: Value = match serde_json::from_str(&body) {
        Ok(value) => value,
        // This reader has only numbers of a certain size.
        Err(error) if error.to_string().contains("number out of range") => return,
        Err(error) => panic!("{body} was read: {error}"),
    };
    let mut followed = Vec::new();
    collect(&value, false, &mut followed);
    for address in &followed {
        assert!(found.contains(&address.as_str()), "{address} in {body} was not found, only {found:?}");
    }

    let replacement = "\"\\u{1F512}";
    let replaced = addresses.replaced(&vec![Some(replacement.to_owned()); found.len()]);
    let again = BodyAddresses::find(&replaced, &mut Allowance::default());
    let again = again.unwrap_or_else(|error| panic!("{body} became {replaced}: {error}"));
    assert!(again.iter().eq(vec![replacement; found.len()]), "{body} became {replaced}");
});

/// The strings that another reader takes for addresses. Of equal names it keeps only the last.
fn collect(value: &Value, is_address: bool, followed: &mut Vec<String>) {
    match value {
        Value::String(text) if is_address => followed.push(text.clone()),
        // What an annotation holds besides addresses is no resource.
        Value::Array(items) if is_address => followed.extend(items.iter().filter_map(Value::as_str).map(str::to_owned)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, false, followed)),
        Value::Object(members) if !is_address => {
            for (name, value) in members {
                let annotation = name.rsplit_once('@').map_or("", |(_, annotation)| annotation).to_ascii_lowercase();
                let is_address = ["odata.bind", "odata.id", "bind", "id"].contains(&annotation.as_str());
                collect(value, is_address, followed);
            }
        }
        _ => {}
    }
}
