//! Figures of several rounds: how they are shown, and compared.

use std::fmt;

/// A figure from several rounds, in their order; shown as median [least–most].
#[derive(Debug, Clone, Default)]
pub struct Spread(Vec<f64>);

/// The middle of a figure, and its bounds.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    pub fn add(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// This ÷ the other, round by round. A round in which the other cost nothing measurable does not count.
    pub fn ratio_to(&self, other: &Self) -> Self {
        let ratios = self.0.iter().zip(&other.0).map(|(this, other)| this / other);
        Self(ratios.filter(|ratio| ratio.is_finite()).collect())
    }

    /// The figure for one of so many parts.
    pub fn divided_by(&self, parts: f64) -> Self {
        Self(self.0.iter().map(|figure| figure / parts).collect())
    }

    /// `None` if there are no figures.
    pub fn range(&self) -> Option<Range> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let (&least, &most) = (sorted.first()?, sorted.last()?);
        let median = f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Some(Range { median, least, most })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = f.precision().unwrap_or(1);
        match (self.range(), self.0.len()) {
            (None, _) => f.write_str("–"),
            (Some(Range { median, .. }), 1) => write!(f, "{median:.precision$}"),
            (Some(Range { median, least, most }), _) => {
                write!(f, "{median:.precision$} [{least:.precision$}–{most:.precision$}]")
            }
        }
    }
}
