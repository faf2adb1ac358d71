//! The usual mistakes of pasting a client secret.

use crate::secret::Secret;

/// What was certainly pasted wrong. The message says what to do, and never shows the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasteMistake {
    #[error("Nothing was pasted. Copy the secret's Value in Entra and paste it here.")]
    Empty,
    #[error(
        "This is the Secret ID. bcproxy needs the secret's Value, which Entra shows only once. If it is lost, create a \
         new secret."
    )]
    SecretId,
    #[error("There are quotation marks around the secret. Paste it without them.")]
    Quoted,
    #[error("There is a line break in the secret. Copy it again in one piece.")]
    LineBreak,
    #[error("There is a blank before, after or inside the secret. Copy the Value alone, in one piece.")]
    Blank,
    #[error(
        "This is the masked value, as Entra shows it later. It shows the Value only once: create a new secret and copy \
         it immediately."
    )]
    Masked,
    #[error("There is a character that no client secret contains. Copy the Value again.")]
    OtherCharacter,
}

/// Finds what is certainly wrong. Entra's secrets are printable ASCII, without blanks.
pub fn check(secret: &Secret) -> Result<(), PasteMistake> {
    let text = secret.expose();
    let trimmed = text.trim();
    let is_quote = |character: char| "\"'`“”„‘’«»".contains(character);
    if trimmed.is_empty() {
        Err(PasteMistake::Empty)
    } else if Secret::new(trimmed.trim_matches(is_quote).to_owned()).is_guid() {
        Err(PasteMistake::SecretId)
    } else if trimmed.starts_with(is_quote) || trimmed.ends_with(is_quote) {
        Err(PasteMistake::Quoted)
    } else if text.contains(['\n', '\r']) {
        Err(PasteMistake::LineBreak)
    } else if text.contains(char::is_whitespace) {
        Err(PasteMistake::Blank)
    } else if text.contains("***") || text.contains(['•', '●']) {
        Err(PasteMistake::Masked)
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err(PasteMistake::OtherCharacter)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Abc8Q~abcdefghijklmnopqrstuvwxyz_.-0123456";

    #[test]
    fn the_usual_mistakes_are_told_apart() {
        let mistake = |text: &str| check(&Secret::new(text.to_owned())).unwrap_err();
        assert_eq!(check(&Secret::new(GOOD.to_owned())), Ok(()));
        assert_eq!((mistake(""), mistake(" \n")), (PasteMistake::Empty, PasteMistake::Empty));
        for id in ["3f2504e0-4f89-41d3-9a0c-0305e82c3301", " {3F2504E0-4F89-41D3-9A0C-0305E82C3301}\n"] {
            assert_eq!(mistake(id), PasteMistake::SecretId);
        }
        assert_eq!(mistake("\"3f2504e0-4f89-41d3-9a0c-0305e82c3301\""), PasteMistake::SecretId);
        for (open, close) in [("\"", "\""), ("'", "'"), ("“", "”"), ("\"", "")] {
            assert_eq!(mistake(&format!("{open}{GOOD}{close}")), PasteMistake::Quoted);
        }
        for blank in [format!(" {GOOD}"), format!("{GOOD}\t"), format!("{GOOD}\u{a0}"), GOOD.replace('~', "~ ")] {
            assert_eq!(mistake(&blank), PasteMistake::Blank);
        }
        assert_eq!(mistake(&GOOD.replace('~', "~\r\n")), PasteMistake::LineBreak);
        assert_eq!(mistake("Abc******************"), PasteMistake::Masked);
        assert_eq!(mistake(&GOOD.replace('~', "\u{2011}")), PasteMistake::OtherCharacter);
    }
}
