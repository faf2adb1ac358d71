//! Whatever stands in an envelope: a call that writes is never taken for one that reads, and no list shows a company
//! of others.
#![no_main]

mod words;

use std::sync::Arc;

use bcproxy::business_central::{Company, soap};
use libfuzzer_sys::fuzz_target;
use words::spelled_out;

const OPENING: &str = r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:p="urn:microsoft-dynamics-schemas/page/item">"#;
const OTHER: &str = "OTHER COMPANY";

const WORDS: [&str; 36] = [
    OPENING,
    "</s:Envelope>",
    "<s:Header/>",
    "<s:Body>",
    "</s:Body>",
    "<p:Read/>",
    "<p:Read>",
    "</p:Read>",
    "<p:ReadMultiple>",
    "</p:ReadMultiple>",
    "<p:filter>",
    "</p:filter>",
    "<Read xmlns=\"urn:microsoft-dynamics-schemas/page/item\"/>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?x ",
    "?>",
    "<!DOCTYPE a [<!ENTITY b 'c'>]>",
    "&b;",
    "&#60;",
    "&amp;",
    "\u{feff}",
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
    "<p:return_value>CRONUS</p:return_value>",
    "<p:return_value>",
    "</p:return_value>",
    "CRONUS",
    "<p:Companies_Result>",
    "</p:Companies_Result>",
    "<s:Fault><faultcode>a:Microsoft.NavException</faultcode>",
    "</s:Fault>",
    " xmlns:p=\"urn:x\"",
    "<p:a b='",
    "'/>",
];

fuzz_target!(|input: [&[u8]; 2]| {
    let [before, behind] = input.map(|part| String::from_utf8_lossy(&spelled_out(part, &WORDS)).into_owned());
    let _ = soap::fault_class(format!("{before}{behind}").as_bytes());

    let call = format!("{OPENING}<s:Body>{before}<p:Create/>{behind}</s:Body></s:Envelope>");
    assert!(!is_whole(&before) || !soap::only_reads(call.as_bytes()), "{call}");

    let own = Company {
        id: "824820a2-508c-ed11-aada-000d3a298ab3".parse().expect("an id"),
        name: "CRONUS".parse().expect("a name"),
        display_name: String::new(),
    };
    let own = [Arc::new(own)];
    let list = format!(
        "{OPENING}<s:Body><p:Companies_Result>{before}<p:return_value>{OTHER}</p:return_value>{behind}\
         </p:Companies_Result></s:Body></s:Envelope>"
    );
    let Some(filtered) = soap::filter_companies(list.as_bytes(), &own) else { return };
    assert!(!is_whole(&before) || !filtered.contains(OTHER), "{list} is shown as {filtered}");
    assert_eq!(soap::filter_companies(filtered.as_bytes(), &own).as_ref(), Some(&filtered), "{list}");
});

/// Whether no comment, literal or value begins in it and ends behind it.
fn is_whole(text: &str) -> bool {
    let envelope = format!("<a xmlns:s='s' xmlns:p='p'>{text}</a>");
    roxmltree::Document::parse(&envelope).is_ok()
}
