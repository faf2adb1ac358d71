//! Compares the scanners with full parsers. Both must find the same links, regardless of the data.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

const ADDRESS: &str = "https://api.businesscentral.dynamics.com/v2.0/T/Production/x";
const LOCAL: &str = "http://erp:8080/bc/x";

/// Texts that could mislead a scanner.
fn text() -> impl Strategy<Value = String> {
    let tokens = prop::sample::select(vec![
        "\"",
        "\\",
        "/",
        ":",
        ",",
        " ",
        "{",
        "}",
        "[",
        "]",
        "\n",
        "@",
        "@odata.",
        "id",
        "@odata.id",
        "nextLink",
        "@odata.nextLink",
        "\"@odata.id\":\"",
        "location",
        "headers",
        "responses",
        "ü",
        "😀",
        ADDRESS,
        "<",
        ">",
        "&",
        "'",
        "]]>",
        "-->",
        "<id>",
        "<link href='",
        "</d:id>",
        "<address location=\"",
    ]);
    prop_oneof![
        3 => prop::collection::vec(tokens, 0..6).prop_map(|tokens| tokens.concat()),
        2 => Just(ADDRESS.to_owned()),
        1 => prop::sample::select(vec!["location", "Content-Location", "headers", "responses"]).prop_map(str::to_owned),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        text(),
        text().prop_map(|text| text + "@odata.editLink"),
        text().prop_map(|text| text + "@odata.id"),
        prop::sample::select(vec!["location", "OData-EntityID", "headers", "responses", "body", "@odata.etag"])
            .prop_map(str::to_owned),
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => text().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<i32>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..6)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Any object or array, or a batch response that contains some.
fn document() -> impl Strategy<Value = Value> {
    let headers = prop::collection::vec((key(), json()), 0..6)
        .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>()));
    let part = (headers, json()).prop_map(|(headers, body)| serde_json::json!({"headers": headers, "body": body}));
    prop_oneof![
        json().prop_filter("a document", |value| value.is_object() || value.is_array()),
        (prop::collection::vec(prop_oneof![3 => part, 1 => json()], 0..4), json())
            .prop_map(|(parts, more)| serde_json::json!({"responses": parts, "more": more})),
    ]
}

/// Rewrites the links of a parsed document. `path`: the keys, and `[` for an array, from the root to here.
fn replace(value: &mut Value, path: &mut Vec<String>, is_batch: bool) {
    match value {
        Value::Array(items) => {
            path.push("[".to_owned());
            items.iter_mut().for_each(|item| replace(item, path, is_batch));
            path.pop();
        }
        Value::Object(members) => {
            for (key, value) in members.iter_mut() {
                let is_link =
                    key.ends_with("@odata.id") || key.ends_with("@odata.editLink") || key.ends_with("@odata.nextLink");
                let is_header = is_batch
                    && matches!(path.as_slice(), [a, b, c] if a == "responses" && b == "[" && c == "headers")
                    && ["location", "content-location", "odata-entityid"].contains(&key.to_ascii_lowercase().as_str());
                match value {
                    Value::String(text) if text.starts_with(ADDRESS) && (is_link || is_header) => {
                        // Links with control characters are unchanged. Query and fragment always are.
                        if !text.contains('\n') {
                            *text = text.replacen(ADDRESS, LOCAL, 1);
                        }
                    }
                    _ => {
                        path.push(key.clone());
                        replace(value, path, is_batch);
                        path.pop();
                    }
                }
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn json_is_rewritten_as_a_parser_would(
        document in document(),
        pretty in any::<bool>(),
        seeds in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let write = |value: &Value| if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }.unwrap();
        let body = write(&document);
        let mut cuts: Vec<_> = seeds.iter().map(|seed| seed.index(body.len() + 1)).collect();
        cuts.sort_unstable();
        for (kind, is_batch) in [(Document::Json, false), (Document::JsonBatch, true)] {
            let mut expected = document.clone();
            replace(&mut expected, &mut Vec::new(), is_batch);
            let out = rewritten_in_pieces(kind, body.as_bytes(), &cuts, local);
            prop_assert_eq!(String::from_utf8(out).unwrap(), write(&expected));
        }
    }

    #[test]
    fn xml_text_is_never_changed(data in prop::collection::vec((text(), text()), 0..5)) {
        let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;");
        let data: Vec<_> = data.iter().map(|(value, attribute)| {
            let (value, attribute) = (escape(value), escape(attribute));
            format!("<m:properties><d:id d:x='{attribute}' href='{attribute}'>{value}</d:id><d:entry><d:link>{value}</d:link></d:entry></m:properties>")
        }).collect();
        let feed = |at: &str| format!("<feed><id>{at}</id><entry>{}<link href=\"{at}\"/></entry></feed>", data.concat());
        let wsdl = |at: &str| format!("<d><documentation>{}</documentation><soap:address location=\"{at}\"/></d>", data.concat());
        prop_assert_eq!(rewritten(Document::Atom, &feed(ADDRESS)), feed(LOCAL));
        prop_assert_eq!(rewritten(Document::Wsdl, &wsdl(ADDRESS)), wsdl(LOCAL));
    }
}
