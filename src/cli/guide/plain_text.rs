//! Markdown as plain text for a terminal: the forms that `docs/setup.md` uses.
//!
//! Code keeps its backticks, as in all messages of bcproxy. A table becomes a list, because its cells are long.

use std::iter::Peekable;
use std::str::Lines;

use crate::markdown::wrapped_to;

/// The text in lines of at most this many columns. Code blocks and long words are not wrapped.
pub fn plain_text(markdown: &str, columns: usize) -> String {
    let mut blocks: Vec<String> = Vec::new();
    let mut lines = markdown.lines().peekable();
    while let Some(line) = lines.next() {
        let block = match line.trim_start_matches('#') {
            _ if line.is_empty() => continue,
            title if title.len() < line.len() => heading(title.trim()),
            _ if line.starts_with("```") => code_block(&mut lines),
            _ if line.starts_with('|') => table(line, &mut lines, columns),
            _ => paragraph(line, &mut lines, columns),
        };
        // The items of a list belong together.
        let joins_list = marker(line).is_some() && blocks.last().is_some_and(|last| marker(last).is_some());
        match blocks.last_mut().filter(|_| joins_list) {
            Some(list) => *list += &block,
            None => blocks.push(block),
        }
    }
    blocks.join("\n")
}

fn heading(title: &str) -> String {
    let title = inline(title);
    format!("{}\n{}\n", console::style(&title).bold(), "-".repeat(title.chars().count()))
}

fn code_block(lines: &mut Peekable<Lines<'_>>) -> String {
    lines.take_while(|line| !line.starts_with("```")).map(|line| format!("    {line}\n")).collect()
}

/// A list of the rows: the first cell, and below it the others.
fn table(header: &str, lines: &mut Peekable<Lines<'_>>, columns: usize) -> String {
    let mut text = format!("{}:\n", cells(header).join(" → "));
    while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
        if row.contains("---") {
            continue;
        }
        for (index, cell) in cells(row).iter().enumerate() {
            let (first, next) = if index == 0 { ("- ", "  ") } else { ("  → ", "    ") };
            text += &wrapped_to(columns, cell, first, next);
        }
    }
    text
}

fn cells(row: &str) -> Vec<String> {
    row.trim().trim_matches('|').split('|').map(|cell| inline(cell.trim())).collect()
}

/// A paragraph, or an item of a list.
fn paragraph(first: &str, lines: &mut Peekable<Lines<'_>>, columns: usize) -> String {
    let mut text = first.to_owned();
    let goes_on = |line: &&str| !line.is_empty() && !line.starts_with(['#', '|', '`']) && marker(line).is_none();
    while let Some(line) = lines.next_if(goes_on) {
        text += &format!(" {}", line.trim_start());
    }
    let marker = marker(first).unwrap_or_default();
    wrapped_to(columns, &inline(text.get(marker.len()..).unwrap_or_default()), marker, &" ".repeat(marker.len()))
}

/// The beginning of a list item: `- ` or `1. `.
fn marker(line: &str) -> Option<&str> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let end = match line.get(digits..)? {
        rest if digits == 0 && rest.starts_with("- ") => 2,
        rest if digits > 0 && rest.starts_with(". ") => digits + 2,
        _ => return None,
    };
    line.get(..end)
}

/// Text without emphasis. Of links, addresses on the web stay; others lead to files that may not be installed.
fn inline(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '[', '<', '*']) {
        let (before, special) = rest.split_at(at);
        plain += before;
        let link = || {
            special.strip_prefix('[')?.split_once("](").and_then(|(label, after)| Some((label, after.split_once(')')?)))
        };
        let (shown, after) =
            if let Some((code, after)) = special.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
                (format!("`{code}`"), after)
            } else if let Some((label, (target, after))) = link() {
                let web = if target.starts_with("http") { format!(" ({target})") } else { String::new() };
                (inline(label) + &web, after)
            } else if let Some((address, after)) = special.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
                (address.to_owned(), after)
            } else {
                let mut characters = special.chars();
                let first = characters.next().filter(|character| *character != '*');
                (first.into_iter().collect(), characters.as_str())
            };
        plain += &shown;
        rest = after;
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_becomes_readable_text() {
        let markdown = "## 8. Credential\n\nOpen **Certificates** → *Value* in `a*b`, see\n[the center](https://x/y) or \
                        [errors](errors.md) at <https://z>.\n\n- one\n  goes on\n- two\n\n```yaml\na: { b: 1 }\n```\n\n\
                        | what | says |\n|---|---|\n| wrong `x` | \"no\" |\n";
        let expected = "8. Credential\n-------------\n\nOpen Certificates → Value in `a*b`, see the center\n(https://x/y) \
                        or errors at https://z.\n\n- one goes on\n- two\n\n    a: { b: 1 }\n\nwhat → says:\n- wrong `x`\n  → \"no\"\n";
        assert_eq!(plain_text(markdown, 52), expected);
    }

    #[test]
    fn every_step_of_the_guide_is_printed_without_markup() {
        for step in crate::guide::Step::ALL {
            let text = plain_text(step.section(), 80);
            assert!(text.starts_with(&format!("{}. {}\n", step.number(), step.title())), "{text}");
            assert!(!["](", "**", "|---", "```", "docs/", ".md"].iter().any(|markup| text.contains(markup)), "{text}");
            assert!(text.lines().all(|line| line.starts_with("    ") || line.chars().count() <= 80), "{text}");
        }
    }
}
