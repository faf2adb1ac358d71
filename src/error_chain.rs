//! The causes of an error, and the part of them that helps somebody.

use std::error::Error;
use std::io;
use std::iter::successors;

/// An error and what caused it, the innermost last.
pub fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        // An io::Error hands out its cause's cause, not what it wraps.
        Some(wrapping) => wrapping.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    })
}

/// The innermost cause of an error, in its own words: the outer ones only repeat that something failed.
pub fn root_cause(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}
