//! How keys are declared: the form of a value, mappings with known keys, lists, named entries and `off`.

mod collections;
mod form;
mod mapping;
mod read;

pub use collections::{Named, OneOrMore, OrOff};
pub use form::{Field, Form, Mapping, Presence, Shape};
pub(super) use mapping::mapping;
pub use mapping::{Entries, SECRET_FORM, default};
pub use read::{At, read_at, text_at, unique_entries, wrong_kind};
