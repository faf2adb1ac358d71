//! The state of the service at one moment: the common source of the status page, its JSON form and the metrics.
//!
//! Times are RFC 3339 in UTC, durations are seconds.

mod checklist;
mod clients;
mod connector;
mod format;
mod otlp;
mod requests;
mod service;
mod warnings;

pub use checklist::{Checklist, StepReport, StepState};
pub use clients::KnownClientReport;
pub use connector::{ApplicationReport, ConnectorReport, LimiterReport, Readiness};
#[cfg(test)]
pub use connector::{CompanyReport, TokenReport};
pub use format::{end_of_day, in_words, rfc3339, serialize_path, serialize_time};
pub use otlp::ExportReport;
#[cfg(test)]
pub use requests::RouteReport;
pub use requests::{CacheReport, ProblemReport, RequestsReport};
pub use service::{Report, State};
pub use warnings::{Warning, WarningKind};
