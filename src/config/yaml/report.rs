//! The report that collects findings while a configuration file is read.

use std::path::{Path, PathBuf};

use super::diagnostics::LIMIT;
use super::{Diagnostic, Diagnostics, Node, Severity, Source, Span, Tree, Value, curly_quotes, mask};

/// Collects findings, and the spans of the file that must not be shown.
#[derive(Debug)]
pub struct Report {
    source: Source,
    comments: Vec<Span>,
    masks: Vec<Span>,
    items: Vec<Diagnostic>,
    errors: usize,
}

impl Report {
    /// A report about valid YAML. It starts with an error for each anchor, alias and tag, and for each
    /// text in curly quotation marks.
    pub fn new(source: Source, tree: &Tree) -> Self {
        let mut report = Self {
            source,
            comments: tree.comments.clone(),
            masks: mask::sensitive_spans(tree),
            items: Vec::new(),
            errors: 0,
        };
        for span in tree.unsupported.iter().take(LIMIT) {
            report.error(
                *span,
                "anchors (`&name`), aliases (`*name`) and tags (`!name`) are not supported",
                "write the value itself; put text that begins with `&`, `*` or `!` in quotes",
            );
        }
        for span in tree.curly_quotes.iter().take(LIMIT) {
            report.error(*span, curly_quotes::MESSAGE, curly_quotes::HELP);
        }
        report
    }

    /// The file that is read.
    pub fn file(&self) -> &Path {
        &self.source.file
    }

    /// A path in the file, resolved against the folder of the file.
    pub fn path(&self, written: &str) -> PathBuf {
        self.source.file.parent().unwrap_or(Path::new("")).join(written)
    }

    /// Adds an error and its fix. Neither text may quote a value of the file.
    pub fn error(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.errors += 1;
        self.items.push(Diagnostic::error(Some(span), message, help));
    }

    /// Adds a warning and its fix. `None`: about the file as a whole. Neither text may quote a value of the file.
    pub fn warning(&mut self, span: impl Into<Option<Span>>, message: impl Into<String>, help: impl Into<String>) {
        let severity = Severity::Warning;
        self.items.push(Diagnostic { severity, ..Diagnostic::error(span.into(), message, help) });
    }

    /// Hides a span of the file in every message.
    pub fn mask(&mut self, span: Span) {
        self.masks.push(span);
    }

    /// Whether there are so many errors that readers skip the rest of the file, which could take long.
    pub fn is_full(&self) -> bool {
        self.errors >= LIMIT
    }

    /// Whether there is at least one error.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// The line of a span, for messages that refer to a second position.
    pub fn line(&self, span: Span) -> usize {
        self.source.position(span.start).line
    }

    /// The comment after unquoted text, if it looks like a part of that text: one space before the `#`, none after it.
    pub fn comment_cut_from(&self, node: &Node) -> Option<Span> {
        let is_unquoted = matches!(node.value, Value::Empty | Value::Scalar { plain: true, .. });
        let next = self.comments.partition_point(|comment| comment.start < node.span.end);
        let comment = self.comments.get(next).copied().filter(|_| is_unquoted)?;
        let gap = self.source.slice(Span { start: node.span.end, end: comment.start });
        let text = self.source.slice(comment);
        let is_joined = text.chars().nth(1).is_some_and(|second| second != '#' && !second.is_whitespace());
        // The parser reports a missing value before the colon.
        (gap.trim_start_matches(':') == " " && is_joined).then_some(comment)
    }

    /// All findings.
    pub fn finish(self) -> Diagnostics {
        Diagnostics::new(self.source, self.masks, self.items)
    }
}
