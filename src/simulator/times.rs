//! How often a script or a fault applies.

/// The number of times that a script or a fault applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// So many times.
    Next(u32),
    /// Until it is removed.
    Always,
}

impl Times {
    /// Uses one; `false` if none is left.
    pub(super) fn take(&mut self) -> bool {
        match self {
            Self::Always => true,
            Self::Next(0) => false,
            Self::Next(left) => {
                *left -= 1;
                true
            }
        }
    }

    pub(super) fn is_used_up(self) -> bool {
        self == Self::Next(0)
    }
}
