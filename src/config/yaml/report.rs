//! Where the readers of a configuration file put what they find.

use super::diagnostics::{Diagnostic, Diagnostics, LIMIT, Severity};
use super::mask;
use super::node::{Node, Tree, Value};
use super::source::{Source, Span};

/// Collects findings and what must not be shown of the file.
#[derive(Debug)]
pub struct Report {
    source: Source,
    comments: Vec<Span>,
    masks: Vec<Span>,
    items: Vec<Diagnostic>,
    errors: usize,
}

impl Report {
    /// A report about a file that is YAML; what YAML offers and this file does not use is reported at once.
    pub fn new(source: Source, tree: &Tree) -> Self {
        let mut report =
            Self { source, comments: tree.comments.clone(), masks: mask::hidden(tree), items: Vec::new(), errors: 0 };
        for span in tree.refused.iter().take(LIMIT) {
            report.error(
                *span,
                "anchors (`&name`), aliases (`*name`) and tags (`!name`) are not used in this file",
                "write the value itself; put a text that begins with `&`, `*` or `!` in quotes",
            );
        }
        report
    }

    /// Adds what is wrong and what to do. Neither may quote a value of the file.
    pub fn error(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.errors += 1;
        self.push(Severity::Error, span, message.into(), help.into());
    }

    /// Adds what is probably not meant and what to do. Neither may quote a value of the file.
    pub fn warning(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Warning, span, message.into(), help.into());
    }

    /// Hides a stretch of the file from every drawing.
    pub fn mask(&mut self, span: Span) {
        self.masks.push(span);
    }

    /// Whether so many errors were found that the rest of the file need not be read: nobody reads on, and it could take
    /// long.
    pub fn is_full(&self) -> bool {
        self.errors >= LIMIT
    }

    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// The line of a place, for a message that names a second one.
    pub fn line(&self, span: Span) -> usize {
        self.source.position(span.start).line
    }

    /// The comment that YAML cuts from an unquoted text, if it looks like a part of that text: one space before the
    /// `#`, none behind.
    pub fn comment_cut_from(&self, node: &Node) -> Option<Span> {
        let is_unquoted = matches!(node.value, Value::Empty | Value::Scalar { plain: true, .. });
        let next = self.comments.partition_point(|comment| comment.start < node.span.end);
        let comment = self.comments.get(next).copied().filter(|_| is_unquoted)?;
        let gap = self.source.slice(Span { start: node.span.end, end: comment.start });
        let text = self.source.slice(comment);
        let is_joined = text.chars().nth(1).is_some_and(|second| second != '#' && !second.is_whitespace());
        // A value that is not there is placed before the colon.
        (gap.trim_start_matches(':') == " " && is_joined).then_some(comment)
    }

    pub fn finish(self) -> Diagnostics {
        Diagnostics::new(self.source, self.masks, self.items)
    }

    fn push(&mut self, severity: Severity, span: Span, message: String, help: String) {
        self.items.push(Diagnostic { severity, span: Some(span), message, help });
    }
}
