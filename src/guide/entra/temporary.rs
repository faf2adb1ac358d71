//! Errors on Microsoft's side.

use super::entry::{Entry, temporary};

pub(super) const ENTRIES: &[Entry] = &[
    temporary(
        &[50196],
        "Entra detected too many identical token requests",
        "Find the other software that uses the same app without caching its token. \
         bcproxy waits and retries automatically.",
    ),
    temporary(&[90055], "Entra is throttling this tenant", "Wait. bcproxy retries automatically."),
    temporary(
        &[90006, 90012, 90024, 90033, 90090, 90091, 50033],
        "Entra is temporarily unavailable",
        "Wait. bcproxy retries automatically.",
    ),
    temporary(
        &[50000, 90036],
        "Entra has an internal error",
        "Wait. bcproxy retries automatically. \
         If the error lasts, open a support request with Microsoft and quote the correlation ID.",
    ),
];
