//! Curly quotation marks, as word processors and web pages write them: for YAML they are part of the text.

/// The text between curly quotation marks, if unquoted text begins with one.
///
/// A single one counts only in pairs, because a name may begin with an apostrophe: `’t Hart B.V.`
pub fn between_curly_quotes(text: &str) -> Option<&str> {
    match text.strip_prefix(DOUBLE) {
        Some(rest) => Some(rest.strip_suffix(DOUBLE).unwrap_or(rest)),
        None => text.strip_prefix(SINGLE)?.strip_suffix(SINGLE),
    }
}

/// Whether the line of a syntax error has curly quotation marks, which are then the likely cause.
pub fn has_curly_quotes(line: &str) -> bool {
    line.contains(DOUBLE)
}

/// What is wrong with them.
pub const MESSAGE: &str = "curly quotation marks don't quote in YAML";

/// What to do about them.
pub const HELP: &str =
    "type straight quotation marks: \"…\" or '…'. Web pages and word processors replace them by curly ones";

const DOUBLE: [char; 4] = ['“', '”', '„', '‟'];
const SINGLE: [char; 4] = ['‘', '’', '‚', '‛'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_quotation_marks_are_recognized() {
        for (text, inner) in [
            ("“Foo”", Some("Foo")),
            ("„Foo“", Some("Foo")),
            ("“Foo", Some("Foo")),
            ("‘Foo’", Some("Foo")),
            ("’t Hart B.V.", None),
            ("D’Arc", None),
            ("Foo “Bar”", None),
            ("", None),
        ] {
            assert_eq!(between_curly_quotes(text), inner, "{text}");
        }
    }
}
