//! The part of a library's error that helps somebody.

use std::error::Error;

/// The innermost cause of an error, in its own words: the outer ones only repeat that something failed.
pub fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    deepest.to_string()
}
