//! Lists, named entries, and `off`.

use super::{At, Field, Form, Mapping, Presence, Shape, read_at, text_at, unique_entries, wrong_kind};
use crate::config::yaml::{Node, Report, Value};

/// A list with at least one item. An invalid list is reported and reads as empty, to distinguish it from an absent one.
impl<T: Shape> Shape for Vec<At<T>> {
    fn form() -> Form {
        Form::List { item: Box::new(T::form()), or_one: false }
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let Value::List(items) = &node.value else {
            wrong_kind(node, "a list", report);
            return Some(Vec::new());
        };
        if items.is_empty() {
            report.error(node.span, "this list is empty", "add an item, or remove the key");
        }
        let mut all = Vec::with_capacity(items.len());
        for item in items {
            if report.is_full() {
                break;
            }
            all.extend(read_at(item, report));
        }
        Some(all)
    }
}

/// A list with at least one item, or one item without a list.
#[derive(Debug)]
pub struct OneOrMore<T>(pub Vec<At<T>>);

impl<T: Shape> Shape for OneOrMore<T> {
    fn form() -> Form {
        Form::List { item: Box::new(T::form()), or_one: true }
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        match &node.value {
            Value::List(_) => Shape::read(node, report).map(Self),
            _ => read_at(node, report).map(|item| Self(vec![item])),
        }
    }
}

/// A mapping whose names the administrator chooses, in the order of the file. An item is `None` if it could not be
/// read.
#[derive(Debug)]
pub struct Named<T>(pub Vec<(At<String>, Option<T>)>);

impl<T: Shape> Shape for Named<T> {
    fn form() -> Form {
        Form::Named { name: "NAME", item: Box::new(T::form()) }
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let entries = unique_entries(node, report)?;
        if entries.is_empty() {
            report.error(
                node.label,
                "this mapping is empty; at least one entry is needed",
                "add an entry below this key",
            );
        }
        let mut named = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            if let Some(name) = name_at(key, report) {
                named.push((At { value: name, span: key.span, label: key.span }, T::read(value, report)));
            }
        }
        Some(Self(named))
    }
}

fn name_at(key: &Node, report: &mut Report) -> Option<String> {
    let name = text_at(key, "a name", report)?;
    let is_name = (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if !is_name {
        report.error(
            key.span,
            "this is not a valid name",
            "write 1 to 64 characters, none of them a control character",
        );
    }
    is_name.then(|| name.to_owned())
}

/// The word `off`, or a value.
#[derive(Debug)]
pub enum OrOff<T> {
    Off,
    On(T),
}

impl<T: Shape> Shape for OrOff<T> {
    fn form() -> Form {
        Form::OrOff(Box::new(T::form()))
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        match (node.text(), T::form()) {
            (Some("off"), _) => Some(Self::Off),
            (Some(_), Form::Mapping(mapping)) => {
                report.mask(node.span);
                report.error(
                    node.span,
                    "expected `off` or a mapping (`key: value` lines), found other text",
                    with_keys(&mapping),
                );
                None
            }
            _ => T::read(node, report).map(Self::On),
        }
    }
}

/// The help for a value that is neither `off` nor this mapping.
fn with_keys(mapping: &Mapping) -> String {
    let shown = |field: &Field| match field.presence {
        Presence::Default(value) => format!("{}: {value}", field.key),
        Presence::Required | Presence::Unless(_) | Presence::Optional => format!("{}: …", field.key),
    };
    let keys: Vec<String> = mapping.fields.iter().map(shown).collect();
    format!("write `off` to turn it off, or its keys: {{ {} }}", keys.join(", "))
}
