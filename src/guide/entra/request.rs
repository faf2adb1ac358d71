//! Errors about the token request itself.

use super::entry::{Entry, after_fix};
use crate::guide::Step::{Configuration, Connection};

pub(super) const ENTRIES: &[Entry] = &[
    after_fix(
        &[70011, 1002012, 700022, 700023, 28002, 28003],
        Configuration,
        "The scope is wrong",
        "Remove `scope`, or set it to https://api.businesscentral.dynamics.com/.default.",
    ),
    after_fix(
        &[70003, 901002, 900144, 90014, 90100, 9002313, 90004, 90013, 90023],
        Configuration,
        "Entra says that the request is malformed",
        "Check that no setting of the connector is empty. If all are correct, report a bug in bcproxy.",
    ),
    after_fix(
        &[900561],
        Connection,
        "Something between this machine and Entra changed the request's method",
        "Find the web proxy that does this, and exempt Entra from it.",
    ),
];
