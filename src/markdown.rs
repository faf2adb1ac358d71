//! Text in lines, for the pages that bcproxy prints.

/// The line length of published Markdown, in characters.
pub const COLUMNS: usize = 120;

/// A paragraph of at most [`COLUMNS`] characters a line. `first` and `next` begin its lines; a longer word stays whole.
pub fn wrapped(text: &str, first: &str, next: &str) -> String {
    wrapped_to(COLUMNS, text, first, next)
}

/// The same, in lines of at most this many characters.
pub fn wrapped_to(columns: usize, text: &str, first: &str, next: &str) -> String {
    let (mut paragraph, mut line, mut gap) = (String::new(), first.to_owned(), "");
    for word in words(text) {
        if !gap.is_empty() && line.chars().count() + 1 + word.chars().count() > columns {
            paragraph += &format!("{line}\n");
            (line, gap) = (next.to_owned(), "");
        }
        line += &format!("{gap}{word}");
        gap = " ";
    }
    paragraph + &line + "\n"
}

/// The words of a text. Code between backticks is one word, whatever spaces it holds.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for part in text.split_whitespace() {
        match words.last_mut().filter(|word| word.matches('`').count() % 2 == 1) {
            Some(code) => *code += &format!(" {part}"),
            None => words.push(part.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_not_divided() {
        assert_eq!(words("a `b c`, `d e f` g"), ["a", "`b c`,", "`d e f`", "g"]);
    }

    #[test]
    fn a_paragraph_is_wrapped_between_words() {
        let text = wrapped(&"word ".repeat(50), "- ", "  ");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("- word") && lines[1].starts_with("  word"), "{text}");
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS), "{text}");
    }
}
