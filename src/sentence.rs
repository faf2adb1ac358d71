//! Texts as sentences: where one begins or ends that is made of parts from elsewhere.

/// The text as a sentence of its own: with a capital letter at its beginning and a period at its end.
///
/// Error texts are written to follow a colon. A name at the beginning stays as it is: `erp:8443`, `$filter`, `bcproxy`.
pub fn sentence(text: &str) -> String {
    let word = text.split([' ', ',', ';']).next().unwrap_or_default();
    let is_ordinary =
        word != "bcproxy" && word.chars().all(|character| character.is_alphabetic() || "'-".contains(character));
    let mut rest = text.chars();
    match rest.next().filter(|_| is_ordinary) {
        Some(first) => ended(&format!("{}{}", first.to_uppercase(), rest.as_str())),
        None => ended(text),
    }
}

/// The text with a period at its end, which may be that of a name: `CRONUS International Ltd.`
pub fn ended(text: &str) -> String {
    let period = if text.ends_with('.') { "" } else { "." };
    format!("{text}{period}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_begins_with_a_capital_letter_and_ends_with_one_period() {
        for (text, expected) in [
            ("there is none", "There is none."),
            ("it's over", "It's over."),
            ("Done.", "Done."),
            ("the company is CRONUS International Ltd.", "The company is CRONUS International Ltd."),
            ("localhost:41421 answered", "localhost:41421 answered."),
            ("login.example: no", "login.example: no."),
            ("bcproxy can't", "bcproxy can't."),
            ("$batch is", "$batch is."),
            ("`a` is", "`a` is."),
            ("", "."),
        ] {
            assert_eq!(sentence(text), expected);
        }
    }
}
