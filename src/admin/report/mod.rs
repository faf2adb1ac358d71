//! The state of the service at one moment: the common source of the status page, its JSON form and the metrics.
//!
//! Times are RFC 3339 in UTC, durations are seconds.

mod assessment;
mod checklist;
mod clients;
mod connector;
mod format;
mod otlp;
mod requests;
mod service;
mod shared_store;
mod warnings;

pub use assessment::{Assessment, State};
pub use checklist::{Checklist, StepState};
pub use clients::{ClientReport, KnownClientReport};
pub use connector::{
    AllReplicasReport, ApplicationReport, CompanyReport, ConnectorReport, LimiterReport, Readiness, TokenFailure,
    TokenReport,
};
pub use format::{end_of_day, in_words, rfc3339, serialize_path, serialize_time};
pub use otlp::{ExportReport, OtlpReport};
pub use requests::{CacheReport, ProblemReport, RequestsReport, RouteReport};
pub use service::{BudgetReport, CertificateReport, ConnectionsReport, Report};
pub use shared_store::SharedStoreReport;
pub use warnings::{Warning, WarningKind};
