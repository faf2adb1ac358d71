//! The vocabulary as it is published: a JSON Schema for editors and a reference for people.

pub(super) mod json_schema;
pub(super) mod reference;
