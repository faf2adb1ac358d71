//! How keys are declared: the form of a value, mappings with known keys, lists, named entries and `off`.

pub(super) mod collections;
pub(super) mod form;
pub(super) mod mapping;
pub(super) mod read;
