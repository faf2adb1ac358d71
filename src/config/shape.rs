//! Shapes: what may stand where in the file.
//!
//! A mapping is declared once, with the macro `mapping!`: its keys, their types, defaults and documentation. Reader, JSON
//! Schema and reference come from that one declaration.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::mask;
use super::node::{self, Node, Value};
use super::report::{Report, near_miss};
use super::source::{Source, Span};

/// A type that can be read from a place of the file, and tells what may stand there.
pub trait Shape: Sized {
    /// What may stand here, for the schema and the reference.
    fn form() -> Form;

    /// Reads a value. Every mistake in it is reported; `None` when nothing can be made of it.
    fn read(node: &Node, report: &mut Report) -> Option<Self>;
}

/// What may stand at a place of the file.
#[derive(Debug, Clone)]
pub enum Form {
    /// A text of this kind; the JSON Schema of its form.
    Text {
        what: &'static str,
        schema: Json,
    },
    /// One of these words.
    Choice(Vec<&'static str>),
    Mapping(Mapping),
    /// A mapping from names chosen by the administrator.
    Named {
        name: &'static str,
        item: Box<Form>,
    },
    /// A list with at least one item; `or_one`: a single item needs no list.
    List {
        item: Box<Form>,
        or_one: bool,
    },
    /// The word `off`, or this.
    OrOff(Box<Form>),
    /// A text, or a mapping that says more.
    Short {
        text: Box<Form>,
        full: Box<Form>,
    },
}

/// A mapping with known keys.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// What it describes: "connector".
    pub title: &'static str,
    pub doc: &'static str,
    pub fields: Vec<Field>,
    /// The keys of which exactly one is written; empty where there is no such choice.
    pub one_of: &'static [&'static str],
}

/// A key of a [`Mapping`].
#[derive(Debug, Clone)]
pub struct Field {
    pub key: &'static str,
    pub doc: &'static str,
    pub presence: Presence,
    pub form: Form,
}

