//! Columns of text with a heading.

use std::fmt::Write;

use console::{Alignment, measure_text_width, pad_str};

use crate::cli::common::printable;

/// Columns with their headings, and rows with lines of text below them.
pub struct Table<const COLUMNS: usize> {
    columns: [(&'static str, Alignment); COLUMNS],
    rows: Vec<([String; COLUMNS], Vec<String>)>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub fn new(columns: [(&'static str, Alignment); COLUMNS]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row. Its cells may have colors; `remarks` may be anything.
    pub fn add(&mut self, cells: [String; COLUMNS], remarks: impl IntoIterator<Item = String>) {
        self.rows.push((cells, remarks.into_iter().collect()));
    }

    /// Writes an empty line and the table, or nothing without rows.
    pub fn write(&self, text: &mut String) {
        if self.rows.is_empty() {
            return;
        }
        let headings = self.columns.map(|(heading, _)| heading.to_owned());
        let mut widths = [0; COLUMNS];
        for cells in self.rows.iter().map(|(cells, _)| cells).chain([&headings]) {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = measure_text_width(cell).max(*width);
            }
        }
        let row = |cells: &[String; COLUMNS]| {
            let columns = cells.iter().zip(widths).zip(self.columns);
            let padded = columns.map(|((cell, width), (_, alignment))| pad_str(cell, width, alignment, None));
            padded.collect::<Vec<_>>().join("  ")
        };
        text.push('\n');
        line(text, 0, &row(&headings));
        for (cells, remarks) in &self.rows {
            line(text, 0, &row(cells));
            remarks.iter().for_each(|remark| lines(text, 2, remark));
        }
    }
}

/// Writes any text, each of its lines indented by this many steps.
pub fn lines(text: &mut String, indentation: usize, what: &str) {
    what.lines().for_each(|part| line(text, indentation, &printable(part)));
}

/// Writes a line, indented by this many steps.
pub fn line(text: &mut String, indentation: usize, what: &str) {
    let _ = writeln!(text, "{:1$}{2}", "", 2 * indentation, what.trim_end());
}

pub const LEFT: Alignment = Alignment::Left;
pub const RIGHT: Alignment = Alignment::Right;
