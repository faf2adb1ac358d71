//! Explanations of YAML syntax errors.

use serde_yaml::granit_parser::ErrorKind;

use super::curly_quotes::{self, has_curly_quotes};
use super::{Diagnostic, Span};

/// Explains an error of the parser, whose own message may quote the file. `at` is a byte of `text`.
pub fn syntax_error(kind: &ErrorKind, at: Option<usize>, text: &str) -> Diagnostic {
    use ErrorKind as Kind;
    let at = at.unwrap_or_default();
    let (before, after) = text.split_at_checked(at).unwrap_or_default();
    let line_parts = [before.rsplit('\n').next(), after.split('\n').next()];
    let (message, help) = match kind {
        _ if line_parts.into_iter().flatten().any(has_curly_quotes) => (curly_quotes::MESSAGE, curly_quotes::HELP),
        Kind::TabNotAllowed | Kind::TabInBlockIndentation | Kind::TabInIndentation | Kind::TabAtBlockScalarStart => {
            ("this line is indented with a tab", "indent with spaces: YAML does not allow tabs here")
        }
        Kind::MappingValueNotAllowed | Kind::InvalidMappingValueWhitespace | Kind::InvalidColonPlacement => (
            "unexpected colon",
            "put text that contains `: ` in quotes, such as company: \"Foo: Bar\"; \
             otherwise compare the indentation of this line with the lines around it",
        ),
        Kind::UnclosedQuotedScalar | Kind::DocumentIndicatorInQuotedScalar => {
            ("this quotation mark is never closed", "add the closing quotation mark at the end of the text")
        }
        Kind::UnclosedFlowCollection { .. }
        | Kind::UnexpectedEofFlowSequence
        | Kind::UnexpectedEofFlowMapping
        | Kind::UnexpectedEofImplicitFlowMapping => {
            ("this bracket is never closed", "close `[` with `]` and `{` with `}`")
        }
        Kind::MismatchedFlowCollectionEnd { .. } | Kind::MisplacedFlowCollectionEnd => {
            ("this bracket has no opening bracket", "remove this bracket, or add the missing `[` or `{`")
        }
        Kind::ExpectedFlowMappingSeparator | Kind::ExpectedFlowSequenceSeparator => {
            ("a comma is missing here", "separate the items between brackets with `, `")
        }
        Kind::UnknownQuotedScalarEscape
        | Kind::InvalidQuotedScalarHexEscape
        | Kind::InvalidLowSurrogateHexEscape
        | Kind::InvalidLowSurrogate
        | Kind::MissingLowSurrogate
        | Kind::UnpairedLowSurrogate
        | Kind::InvalidUnicodeEscape => (
            "invalid backslash sequence in double quotes",
            "use single quotes, in which a backslash has no special meaning, such as file: 'C:\\keys\\secret.txt'",
        ),
        Kind::InvalidTrailingSingleQuotedScalar | Kind::InvalidTrailingDoubleQuotedScalar => (
            "there is more text after the closing quotation mark",
            "within single quotes write an apostrophe twice ('it''s'), or use double quotes (\"it's\")",
        ),
        Kind::UnexpectedCharacter { .. } => {
            ("unquoted text can't begin with this character", "put the whole text in quotes: \"…\"")
        }
        Kind::RecursionLimitExceeded => {
            ("lists and mappings are nested too deeply", "remove the extra levels: no key needs more than a few")
        }
        Kind::InvalidIndentation
        | Kind::ExpectedBlockMappingKey
        | Kind::ExpectedBlockSequenceEntry
        | Kind::BlockSequenceEntryNotAllowed
        | Kind::SimpleKeyExpected
        | Kind::InvalidSimpleKey
        | Kind::MappingKeyNotAllowed
        | Kind::UnexpectedEndOfPlainScalar
        | Kind::InvalidQuotedScalarIndent
        | Kind::InvalidFlowScalarIndent
        | Kind::InvalidBlockScalarIndent => (
            "this line does not match the indentation or form of the lines before it",
            "start all keys of a block in the same column, as `key: value` with a space after the colon. \
             Start list items with `- `",
        ),
        _ => (
            "this is not valid YAML",
            "check this line and the one before it: indentation, quotation marks, brackets, a space after each colon",
        ),
    };
    Diagnostic::error(Some(Span { start: at, end: at }), message, help)
}
