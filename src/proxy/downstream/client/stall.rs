//! When a client is too slow with its response.

use std::time::Duration;

/// Something that others may be waiting for while a response holds it.
pub trait Contended: Send + Sync {
    /// Whether others are waiting for it.
    fn is_contended(&self) -> bool;
}

/// The time limit for taking a response; each response has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakeLimit {
    /// Number of the request on its connection.
    pub number: u32,
    /// How long the client may take nothing.
    pub idle_limit: Duration,
}

/// Why a client was disconnected that reads too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// It exceeded its time limit.
    Overdue,
    /// Others waited for what it held, and it was too slow for [`CONTENDED_IDLE`].
    Blocking,
}

/// How long a client may take nothing of a response while others wait for what it holds.
pub const CONTENDED_IDLE: Duration = Duration::from_secs(60);
