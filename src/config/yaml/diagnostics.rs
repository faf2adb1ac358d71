//! Findings about a configuration file, and how they are shown to its author.

use std::cmp::Reverse;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{Position, Source, Span};

/// The largest number of findings shown at once.
pub const LIMIT: usize = 100;

/// The largest number of characters shown of a source line, on each side of a position.
const WIDTH: usize = 100;

/// The text shown in place of a hidden value.
const MASK: &str = "****";

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file can't be used.
    Error,
    /// The file can be used, but probably not as intended.
    Warning,
}

/// A finding: what is wrong, where, and what to do.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// How serious it is.
    pub severity: Severity,
    /// `None`: the file as a whole.
    pub(in crate::config) span: Option<Span>,
    /// What is wrong. Never quotes a value of the file.
    pub message: String,
    /// How to fix it, or the names that were probably intended. Never quotes a value of the file.
    pub help: String,
}

/// The findings about one file, in the order of the file.
///
/// As text, each finding has its source line, with a mask in place of every value that is or may be a secret.
#[derive(Debug, Clone)]
pub struct Diagnostics {
    source: Source,
    masks: Vec<Span>,
    items: Vec<Diagnostic>,
}

impl Diagnostic {
    pub(in crate::config) fn error(span: Option<Span>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { severity: Severity::Error, span, message: message.into(), help: help.into() }
    }
}

impl Diagnostics {
    /// `masks` are the spans that must not be shown.
    pub(in crate::config) fn new(source: Source, mut masks: Vec<Span>, mut items: Vec<Diagnostic>) -> Self {
        // The parser ends a block of text at the next key. The indentation of that key is not part of the block.
        for mask in &mut masks {
            mask.end = mask.start + source.slice(*mask).trim_end().len();
        }
        masks.sort_by_key(|mask| (mask.start, Reverse(mask.end)));
        // Errors come first, so that the limit drops warnings before errors.
        items.sort_by_key(|item| (item.severity, item.span));
        items.truncate(LIMIT);
        items.sort_by_key(|item| item.span);
        Self { source, masks, items }
    }

    /// One finding about a file as a whole, whose text is not shown.
    pub(in crate::config) fn about_file(file: &Path, message: impl Into<String>, help: &str) -> Self {
        Self::new(Source::new(file, ""), Vec::new(), vec![Diagnostic::error(None, message, help)])
    }

    /// Whether there are no findings.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The findings and their positions. The position is `None` for a finding about the file as a whole.
    pub fn iter(&self) -> impl Iterator<Item = (&Diagnostic, Option<Position>)> {
        self.items.iter().map(|item| (item, item.span.map(|span| self.source.position(span.start))))
    }

