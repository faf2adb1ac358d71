//! The form of each type of the vocabulary: which values it accepts.

use serde_json::Value as Json;

use crate::config::yaml::{Node, Report};

/// A type that can be read from the file and describes the values it accepts.
pub trait Shape: Sized {
    /// The values it accepts, for the schema and the reference.
    fn form() -> Form;

    /// Reads a value and reports every mistake in it. `None` if the value cannot be used at all.
    fn read(node: &Node, report: &mut Report) -> Option<Self>;
}

/// The values that a key accepts.
#[derive(Debug, Clone)]
pub enum Form {
    /// Text: what it is called in messages, and its JSON Schema.
    Text {
        what: &'static str,
        schema: Json,
    },
    /// One of these words.
    Choice(Vec<&'static str>),
    Mapping(Mapping),
    /// A mapping whose names the administrator chooses.
    Named {
        name: &'static str,
        item: Box<Form>,
    },
    /// A list with at least one item. `or_one`: a single item needs no list.
    List {
        item: Box<Form>,
        or_one: bool,
    },
    /// The word `off`, or this form.
    OrOff(Box<Form>),
    /// Text, or a mapping with more keys.
    Short {
        text: Box<Form>,
        full: Box<Form>,
    },
}

/// A mapping with known keys.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// What messages call it, such as "connector".
    pub title: &'static str,
    pub doc: &'static str,
    pub fields: Vec<Field>,
    /// The keys of which exactly one must be set. Empty if there is no such choice.
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

/// Whether a key must be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Required,
    /// Required unless this other key is set.
    Unless(&'static str),
    Optional,
    /// The value of an absent key, as it would be written in the file.
    Default(&'static str),
}

impl Form {
    /// The form inside lists, named entries and `off`.
    pub fn inner(&self) -> &Self {
        match self {
            Self::Named { item, .. } | Self::List { item, .. } | Self::OrOff(item) | Self::Short { full: item, .. } => {
                item.inner()
            }
            Self::Text { .. } | Self::Choice(_) | Self::Mapping(_) => self,
        }
    }
}
