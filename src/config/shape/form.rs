//! What may stand at a place of the file: the form of each type of the vocabulary.

use serde_json::Value as Json;

use crate::config::yaml::node::Node;
use crate::config::yaml::report::Report;

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

impl Form {
    /// The form of one item, where lists, names and `off` are left aside.
    pub fn inner(&self) -> &Self {
        match self {
            Self::Named { item, .. } | Self::List { item, .. } | Self::OrOff(item) | Self::Short { full: item, .. } => {
                item.inner()
            }
            Self::Text { .. } | Self::Choice(_) | Self::Mapping(_) => self,
        }
    }
}
