//! Errors on Microsoft's side.

use super::entry::Entry;
use crate::guide::KnownError;

pub(super) const ENTRIES: &[Entry] = &[
    (
        &[50196],
        KnownError::temporary(
            "Entra detected too many identical token requests",
            "Find the other software that uses the same app without caching its token. \
             bcproxy waits and retries automatically.",
        ),
    ),
    (&[90055], KnownError::temporary("Entra is throttling this tenant", "Wait. bcproxy retries automatically.")),
    (
        &[90006, 90012, 90024, 90033, 90090, 90091, 50033],
        KnownError::temporary("Entra is temporarily unavailable", "Wait. bcproxy retries automatically."),
    ),
    (
        &[50000, 90036],
        KnownError::temporary(
            "Entra has an internal error",
            "Wait. bcproxy retries automatically. \
             If the error lasts, open a support request with Microsoft and quote the correlation ID.",
        ),
    ),
];
