//! A configuration file as it may be shown: without comments and secrets.

use super::mask::sensitive_spans;
use super::{Node, Span, Tree, Value};

/// The text of valid YAML without its comments and empty lines. Secrets, and what may be one, are `****`.
pub fn masked_text(text: &str, tree: &Tree) -> String {
    let mut spans: Vec<(Span, &str)> = tree.comments.iter().map(|span| (*span, "")).collect();
    let mut hidden = sensitive_spans(tree);
    if let Some(root) = &tree.root {
        hide_header_values(root, false, &mut hidden);
    }
    hidden.retain(|span| !tree.comments.iter().any(|comment| comment.overlaps(*span)));
    spans.extend(hidden.into_iter().map(|span| (span, MASK)));
    spans.sort();
    let (mut shown, mut end) = (String::with_capacity(text.len()), 0);
    for (span, replacement) in spans.into_iter().filter(|(span, _)| span.start < span.end) {
        // Spans overlap where a value is hidden for two reasons.
        if span.start >= end {
            shown += text.get(end..span.start).unwrap_or_default();
            shown += replacement;
        }
        end = end.max(span.end);
    }
    shown += text.get(end..).unwrap_or_default();
    let lines = shown.trim_start_matches('\u{feff}').lines().map(str::trim_end).filter(|line| !line.is_empty());
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The values of headers that routes set: some services take keys in headers of any name.
fn hide_header_values(node: &Node, is_set: bool, hidden: &mut Vec<Span>) {
    match &node.value {
        Value::Scalar { .. } if is_set => hidden.push(node.span),
        Value::Scalar { .. } | Value::Empty | Value::Alias => {}
        Value::List(items) => items.iter().for_each(|item| hide_header_values(item, is_set, hidden)),
        Value::Mapping(entries) => {
            let values = entries.iter().map(|(key, value)| (value, is_set || key.text() == Some("set")));
            values.for_each(|(value, is_set)| hide_header_values(value, is_set, hidden));
        }
    }
}

const MASK: &str = "****";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml::node;

    fn shown(text: &str) -> String {
        masked_text(text, &node::parse(text).unwrap())
    }

    #[test]
    fn comments_and_secrets_are_left_out() {
        let text = "\u{feff}# hunter2\nlisten: 127.0.0.1:8080 # hunter2\n\nconnectors:\n  ü: # hunter2\n    \
                    client_secret: { env: BC_SECRET }\n    other: { file: hunter2 }\n    \
                    outbound_proxy: http://svc:hunter2@proxy:3128\n    client_certificate: { private_key: hunter2 }\n\
                    routes:\n  - path: /a\n    headers: { request: { set: { X-Tenant: hunter2 } } }\n";
        let expected = "listen: 127.0.0.1:8080\nconnectors:\n  ü:\n    client_secret: { env: BC_SECRET }\n    \
                        other: { file: hunter2 }\n    outbound_proxy: ****\n    \
                        client_certificate: { private_key: **** }\nroutes:\n  - path: /a\n    \
                        headers: { request: { set: { X-Tenant: **** } } }\n";
        assert_eq!(shown(text), expected);
    }

    #[test]
    fn a_hash_in_a_value_is_no_comment() {
        assert_eq!(shown("company: \"A #1\" # x\r\na: b#c\r\n"), "company: \"A #1\"\na: b#c\n");
    }
}
