//! Doc comments of the vocabulary as text.

/// The line length of published Markdown, in characters.
const COLUMNS: usize = 120;

/// A doc comment in one line.
pub fn one_line(doc: &str) -> String {
    doc.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A doc comment as a paragraph of at most [`COLUMNS`] characters a line. `first` and `next` begin its lines.
pub fn wrapped(doc: &str, first: &str, next: &str) -> String {
    let mut paragraph = String::new();
    let mut line = first.to_owned();
    let mut is_begun = false;
    for word in words(doc) {
        if is_begun && line.chars().count() + 1 + word.chars().count() > COLUMNS {
            paragraph += &format!("{line}\n");
            line = next.to_owned();
            is_begun = false;
        }
        if is_begun {
            line.push(' ');
        }
        line += &word;
        is_begun = true;
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
        assert_eq!(one_line(&text.replacen("- ", "", 1)), "word ".repeat(50).trim());
    }
}
