//! How a response ended.

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The client disconnected before it had all of it.
    ClientLeft,
    /// The client read too slowly and was disconnected.
    ClientStalled,
    /// The client got all of it.
    Complete,
    /// It was the challenge of a handshake; the request itself follows.
    Handshake,
    /// Business Central's response broke off; the client's connection was aborted, too.
    BrokenUpstream,
}

impl Outcome {
    /// Changes [`ClientLeft`](Self::ClientLeft), the initial value, to complete.
    pub fn complete_if_unfinished(&mut self) {
        if *self == Self::ClientLeft {
            *self = Self::Complete;
        }
    }

    /// The value of the log field.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientLeft => "client left",
            Self::ClientStalled => "client stalled",
            Self::Complete => "complete",
            Self::Handshake => "handshake",
            Self::BrokenUpstream => "broken upstream",
        }
    }
}
