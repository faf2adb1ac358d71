//! Whose data a request may change.

use std::collections::BTreeSet;

use crate::business_central::CompanyId;

/// Whose data a request may change in its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// None: it only reads.
    Nothing,
    /// The data of these companies, and data that belongs to none.
    Companies(BTreeSet<CompanyId>),
    /// The company is not known.
    Anything,
}

impl Extent {
    /// The scope of a write in this company; `None` where it is not known.
    pub fn of(company: Option<CompanyId>) -> Self {
        company.map_or(Self::Anything, |company| Self::Companies(BTreeSet::from([company])))
    }

    /// The union of both.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, one) | (one, Self::Nothing) => one,
            (Self::Companies(one), Self::Companies(other)) => Self::Companies(one.union(&other).copied().collect()),
            (Self::Anything, _) | (_, Self::Anything) => Self::Anything,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use uuid::Uuid;

    use super::*;

    pub fn company(number: u128) -> CompanyId {
        Uuid::from_u128(number).to_string().parse().unwrap()
    }

    pub fn extent(number: u128) -> Extent {
        Extent::of(Some(company(number)))
    }

    #[test]
    fn extents_are_joined() {
        let both = extent(1).and(Extent::Nothing).and(extent(2));
        assert_eq!(both, Extent::Companies(BTreeSet::from([company(1), company(2)])));
        assert_eq!(both.and(Extent::Anything), Extent::Anything);
        assert_eq!(Extent::Nothing.and(Extent::Anything), Extent::Anything);
        assert_eq!(Extent::Nothing.and(Extent::Nothing), Extent::Nothing);
    }
}
