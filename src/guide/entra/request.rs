//! Errors about the token request itself.

use super::entry::Entry;
use crate::guide::KnownError;
use crate::guide::Retry::AfterFix;
use crate::guide::Step::{Configuration, Connection};

pub(super) const ENTRIES: &[Entry] = &[
    (
        &[70011, 1002012, 700022, 700023, 28002, 28003],
        KnownError::at(
            Configuration,
            AfterFix,
            "The scope is wrong",
            "Remove `scope`, or set it to https://api.businesscentral.dynamics.com/.default.",
        ),
    ),
    (
        &[70003, 901002, 900144, 90014, 90100, 9002313, 90004, 90013, 90023],
        KnownError::at(
            Configuration,
            AfterFix,
            "Entra says that the request is malformed",
            "Check that no setting of the connector is empty. If all are correct, report a bug in bcproxy.",
        ),
    ),
    (
        &[900561],
        KnownError::at(
            Connection,
            AfterFix,
            "Something between this machine and Entra changed the request's method",
            "Find the web proxy that does this, and exempt Entra from it.",
        ),
    ),
];
