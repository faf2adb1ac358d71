//! How a response ended.

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The client did not take all of it.
    ClientLeft,
    /// The client took so little, for so long, that it was cut off.
    ClientStalled,
    Complete,
    /// It was a step of the client's handshake; the request itself is still to come.
    Handshake,
    /// Business Central broke off; the client was cut off too.
    BrokenUpstream,
}

impl Outcome {
    /// Complete, unless something is known that says otherwise.
    pub fn complete_if_unfinished(&mut self) {
        if *self == Self::ClientLeft {
            *self = Self::Complete;
        }
    }

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
