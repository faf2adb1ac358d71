//! The causes of an error.

use std::error::Error;
use std::io;
use std::iter::successors;

/// Iterates over an error and its causes, the innermost last.
pub fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        // The source of an io::Error skips the error that it wraps.
        Some(wrapping) => wrapping.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    })
}

/// The message of the innermost cause. The outer ones only repeat that something failed.
pub fn root_cause(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}
