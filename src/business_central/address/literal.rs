//! OData string literals: text in single quotes, in which an apostrophe is doubled (OData ABNF 4.0, `string`).

/// The text of a quoted literal; any other text unchanged.
pub fn unquote(text: &str) -> String {
    match text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => text.to_owned(),
    }
}

/// The content of a literal, without the quotes around it.
pub fn double_apostrophes(text: &str) -> String {
    text.replace('\'', "''")
}
