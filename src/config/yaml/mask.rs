//! The parts of a configuration file that messages must not show.
//!
//! A secret in the file is always a mistake, and it can be anywhere: below a misspelled key, in the wrong field, in a
//! comment. When in doubt, a value is hidden. Line and column still show its position.

use super::{Node, Source, Span, Tree, Value};

/// The spans to hide in valid YAML: comments, anchors, tags, every value below a key for secrets, and every value that
/// looks like a secret.
pub fn sensitive_spans(tree: &Tree) -> Vec<Span> {
    // Messages show the `#`, because the reader may have to see that a comment begins there.
    let comment = |span: &Span| Span { start: span.start + 1, end: span.end };
    let mut spans: Vec<Span> = tree.comments.iter().map(comment).chain(tree.unsupported.iter().copied()).collect();
    if let Some(root) = &tree.root {
        hide(root, false, &mut spans);
    }
    spans
}

fn hide(node: &Node, is_secret: bool, spans: &mut Vec<Span>) {
    match &node.value {
        Value::Empty | Value::Alias => {}
        Value::Scalar { text, .. } if is_secret || looks_like_a_secret(text) => spans.push(node.span),
        Value::Scalar { .. } => {}
        Value::List(items) => items.iter().for_each(|item| hide(item, is_secret, spans)),
        Value::Mapping(entries) => {
            for (key, value) in entries {
                let name = key.text().unwrap_or_default();
                let is_source = is_secret && matches!(name, "env" | "file" | "command" | "windows" | "expires");
                hide(key, is_secret && !is_source, spans);
                let is_variable = is_source && name == "env" && value.text().is_some_and(is_upper_case_name);
                hide(value, (is_secret && !is_variable) || names_a_secret(name), spans);
            }
        }
    }
}

/// The spans to hide in invalid YAML: everything except indentation, the dashes of lists, and known keys.
pub fn spans_of_values(source: &Source, known_keys: &[&str]) -> Vec<Span> {
    let hidden = |line: Span| {
        let content = source.slice(line).trim_start_matches(['\u{feff}', ' ', '\t', '-']);
        let value = match content.split_once(':') {
            Some((key, value)) if known_keys.contains(&key.trim_end()) => value,
            _ => content,
        };
        Span { start: line.end - value.trim_start().len(), end: line.end }
    };
    source.all_lines().map(hidden).filter(|span| span.start < span.end).collect()
}

/// Whether text is a PEM key, a URL with a user name (and probably a password), or contains a generated secret.
///
/// A generated secret is a long word of several character classes without slashes. Those of Entra contain a `~`, by
/// which they are found inside other text, too.
pub fn looks_like_a_secret(text: &str) -> bool {
    let is_long_and_mixed = |word: &str| {
        let has = |test: fn(&char) -> bool| word.chars().any(|character| test(&character));
        let is_mixed = has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase) && has(char::is_ascii_digit);
        word.len() >= 16 && is_mixed
    };
    let looks_like_one = |word: &str| {
        !word.contains(['/', '\\']) && (is_long_and_mixed(word) || (word.len() >= 6 && word.contains('~')))
    };
    let is_of_entra = |part: &str| part.contains('~') && is_long_and_mixed(part);
    let is_separator = |character: char| !(character.is_ascii_alphanumeric() || "-._~".contains(character));
    let has_login = text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    text.contains("-----BEGIN")
        || has_login
        || text.split_whitespace().any(looks_like_one)
        || text.split(is_separator).any(is_of_entra)
}

/// Whether the name of a key suggests a secret, in any spelling: `clientSecret`, `client_secert`, `password`,
/// `api-key`.
pub fn names_a_secret(key: &str) -> bool {
    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let holds = |word: &str| plain.contains(word);
    ["secret", "secert", "password", "passwd", "pwd", "passphrase", "token", "apikey", "credential", "privatekey"]
        .into_iter()
        .any(holds)
        || plain == "key"
}

/// Whether a message may name an unknown key. A secret pasted in its place must not appear.
pub fn is_showable_key(key: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'<');
    !key.is_empty() && key.len() <= 32 && key.bytes().all(is_plain) && !looks_like_a_secret(key)
}

/// Whether text is certainly the name of a variable: capitals, digits and underscores.
fn is_upper_case_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        && text.contains('_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml::node;
    use std::path::Path;

    /// The file without its hidden spans.
    fn shown(text: &str, spans: Vec<Span>) -> String {
        let is_hidden = |at: usize| spans.iter().any(|span| span.start <= at && at < span.end);
        text.char_indices().filter(|(at, c)| *c == '\n' || !is_hidden(*at)).map(|(_, c)| c).collect()
    }

    #[test]
    fn only_a_variable_name_is_shown_below_a_key_for_secrets() {
        let text = "client_secret: { env: BC_SECRET, file: /a/b, x: y }\nname: z # w\nclientSecert: |\n  a\n  b\nkey: [c, d]\n";
        let tree = node::parse(text).unwrap();
        assert_eq!(
            shown(text, sensitive_spans(&tree)),
            "client_secret: { env: BC_SECRET, file: , :  }\nname: z #\nclientSecert: |\n  \n\nkey: [, ]\n"
        );
        let tree = node::parse("secret: { env: hunter2 }\nid: abc8Q~hunter.2-").unwrap();
        assert_eq!(sensitive_spans(&tree).len(), 2);
    }

    #[test]
    fn invalid_yaml_shows_known_keys_only() {
        let text = "company: Foo: Bar\n\n  - env: X\nunknown: y\n  hunter2\n# company: z\ncompany:\n";
        let source = Source::new(Path::new("f"), text);
        let expected = "company: \n\n  - env: \n\n  \n\ncompany:\n";
        assert_eq!(shown(text, spans_of_values(&source, &["company", "env"])), expected);
    }

    #[test]
    fn ordinary_values_do_not_look_like_secrets() {
        for text in [
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "contoso.onmicrosoft.com",
            "CRONUS International Ltd. 2024",
            "https://Login.microsoftonline.com/2",
            "Production",
            r"C:\PROGRA~1\Bcproxy2\secret.txt",
            "/srv/Bcproxy2/longFolderName/secret.txt",
        ] {
            assert!(!looks_like_a_secret(text), "{text}");
        }
        assert!(looks_like_a_secret("hunter2-S3cr3t~Value"));
        for glued in ["A1:!/I'hunter2-S3cr3t~Value", "yhunter2-S3cr3t~Value/routes:", r"C:\hunter2-S3cr3t~Value"] {
            assert!(looks_like_a_secret(glued), "{glued}");
        }
        assert!(looks_like_a_secret("http://svc:hunter2@proxy:3128"));
        // A line of a key may contain a slash.
        assert!(looks_like_a_secret("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG/yqGSM49\n-----END PRIVATE KEY-----\n"));
    }
}
