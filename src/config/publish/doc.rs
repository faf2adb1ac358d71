//! Doc comments of the vocabulary as text.

/// A doc comment in one line.
pub fn one_line(doc: &str) -> String {
    doc.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