/// Whether a key must be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Required,
    /// Required, unless this other key is there.
    Unless(&'static str),
    Optional,
    /// What is read instead, as it would be written.
    Default(&'static str),
}

/// A value and where it was written.
#[derive(Debug, Clone)]
pub struct At<T> {
    pub value: T,
    pub span: Span,
    /// The key it was written for; itself in a list.
    pub label: Span,
}

/// Declares a mapping: a struct whose fields are the keys, its documentation and its reader. `one of […]` names optional keys of which
/// exactly one must be there.
///
/// A field is `None` when it is absent and has no default, or when it could not be read.
macro_rules! mapping {
    ($(#[doc = $doc:literal])+ $name:ident: $title:literal $(, one of [$($choice:ident),+])? {
        $($(#[doc = $field_doc:literal])+ $key:ident: $type:ty = $presence:expr,)+
    }) => {
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub struct $name {
            $($(#[doc = $field_doc])+ pub $key: Option<$crate::config::shape::At<$type>>,)+
        }

        impl $crate::config::shape::Shape for $name {
            fn form() -> $crate::config::shape::Form {
                use $crate::config::shape::{Field, Form, Mapping, Presence::*};
                let fields = vec![$(Field {
                    key: stringify!($key),
                    doc: concat!($($field_doc, "\n"),+),
                    presence: $presence,
                    form: <$type as $crate::config::shape::Shape>::form(),
                }),+];
                Form::Mapping(Mapping { title: $title, doc: concat!($($doc, "\n"),+), fields, one_of: &[$($(stringify!($choice)),+)?] })
            }

            fn read(node: &$crate::config::node::Node, report: &mut $crate::config::report::Report) -> Option<Self> {
                use $crate::config::shape::{Entries, Presence::*};
                let entries = Entries::of(node, $title, &[$(stringify!($key)),+], report)?;
                $(entries.check_choice(&[$(stringify!($choice)),+], report);)?
                Some(Self { $($key: entries.read(stringify!($key), $presence, concat!($($field_doc),+), report)),+ })
            }
        }
    };
}
pub(super) use mapping;

/// The entries of a mapping whose keys are known.
pub struct Entries<'n> {
    node: &'n Node,
    title: &'static str,
    values: HashMap<&'n str, &'n Node>,
}

impl<'n> Entries<'n> {
    /// Sorts the entries, and reports unknown keys and those written twice.
    pub fn of(node: &'n Node, title: &'static str, keys: &[&'static str], report: &mut Report) -> Option<Self> {
        let mut values = HashMap::new();
        for (key, value) in unique_entries(node, report)? {
            match key.text().filter(|text| keys.contains(text)) {
                Some(text) => {
                    values.insert(text, value);
                }
                None => unknown_key(key, value, title, keys, report),
            }
        }
        Some(Self { node, title, values })
    }

    /// Reports where not exactly one of these keys is written.
    pub fn check_choice(&self, keys: &[&'static str], report: &mut Report) {
        let listed = |keys: &[&'static str]| keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        let mut written: Vec<&Node> = keys.iter().filter_map(|key| self.values.get(key).copied()).collect();
        written.sort_by_key(|node| node.label);
        match written.as_slice() {
            [_] => {}
            [] => report.error(
                self.node.label,
                format!("this {} has none of {}", self.title, listed(keys)),
                format!("add one of them; most have {SECRET_FORM}"),
            ),
            [first, others @ ..] => {
                let line = report.line(first.label);
                for other in others {
                    report.error(
                        other.label,
                        format!("only one of {} is possible, and there is one already, in line {line}", listed(keys)),
                        "keep the one that is meant",
                    );
                }
            }
        }
    }

    /// Reads the value of one key; its documentation helps when it is missing.
    pub fn read<T: Shape>(
        &self,
        key: &'static str,
        presence: Presence,
        doc: &str,
        report: &mut Report,
    ) -> Option<At<T>> {
        if let Some(node) = self.values.get(key) {
            return read_at(node, report);
        }
        match presence {
            Presence::Optional => None,
            Presence::Unless(other) if self.values.contains_key(other) => None,
            Presence::Required | Presence::Unless(_) => {
                report.error(
                    self.node.label,
                    format!("this {} has no `{key}`", self.title),
                    format!("add `{key}`. {}", doc.trim()),
                );
                None
            }
            Presence::Default(text) => default(text, self.node.label),
        }
    }
}

/// Reads a default as if it had been written in the file.
fn default<T: Shape>(text: &str, label: Span) -> Option<At<T>> {
    let tree = node::parse(text).ok()?;
    let mut aside = Report::new(Source::new("".as_ref(), text), &tree);
    let value = T::read(tree.root.as_ref()?, &mut aside)?;
    Some(At { value, span: label, label })
}

/// Reads a value together with its place.
pub fn read_at<T: Shape>(node: &Node, report: &mut Report) -> Option<At<T>> {
    T::read(node, report).map(|value| At { value, span: node.span, label: node.label })
}

/// The entries of a mapping, without those whose key was there before.
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
                report.error(key.span, format!("this key is already there, in line {line}"), "keep one of the two");
                report.mask(value.span);
            }
            None => unique.push(entry),
        }
    }
    Some(unique)
}

fn unknown_key(key: &Node, value: &Node, title: &str, keys: &[&'static str], report: &mut Report) {
    // It may be a misspelt secret.
    report.mask(value.span);
    let name = key.text().unwrap_or_default();
    let is_showable = mask::is_showable_key(name);
    let shown = if is_showable { format!("unknown key `{name}`") } else { "unknown key".to_owned() };
    if !is_showable {
        report.mask(key.span);
    }
    let help = match near_miss(name, keys.iter().copied()) {
        Some("client_secret") => format!("did you mean `client_secret`? Its form is {SECRET_FORM}"),
        Some(meant) => format!("did you mean `{meant}`?"),
        None if mask::is_key_of_secrets(name) => {
            format!("a secret is never written in this file; a connector says where it is kept: {SECRET_FORM}")
        }
        None => format!("a {title} may have: {}", keys.join(", ")),
    };
    report.error(key.span, shown, help);
}

/// The right form of a secret, for messages.
pub const SECRET_FORM: &str = "client_secret: { env: BC_CLIENT_SECRET }";

/// Reports that something else was expected.
pub fn wrong_kind(node: &Node, expected: &str, report: &mut Report) {
    let found = match &node.value {
        Value::Alias => return,
        Value::Empty => {
            let cut = report.comment_cut_from(node).is_some();
            let help = if cut {
                "a text that begins with `#` must be put in quotes: \"#…\""
            } else {
                "write the value behind the key, or put a `#` before the key to leave it out"
            };
            report.error(node.label, format!("there is no value here; expected {expected}"), help);
            return;
        }
        Value::Scalar { .. } => "a text",
        Value::List(_) => "a list",
        Value::Mapping(_) => "a mapping",
    };
    // What stands where it does not belong may be anything.
    report.mask(node.span);
    report.error(
        node.span,
        format!("expected {expected}, found {found}"),
        "compare it with the example in the configuration reference; most often the indentation is off",
    );
}

/// The text at a place; anything else is reported.
pub fn text_at<'n>(node: &'n Node, what: &str, report: &mut Report) -> Option<&'n str> {
    let text = node.text();
    if text.is_none() {
        wrong_kind(node, what, report);
    }
    text
}

/// A list with at least one item. It reads as empty only after a mistake was reported, so an absent list can be told from a wrong one.
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

/// A mapping from names chosen by the administrator, in the order of the file. An item is `None` when it could not be read.
#[derive(Debug)]
pub struct Named<T>(pub Vec<(At<String>, Option<T>)>);

impl<T: Shape> Shape for Named<T> {
    fn form() -> Form {
        Form::Named { name: "NAME", item: Box::new(T::form()) }
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let entries = unique_entries(node, report)?;
        if entries.is_empty() {
            report.error(node.label, "there is none here; at least one is needed", "add one below this key");
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
            "this can't be a name",
            "a name has 1 to 64 characters, none of them a control character",
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
        match node.text() {
            Some("off") => Some(Self::Off),
            Some(_) => {
                report.mask(node.span);
                report.error(
                    node.span,
                    "expected `off` or a mapping (`key: value` lines), found another text",
                    with_keys::<T>(),
                );
                None
            }
            None => T::read(node, report).map(Self::On),
        }
    }
}

/// What to write where neither `off` nor a mapping stands.
fn with_keys<T: Shape>() -> String {
    let Form::Mapping(mapping) = T::form() else { return "write `off` to turn it off".to_owned() };
    let shown = |field: &Field| match field.presence {
        Presence::Default(value) => format!("{}: {value}", field.key),
        Presence::Required | Presence::Unless(_) | Presence::Optional => format!("{}: …", field.key),
    };
    let keys: Vec<String> = mapping.fields.iter().map(shown).collect();
    format!("write `off` to turn it off, or what it has keys for: {{ {} }}", keys.join(", "))
}
