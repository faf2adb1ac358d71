//! Which series are written.

use crate::admin::report::Report;

/// Which series are written. That depends on the configuration alone, so that no counter disappears.
#[derive(Debug, Clone, Copy)]
pub struct Series {
    /// Whether each route has all series, also those of what has not happened yet.
    pub all_of_routes: bool,
    /// Whether each connector has.
    pub all_of_connectors: bool,
}

impl Series {
    pub fn of(report: &Report) -> Self {
        Self {
            all_of_routes: report.routes.len() <= MAX_COMPLETE,
            all_of_connectors: report.connectors.len() <= MAX_COMPLETE,
        }
    }
}

/// How many routes or connectors have all their series. More of them would have megabytes of zeros.
const MAX_COMPLETE: usize = 500;
