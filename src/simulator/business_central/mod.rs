//! The stand-in for Business Central online: API, OData V4 and SOAP over one database.
//!
//! | module | job |
//! |---|---|
//! | `service`, `handler` | the switches and counters of the service; the path of a request through it |
//! | `throttle`, `request_log`, `scripting` | operational limits; the log of requests; scripted responses |
//! | `address`, `environment`, `request`, `response`, `encoding`, `errors` | the parts of requests and responses |
//! | `data` | companies, their tables, records and files |
//! | `odata`, `soap`, `tools` | the two protocols, and the codeunit that both publish |

mod address;
mod data;
mod encoding;
mod environment;
mod errors;
mod handler;
mod odata;
mod request;
mod request_log;
mod response;
mod scripting;
mod service;
mod soap;
mod throttle;
mod tools;

pub use self::request_log::{MAX_RECORDED_BODY_BYTES, Outcome, Received};
pub use self::scripting::{Framing, Matcher, Script};
pub use self::service::BusinessCentral;
