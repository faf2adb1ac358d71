//! What of a configuration file may not be shown to anybody.
//!
//! A secret is never meant to be in the file, so nobody knows where it is when it is: in a misspelt key, as a plain
//! text, in the wrong field, in a comment. When in doubt, a value is hidden; the line and column tell where it is.

use super::node::{Node, Tree, Value};
use super::source::{Source, Span};

/// The stretches to hide in a file that is YAML: comments, anchors, tags, all that stands below a key for secrets, and
/// whatever looks like a secret.
pub fn hidden(tree: &Tree) -> Vec<Span> {
    // The `#` stays: the reader of a message may have to see that a comment begins there.
    let comment = |span: &Span| Span { start: span.start + 1, end: span.end };
    let mut spans: Vec<Span> = tree.comments.iter().map(comment).chain(tree.refused.iter().copied()).collect();
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
                let is_source = is_secret && matches!(name, "env" | "file" | "command" | "expires");
                hide(key, is_secret && !is_source, spans);
                let is_variable = is_source && name == "env" && value.text().is_some_and(is_shouted);
                hide(value, (is_secret && !is_variable) || is_key_of_secrets(name), spans);
            }
        }
    }
}

/// The stretches to hide in a file that is no YAML: all but the indentation, the dashes of lists and the keys we know.
pub fn all_values(source: &Source, known_keys: &[&str]) -> Vec<Span> {
    let hide = |line: Span| {
        let text = source.slice(line);
        let content = text.trim_start_matches(['\u{feff}', ' ', '\t', '-']);
        let key = content.split_once(':').map(|(key, _)| key.trim_end()).filter(|key| known_keys.contains(key));
        let kept = key.map_or(0, |key| key.len() + 1);
        let start = line.start + text.len() - content.len() + kept;
        Span { start: start.min(line.end), end: line.end }
    };
    let blank = |line: &Span| !source.slice(*line).trim().is_empty();
    source.all_lines().map(hide).filter(blank).map(|span| after_blanks(source, span)).collect()
}

fn after_blanks(source: &Source, span: Span) -> Span {
    let text = source.slice(span);
    Span { start: span.start + text.len() - text.trim_start().len(), end: span.end }
}

/// Whether a text is a key in PEM form, pasted in place of its file's path, or a word in it has the form of a generated
/// secret: long, without slashes, from several alphabets. Entra's hold a `~`. An address with a user name most often
/// holds a password too.
pub fn looks_like_a_secret(text: &str) -> bool {
    let looks_like_one = |word: &str| {
        let has = |test: fn(&char) -> bool| word.chars().any(|character| test(&character));
        let is_mixed = has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase) && has(char::is_ascii_digit);
        !word.contains(['/', '\\']) && ((word.len() >= 16 && is_mixed) || (word.len() >= 6 && word.contains('~')))
    };
    let has_login = text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    text.contains("-----BEGIN") || has_login || text.split_whitespace().any(looks_like_one)
}

/// Whether a key is named like one for secrets, in any spelling: `clientSecret`, `client_secert`, `password`,
/// `api-key`.
pub fn is_key_of_secrets(key: &str) -> bool {
    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let holds = |word: &str| plain.contains(word);
    ["secret", "secert", "password", "passwd", "pwd", "passphrase", "token", "apikey", "credential", "privatekey"]
        .into_iter()
        .any(holds)
        || plain == "key"
}

/// Whether an unknown key can be named in a message; what was pasted in its place can't.
pub fn is_showable_key(key: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'<');
    !key.is_empty() && key.len() <= 32 && key.bytes().all(is_plain) && !looks_like_a_secret(key)
}

/// Whether a text is surely a variable's name: capitals, digits and underscores.
fn is_shouted(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        && text.contains('_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml::node;
    use std::path::Path;

    /// The file with every hidden stretch replaced by `*`.
    fn shown(text: &str, spans: Vec<Span>) -> String {
        let is_hidden = |at: usize| spans.iter().any(|span| span.start <= at && at < span.end);
        text.char_indices().filter(|(at, c)| *c == '\n' || !is_hidden(*at)).map(|(_, c)| c).collect()
    }

    #[test]
    fn only_a_variables_name_is_shown_below_a_key_of_secrets() {
        let text = "client_secret: { env: BC_SECRET, file: /a/b, x: y }\nname: z # w\nclientSecert: |\n  a\n  b\nkey: [c, d]\n";
        let tree = node::parse(text).unwrap();
        assert_eq!(
            shown(text, hidden(&tree)),
            "client_secret: { env: BC_SECRET, file: , :  }\nname: z #\nclientSecert: |\n  \n\nkey: [, ]\n"
        );
        let tree = node::parse("secret: { env: hunter2 }\nid: abc8Q~hunter.2-").unwrap();
        assert_eq!(hidden(&tree).len(), 2);
    }

    #[test]
    fn a_file_that_is_no_yaml_keeps_known_keys_only() {
        let text = "company: Foo: Bar\n\n  - env: X\nunknown: y\n  hunter2\n# company: z\ncompany:\n";
        let source = Source::new(Path::new("f"), text);
        let expected = "company: \n\n  - env: \n\n  \n\ncompany:\n";
        assert_eq!(shown(text, all_values(&source, &["company", "env"])), expected);
    }

    #[test]
    fn ordinary_values_do_not_look_like_secrets() {
        for text in [
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "contoso.onmicrosoft.com",
            "CRONUS International Ltd. 2024",
            "https://Login.microsoftonline.com/2",
            "Production",
        ] {
            assert!(!looks_like_a_secret(text), "{text}");
        }
        assert!(looks_like_a_secret("hunter2-S3cr3t~Value"));
        assert!(looks_like_a_secret("http://svc:hunter2@proxy:3128"));
        // Each line of a key may hold a slash.
        assert!(looks_like_a_secret("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG/yqGSM49\n-----END PRIVATE KEY-----\n"));
    }
}
