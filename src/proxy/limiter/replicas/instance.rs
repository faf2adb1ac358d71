//! Which data in the shared store belong to a limiter: a flushed store, or one restarted empty, has others.

/// Which data in the store belong to a limiter.
#[derive(Debug, PartialEq, Eq)]
pub enum Instance {
    /// Nobody knows: the next call tells everything.
    Unknown,
    /// Those with this mark.
    Known(String),
    /// None any more: the next call tells everything, and is due at once.
    Lost,
}

impl Instance {
    /// The mark of the data, if they are known.
    pub fn known(&self) -> Option<&str> {
        match self {
            Self::Known(instance) => Some(instance),
            Self::Unknown | Self::Lost => None,
        }
    }
}
