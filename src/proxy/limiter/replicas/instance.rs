//! Which data in the shared store belong to a limiter: a flushed store, or one restarted empty, has others.

/// Which data in the store belong to a limiter.
#[derive(Debug, PartialEq, Eq)]
pub enum Instance {
    /// Nobody knows: the next call tells everything.
    Unknown,
    /// Those with this mark.
    Known(String),
    /// Those with this mark, unless they are lost: a call is due at once, which shows it.
    Doubted(String),
    /// None any more: the next call tells everything, and is due at once.
    Lost,
}

impl Instance {
    /// The mark of the data, if it is known.
    pub fn mark(&self) -> Option<&str> {
        match self {
            Self::Known(mark) | Self::Doubted(mark) => Some(mark),
            Self::Unknown | Self::Lost => None,
        }
    }

    /// Whether the data are known by this mark, without a doubt.
    pub fn is_known_as(&self, mark: &str) -> bool {
        matches!(self, Self::Known(known) if known == mark)
    }

    /// Whether a call is due because of this.
    pub fn is_due(&self) -> bool {
        matches!(self, Self::Doubted(_) | Self::Lost)
    }
}
