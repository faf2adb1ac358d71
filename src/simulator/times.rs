//! How often a script or a fault applies.

/// How often a script or a fault applies before it is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// This many times.
    Next(u32),
    /// Until it is taken away.
    Always,
}

impl Times {
    /// Uses one up; `false` when there was none left.
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
