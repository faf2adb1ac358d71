//! Mappings with known keys.
//!
//! A mapping is declared once, with the macro `mapping!`: its keys, their types, defaults and documentation. Reader,
//! JSON Schema and reference come from that one declaration.

use std::collections::HashMap;

use super::{At, Presence, Shape, read_at, unique_entries};
use crate::config::yaml::{Node, Report, Source, Span, Value, closest_match, mask, node};

/// Declares a mapping: a struct whose fields are the keys, its documentation and its reader. `one of […]` names
/// optional keys of which exactly one must be set. `short for …` names the key whose value may stand for the mapping.
///
/// A field is `None` when it is absent and has no default, or when it could not be read.
macro_rules! mapping {
    ($(#[doc = $doc:literal])+ $name:ident: $title:literal $(, one of [$($choice:ident),+])? $(, short for $short:ident: $short_type:ty)? {
        $($(#[doc = $field_doc:literal])+ $key:ident: $type:ty = $presence:expr,)+
    }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Default)]
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
                let form = Form::Mapping(Mapping { title: $title, doc: concat!($($doc, "\n"),+), fields, one_of: &[$($(stringify!($choice)),+)?] });
                $(let form = Form::Short { text: Box::new(<$short_type as $crate::config::shape::Shape>::form()), full: Box::new(form) };)?
                form
            }

            fn read(node: &$crate::config::yaml::Node, report: &mut $crate::config::yaml::Report) -> Option<Self> {
                use $crate::config::shape::Presence::*;
                let short: Option<&str> = None$(.or(Some(stringify!($short))))?;
                let entries = $crate::config::shape::Entries::of(node, $title, &[$(stringify!($key)),+], short, report)?;
                $(entries.check_choice(&[$(stringify!($choice)),+], report);)?
                Some(Self { $($key: entries.read(stringify!($key), $presence, concat!($($field_doc),+), report)),+ })
            }
        }
    };
}
pub(in crate::config) use mapping;

/// The entries of a mapping with known keys.
pub struct Entries<'n> {
    node: &'n Node,
    title: &'static str,
    values: HashMap<&'n str, &'n Node>,
}

impl<'n> Entries<'n> {
    /// Indexes the entries, and reports unknown and repeated keys. What is no mapping is the value of the key `short`,
    /// if there is one.
    pub fn of(
        node: &'n Node,
        title: &'static str,
        keys: &[&'static str],
        short: Option<&'static str>,
        report: &mut Report,
    ) -> Option<Self> {
        if let Some(short) = short.filter(|_| !matches!(node.value, Value::Mapping(_))) {
            return Some(Self { node, title, values: HashMap::from([(short, node)]) });
        }
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

    /// Reports an error unless exactly one of these keys is set.
    pub fn check_choice(&self, keys: &[&'static str], report: &mut Report) {
        let listed = |keys: &[&'static str]| keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        let mut written: Vec<&Node> = keys.iter().filter_map(|key| self.values.get(key).copied()).collect();
        written.sort_by_key(|node| node.label);
        match written.as_slice() {
            [_] => {}
            [] => report.error(
                self.node.label,
                format!("this {} has none of {}", self.title, listed(keys)),
                match keys.contains(&"client_secret") || keys.contains(&"env") {
                    true => format!("add one of them, usually {SECRET_FORM}"),
                    false => "add one of them".to_owned(),
                },
            ),
            [first, others @ ..] => {
                let line = report.line(first.label);
                for other in others {
                    report.error(
                        other.label,
                        format!("only one of {} is possible, and line {line} already has one", listed(keys)),
                        "keep one of them",
                    );
                }
            }
        }
    }

    /// Reads the value of one key. Its documentation is the help for a missing key.
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

/// Reads a default as if it were written in the file.
pub fn default<T: Shape>(text: &str, label: Span) -> Option<At<T>> {
    let tree = node::parse(text).ok()?;
    let mut aside = Report::new(Source::new("".as_ref(), text), &tree);
    let value = T::read(tree.root.as_ref()?, &mut aside)?;
    Some(At { value, span: label, label })
}

fn unknown_key(key: &Node, value: &Node, title: &str, keys: &[&'static str], report: &mut Report) {
    // The key may be that of a secret, misspelled.
    report.mask(value.span);
    let name = key.text().unwrap_or_default();
    let is_showable = mask::is_showable_key(name);
    let shown = if is_showable { format!("unknown key `{name}`") } else { "unknown key".to_owned() };
    if !is_showable {
        report.mask(key.span);
    }
    let help = match closest_match(name, keys.iter().copied()) {
        Some("client_secret") => format!("did you mean `client_secret`? Write {SECRET_FORM}"),
        Some(meant) => format!("did you mean `{meant}`?"),
        None if mask::names_a_secret(name) => {
            format!("never write a secret in this file; a connector names where it is stored: {SECRET_FORM}")
        }
        None => format!("this {title} may have: {}", keys.join(", ")),
    };
    report.error(key.span, shown, help);
}

/// The correct form of a secret, for messages.
pub const SECRET_FORM: &str = "client_secret: { env: BC_CLIENT_SECRET }";
