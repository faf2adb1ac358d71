//! Reading single nodes, and reporting those of the wrong kind.

use std::collections::HashMap;

use super::Shape;
use crate::config::yaml::{Node, Report, Span, Value};

/// A value and its position.
#[derive(Debug, Clone)]
pub struct At<T> {
    pub value: T,
    pub span: Span,
    /// The key of the value. In a list, the value itself.
    pub label: Span,
}

impl<T> At<T> {
    /// Another value at the same position.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> At<U> {
        At { value: change(self.value), span: self.span, label: self.label }
    }
}

/// Reads a value together with its position.
pub fn read_at<T: Shape>(node: &Node, report: &mut Report) -> Option<At<T>> {
    T::read(node, report).map(|value| At { value, span: node.span, label: node.label })
}

/// The entries of a mapping without repeated keys, which are reported.
pub fn unique_entries<'n>(node: &'n Node, report: &mut Report) -> Option<Vec<&'n (Node, Node)>> {
    let Value::Mapping(entries) = &node.value else {
        wrong_kind(node, "a mapping (`key: value` lines)", report);
        return None;
    };
    let mut seen: HashMap<&str, Span> = HashMap::new();
    let mut unique = Vec::with_capacity(entries.len());
    for entry in entries.iter() {
        if report.is_full() {
            break;
        }
        let (key, value) = entry;
        match key.text().and_then(|text| seen.insert(text, key.span)) {
            Some(first) => {
                let line = report.line(first);
                report.error(key.span, format!("this key is already set in line {line}"), "keep one of the two");
                report.mask(value.span);
            }
            None => unique.push(entry),
        }
    }
    Some(unique)
}

/// Reports a node of another kind than expected.
pub fn wrong_kind(node: &Node, expected: &str, report: &mut Report) {
    let found = match &node.value {
        Value::Alias => return,
        Value::Empty => {
            let cut = report.comment_cut_from(node).is_some();
            let help = if cut {
                "put text that begins with `#` in quotes: \"#…\""
            } else {
                "write the value after the key, or put a `#` before the key to leave it out"
            };
            report.error(node.label, format!("this key has no value; expected {expected}"), help);
            return;
        }
        Value::Scalar { .. } => "a text",
        Value::List(_) => "a list",
        Value::Mapping(_) => "a mapping",
    };
    // An unexpected value may be a secret.
    report.mask(node.span);
    report.error(
        node.span,
        format!("expected {expected}, found {found}"),
        "check the indentation, and compare it with the configuration reference",
    );
}

/// The text of a node. Any other kind is reported.
pub fn text_at<'n>(node: &'n Node, what: &str, report: &mut Report) -> Option<&'n str> {
    let text = node.text();
    if text.is_none() {
        wrong_kind(node, what, report);
    }
    text
}
