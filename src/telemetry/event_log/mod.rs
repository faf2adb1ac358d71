//! The Event Log of Windows, to which a service reports what an administrator has to know.
//!
//! | file | job |
//! |---|---|
//! | `layer` | forwards the lines of the log that have the field `event_id` |
//! | `flood_limit` | bounds how often an event is reported |
//! | `text` | the text of an event, within the bounds of the Event Log |
//! | `queue` | a thread that writes, so that nothing waits for the Event Log |
//! | `windows` | the Event Log itself, and the registry key of a source |
//!
//! The ids are in [`crate::guide::Event`].

mod flood_limit;
mod layer;
mod queue;
mod text;
#[cfg(windows)]
mod windows;

pub use queue::EventLog;
#[cfg(test)]
pub use queue::Sink;
#[cfg(windows)]
pub use windows::{deregister, register};

pub(super) use layer::layer;
