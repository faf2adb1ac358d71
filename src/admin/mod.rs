//! The admin listener: status, metrics and health checks, and the commands `reload` and `stop`. It runs on
//! another runtime than the data path, with connections of its own, and tells whether the data path is alive.
//!
//! | request | response |
//! |---|---|
//! | `GET /` | the status page |
//! | `GET /status.json` | the status as JSON |
//! | `GET /metrics` | the status as metrics in the Prometheus text format |
//! | `GET /configuration` | the configuration in service, without comments and secrets |
//! | `GET /livez` | 200 while the data path runs tasks, 503 when it has run none for 10 s |
//! | `GET /readyz` | 200 when at least one connector is ready, with the state and the warnings of all |
//! | `GET /readyz?all` | 200 when all connectors are ready |
//! | `GET /readyz/{connector}` | 200 when this connector has a token and its company, otherwise 503 with the reason |
//! | `POST /reload` | 200 when the configuration file is in service, otherwise 422 with the reason |
//! | `POST /doctor` | what the checks of `bcproxy doctor` find: about the `connector` in the form, or about all |
//! | `POST /stop` | 202; bcproxy drains, and a second request stops it immediately |

mod access;
mod control;
mod doctor;
mod health;
mod history;
mod liveness;
mod metrics;
mod page;
mod report;
mod server;

pub use access::AdminTokenError;
pub use control::{Command, ConfigHistory, Control, Status};
pub use liveness::Liveness;
pub use metrics::otlp_metrics;
pub(crate) use report::in_words;
pub(crate) use server::PreparedAdmin;
pub use server::{Admin, AdminError};
