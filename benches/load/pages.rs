//! Bodies of responses and requests, as Business Central writes them and its clients do.

use crate::upstream::{COMPANY_ID, LINKS};

pub const MIB: usize = 1 << 20;

/// As long as [`LINKS`].
const NO_LINK: &str = "text, as long as what a link begins with; nobody looks for it there.";

/// An OData page of one mebibyte; with links, it holds 2,000.
pub fn page(has_links: bool) -> String {
    let (name, base) = match has_links {
        true => ("@odata.editLink", LINKS),
        false => ("description", "a text as long as an address, so that both pages hold as many records"),
    };
    let begin =
        format!(r#"{{"@odata.{}":"{base}/$metadata#items","value":["#, if has_links { "context" } else { "count" });
    filled(begin, MIB, |number| {
        format!(
            r#"{{"@odata.etag":"W/\"JzIwOzEyMzQ1Njc4OTAxMjM0NTY3ODkw{number:06};\"","{name}":"{base}/companies({COMPANY_ID})/items(0d6b6c5e-2f5d-ee11-8df1-000d3a{number:06})","id":"0d6b6c5e-2f5d-ee11-8df1-000d3a{number:06}","number":"{number}","displayName":"ATHENS Desk","type":"Inventory","itemCategoryCode":"TABLE","blocked":false,"unitPrice":1000.8,"priceIncludesTax":false,"unitCost":780.7,"lastModifiedDateTime":"2024-05-13T09:41:07.123Z","note":"x"}}"#
        )
    })
}

/// An OData page of so many bytes, with so many links, evenly spread. 7,000 links fit into a mebibyte.
pub fn page_with(bytes: usize, links: usize) -> String {
    let record = |number: usize, is_link: bool| {
        let (name, base) = if is_link { ("@odata.id", LINKS) } else { ("fieldText", NO_LINK) };
        format!(r#"{{"{name}":"{base}/companies({COMPANY_ID})/items({number:06})"}}"#)
    };
    let records = bytes / (record(0, false).len() + 1);
    filled(r#"{"value":["#.to_owned(), bytes, |number| {
        // One more link is due whenever their share of the records so far grows by one.
        record(number, (number + 1) * links / records.max(1) > number * links / records.max(1))
    })
}

/// A record with one text, of so many bytes together.
pub fn text(bytes: usize) -> String {
    let (begin, end) = (r#"{"number":"10000","note":""#, r#""}"#);
    [begin, &"x".repeat(bytes - begin.len() - end.len()), end].concat()
}

/// An order of so many bytes, as a client creates it with all of its lines.
pub fn order(bytes: usize) -> String {
    filled(r#"{"number":"10000","lines":["#.to_owned(), bytes, |number| {
        format!(r#"{{"lineType":"Item","lineObjectNumber":"{number}","description":"ATHENS Desk","quantity":5}}"#)
    })
}

/// A batch of so many reads.
pub fn batch(parts: usize) -> String {
    let part = |number| format!(r#"{{"id":"{number}","method":"GET","url":"customers?$top=1&$skip={number}"}}"#);
    format!(r#"{{"requests":[{}]}}"#, (0..parts).map(part).collect::<Vec<_>>().join(","))
}

/// The response to it, each part with this body.
pub fn batch_response(parts: usize, body: &str) -> String {
    let head = r#""status":200,"headers":{"content-type":"application/json; odata.metadata=minimal"}"#;
    let part = |number| format!(r#"{{"id":"{number}",{head},"body":{body}}}"#);
    format!(r#"{{"responses":[{}]}}"#, (0..parts).map(part).collect::<Vec<_>>().join(","))
}

/// Records in an array at the end of an object, which is filled up with white space.
fn filled(begin: String, bytes: usize, record: impl Fn(usize) -> String) -> String {
    let end = "]}";
    let mut text = begin;
    for number in 0.. {
        let comma = if number > 0 { "," } else { "" };
        let record = record(number);
        if text.len() + comma.len() + record.len() + end.len() > bytes {
            break;
        }
        text.push_str(comma);
        text.push_str(&record);
    }
    text.extend(std::iter::repeat_n(' ', bytes.saturating_sub(end.len() + text.len())));
    text.push_str(end);
    text
}
