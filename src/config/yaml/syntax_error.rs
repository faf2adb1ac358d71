//! What is wrong with a file that is no YAML, in our own words.

use serde_yaml::granit_parser::ErrorKind;

/// Why a file is no YAML, and where.
#[derive(Debug)]
pub struct SyntaxError {
    pub at: usize,
    pub message: &'static str,
    pub help: &'static str,
}

/// A kind of [`SyntaxError`], before the place is known.
struct Explanation(&'static str, &'static str);

impl Explanation {
    fn at(self, at: usize) -> SyntaxError {
        SyntaxError { at, message: self.0, help: self.1 }
    }
}

/// The file holds more than one YAML document.
pub fn second_document(at: usize) -> SyntaxError {
    Explanation("a second document begins here", "keep everything in one document: remove this `---`").at(at)
}

/// Our own words for what the parser found: its text may quote the file.
pub fn syntax_error(kind: &ErrorKind, at: Option<usize>) -> SyntaxError {
    use ErrorKind as Kind;
    let sentence = match kind {
        Kind::TabNotAllowed | Kind::TabInBlockIndentation | Kind::TabInIndentation | Kind::TabAtBlockScalarStart => {
            Explanation("this line is indented with a tab", "indent with spaces: YAML does not allow tabs here")
        }
        Kind::MappingValueNotAllowed | Kind::InvalidMappingValueWhitespace | Kind::InvalidColonPlacement => {
            Explanation(
                "there is a colon where none can be",
                "put a text that holds `: ` in quotes, such as company: \"Foo: Bar\"; \
             otherwise compare the indentation of this line with the lines around it",
            )
        }
        Kind::UnclosedQuotedScalar | Kind::DocumentIndicatorInQuotedScalar => {
            Explanation("a quotation mark is opened here and never closed", "close it at the end of the text")
        }
        Kind::UnclosedFlowCollection { .. }
        | Kind::UnexpectedEofFlowSequence
        | Kind::UnexpectedEofFlowMapping
        | Kind::UnexpectedEofImplicitFlowMapping => {
            Explanation("a bracket is opened here and never closed", "close it: `[` with `]` and `{` with `}`")
        }
        Kind::MismatchedFlowCollectionEnd { .. } | Kind::MisplacedFlowCollectionEnd => {
            Explanation("this bracket closes nothing", "every `[` needs its `]` and every `{` its `}`")
        }
        Kind::ExpectedFlowMappingSeparator | Kind::ExpectedFlowSequenceSeparator => {
            Explanation("a comma is missing here", "separate the items between brackets with `, `")
        }
        Kind::UnknownQuotedScalarEscape
        | Kind::InvalidQuotedScalarHexEscape
        | Kind::InvalidLowSurrogateHexEscape
        | Kind::InvalidLowSurrogate
        | Kind::MissingLowSurrogate
        | Kind::UnpairedLowSurrogate
        | Kind::InvalidUnicodeEscape => Explanation(
            "a backslash in this text has no meaning",
            "use single quotes, which take every backslash as it is, such as file: 'C:\\keys\\secret.txt'",
        ),
        Kind::InvalidTrailingSingleQuotedScalar | Kind::InvalidTrailingDoubleQuotedScalar => Explanation(
            "there is more text after the closing quotation mark",
            "within single quotes write an apostrophe twice ('it''s'), or use double quotes (\"it's\")",
        ),
        Kind::UnexpectedCharacter { .. } => {
            Explanation("an unquoted text can't begin with this character", "put the whole text in quotes: \"…\"")
        }
        Kind::RecursionLimitExceeded => {
            Explanation("lists and mappings are nested too deeply here", "this file needs no more than a few levels")
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
        | Kind::InvalidBlockScalarIndent => Explanation(
            "this line does not fit the ones before it",
            "keys of one block start in the same column and are written `key: value`, \
             with a space after the colon; list items start with `- `",
        ),
        _ => Explanation(
            "this can't be read as YAML",
            "look at this line and the one before it: indentation, quotation marks, brackets, a space after each colon",
        ),
    };
    sentence.at(at.unwrap_or_default())
}
