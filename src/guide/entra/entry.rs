//! An entry of the tables of AADSTS codes.

use crate::guide::{KnownError, Retry, Step};

/// Codes with the same meaning, and that meaning.
pub(super) type Entry = (&'static [u32], KnownError);

/// An error to fix at this step of the set-up.
pub(super) const fn after_fix(codes: &'static [u32], step: Step, meaning: &'static str, fix: &'static str) -> Entry {
    (codes, KnownError::at(step, Retry::AfterFix, meaning, fix))
}

/// An error whose fix Microsoft may need some minutes to apply everywhere.
pub(super) const fn after_propagation(
    codes: &'static [u32],
    step: Step,
    meaning: &'static str,
    fix: &'static str,
) -> Entry {
    (codes, KnownError::at(step, Retry::AfterPropagation, meaning, fix))
}

/// A temporary error that has nothing to do with the set-up.
pub(super) const fn temporary(codes: &'static [u32], meaning: &'static str, fix: &'static str) -> Entry {
    (codes, KnownError::temporary(meaning, fix))
}
