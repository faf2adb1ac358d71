//! What is wrong with a text.

/// Why a text can't be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at line {line} column {column}")]
pub struct JsonError {
    reason: Reason,
    /// From 1.
    line: u32,
    /// In bytes, from 1.
    column: u32,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("expected a value")]
    NoValue,
    #[error("expected `true`, `false` or `null`")]
    NoLiteral,
    #[error("expected a digit")]
    NoDigit,
    #[error("expected a name in quotation marks")]
    NoName,
    #[error("expected `:`")]
    NoColon,
    #[error("expected `,` or `}}`")]
    NoEndOfObject,
    #[error("expected `,` or `]`")]
    NoEndOfList,
    #[error("a line break or another control character in a string")]
    ControlCharacter,
    #[error("an escape that JSON does not have")]
    Escape,
    #[error("half of a surrogate pair")]
    Surrogate,
    #[error("recursion limit exceeded: more than 127 levels")]
    Depth,
    #[error("it ends too early")]
    Unfinished,
    #[error("more than one value")]
    Trailing,
}

impl JsonError {
    /// The error at this place of a text.
    #[cold]
    pub fn at(text: &str, position: usize, reason: Reason) -> Self {
        let bytes = text.as_bytes();
        let is_at_end = position >= bytes.len();
        let before = bytes.get(..position).unwrap_or(bytes);
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            reason: if is_at_end { Reason::Unfinished } else { reason },
            line: number(memchr::memchr_iter(b'\n', before).count() + 1),
            column: number(before.len() - line_start + usize::from(!is_at_end)),
        }
    }
}
