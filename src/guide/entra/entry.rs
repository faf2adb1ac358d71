//! An entry of the tables of AADSTS codes.

use crate::guide::KnownError;

/// Codes with the same meaning, and that meaning.
pub(super) type Entry = (&'static [u32], KnownError);