    /// All findings as text, with colors for a terminal on request.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for item in &self.items {
            let level = match item.severity {
                Severity::Error => Level::ERROR,
                Severity::Warning => Level::WARNING,
            };
            let mut origin = Origin::path(self.source.file.display().to_string());
            let mut details = Group::with_level(level.clone());
            if let Some(span) = item.span {
                let Position { line, column } = self.source.position(span.start);
                let (text, marked) = self.masked(span, line);
                origin = origin.line(line).char_column(column);
                details = details
                    .element(Snippet::source(text).line_start(line).annotation(AnnotationKind::Primary.span(marked)));
            }
            let title = Group::with_title(level.clone().primary_title(&item.message)).element(origin);
            let details = details.element(Level::HELP.message(&item.help));
            // In a group of its own, the line may have columns that differ from those of the origin. The empty group
            // stands in for the first one, which is drawn with more separators.
            out += renderer.render(&[Group::with_level(level), title, details]).trim_start();
            out += "\n\n";
        }
        if self.items.len() >= LIMIT {
            out += "There may be more. Fix these first.\n";
        }
        out
    }

    /// The source line around a span, with a mask of fixed length for every masked span; and where the span is in it.
    fn masked(&self, span: Span, line: usize) -> (String, Range<usize>) {
        let line = self.source.line(line);
        let span = Span { start: span.start, end: span.end.min(line.end).max(span.start + 1) };
        let near = self.source.around(span.start, WIDTH, line);
        let mut text = if near.start > line.start { "...".to_owned() } else { String::new() };
        let mut marked: Option<Range<usize>> = None;
        let mut masks = self.masks.iter().filter(|mask| mask.overlaps(near)).peekable();
        let mut hidden: Option<Span> = None;
        for (offset, shown) in self.source.slice(near).char_indices() {
            let mut bytes = Span { start: near.start + offset, end: near.start + offset + shown.len_utf8() };
            if hidden.is_some_and(|mask| bytes.start < mask.end) {
                continue;
            }
            while masks.next_if(|mask| mask.end <= bytes.start).is_some() {}
            let start = text.len();
            match masks.next_if(|mask| mask.overlaps(bytes)) {
                Some(mask) => {
                    (hidden, bytes) = (Some(*mask), *mask);
                    text += MASK;
                }
                None if shown == '\u{feff}' => {}
                // Control characters of an untrusted file must not reach the terminal.
                None if shown.is_control() && shown != '\t' => text.push(char::REPLACEMENT_CHARACTER),
                None => text.push(shown),
            }
            if bytes.overlaps(span) {
                marked = Some(marked.map_or(start, |marked| marked.start)..text.len());
            }
        }
        // A value missing at the end of a line is marked after the end.
        let marked = marked.unwrap_or(text.len()..text.len());
        if near.end < line.end {
            text += "...";
        }
        (text, marked)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str, masks: &[Span], span: Span) -> String {
        let (message, help) = ("wrong".to_owned(), "right".to_owned());
        let item = Diagnostic { severity: Severity::Error, span: Some(span), message, help };
        Diagnostics::new(Source::new(Path::new("p.yaml"), text), masks.to_vec(), vec![item]).to_string()
    }

    #[test]
    fn a_finding_shows_its_position_its_line_and_the_fix() {
        let expected = "error: wrong\n --> p.yaml:2:4\n  |\n2 | b: cd\n  |    ^^\n  = help: right";
        assert_eq!(drawn("a: b\nb: cd\n", &[], Span { start: 8, end: 10 }), expected);
    }

    #[test]
    fn a_mask_has_one_length_whatever_it_hides() {
        let mask = Span { start: 3, end: 9 };
        for masks in [vec![mask], vec![mask, Span { start: 4, end: 6 }], vec![Span { start: 5, end: 9 }, mask]] {
            let text = drawn("a: secret # x", &masks, Span { start: 4, end: 5 });
            assert!(text.contains("1 | a: **** # x\n  |    ^^^^\n"), "{text}");
        }
    }

    #[test]
    fn overlapping_masks_hide_all_they_cover() {
        let masks = [Span { start: 0, end: 4 }, Span { start: 2, end: 8 }];
        assert!(drawn("abcdefgh i", &masks, Span { start: 9, end: 10 }).contains("1 | ******** i\n"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_position() {
        let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let drawn = drawn(&text, &[], Span { start: 500, end: 501 });
        assert!(drawn.contains(" | ...aaa") && drawn.contains("bbb...\n"), "{drawn}");
        let columns: Vec<_> =
            drawn.lines().filter_map(|line| line.chars().position(|c| c == 'X' || c == '^')).collect();
        assert!(columns.len() == 2 && columns[0] == columns[1], "{drawn}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert!(!drawn("a: \u{1b}[2J", &[], Span { start: 0, end: 1 }).contains('\u{1b}'));
    }

    #[test]
    fn a_missing_value_is_marked_after_the_end_of_the_line() {
        assert!(drawn("a:", &[], Span { start: 2, end: 2 }).contains("1 | a:\n  |   ^\n"));
    }
}
