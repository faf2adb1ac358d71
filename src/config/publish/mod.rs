//! The vocabulary as it is published: a JSON Schema for editors and a reference for people.

mod json_schema;
mod reference;

pub use json_schema::schema;
pub use reference::reference;
