//! The text of a configuration file, and positions in it.

use std::path::Path;

/// A range of bytes of the file: `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

/// A position for people: line and column counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
}

/// The name, text and line starts of a file.
#[derive(Debug, Clone)]
pub struct Source {
    pub file: Box<Path>,
    text: String,
    lines: Vec<usize>,
}

impl Span {
    /// Whether the two have at least one byte in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

impl Source {
    pub fn new(file: &Path, text: &str) -> Self {
        let after_break = |(at, byte): (usize, u8)| match byte {
            b'\n' => Some(at + 1),
            // A line end of classic Mac OS. The line end of Windows counts at its line feed.
            b'\r' if text.as_bytes().get(at + 1) != Some(&b'\n') => Some(at + 1),
            _ => None,
        };
        let lines = std::iter::once(0).chain(text.bytes().enumerate().filter_map(after_break)).collect();
        Self { file: file.into(), text: text.to_owned(), lines }
    }

    /// The text of a span. Empty if the span is outside the text.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// The position of a byte. A byte-order mark at the start of the file does not count as a column.
    pub fn position(&self, byte: usize) -> Position {
        let line = self.lines.partition_point(|start| *start <= byte).max(1);
        let before = self.slice(Span { start: self.line(line).start, end: byte.min(self.text.len()) });
        Position { line, column: before.trim_start_matches('\u{feff}').chars().count() + 1 }
    }

    /// The span of a line without its line end. Lines are counted from 1.
    pub fn line(&self, number: usize) -> Span {
        let start = self.lines.get(number.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let end = self.lines.get(number).copied().unwrap_or(self.text.len());
        let line = self.slice(Span { start, end });
        Span { start, end: start + line.trim_end_matches(['\r', '\n']).len() }
    }

    /// The part of a line within a number of characters of a byte.
    pub fn around(&self, byte: usize, characters: usize, line: Span) -> Span {
        let middle = byte.clamp(line.start, line.end);
        let before = self.slice(Span { start: line.start, end: middle });
        let after = self.slice(Span { start: middle, end: line.end });
        let length = |characters: &mut dyn Iterator<Item = char>| characters.map(char::len_utf8).sum::<usize>();
        Span {
            start: middle - length(&mut before.chars().rev().take(characters)),
            end: middle + length(&mut after.chars().take(characters)),
        }
    }

    /// The spans of all lines.
    pub fn all_lines(&self) -> impl Iterator<Item = Span> {
        (1..=self.lines.len()).map(|number| self.line(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_of_every_system_are_recognized() {
        let source = Source::new(Path::new("f"), "\u{feff}ab\r\ncü d\re\n");
        let lines: Vec<_> = source.all_lines().map(|line| source.slice(line).to_owned()).collect();
        assert_eq!(lines, ["\u{feff}ab", "cü d", "e", ""]);
        assert_eq!(source.position(4), Position { line: 1, column: 2 });
        assert_eq!(source.position(source.text.find('d').unwrap()), Position { line: 2, column: 4 });
        assert_eq!(source.position(999), Position { line: 4, column: 1 });
    }
}
