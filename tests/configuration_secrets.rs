//! No message repeats a secret that was written into `proxy.yaml` by mistake.

use std::path::Path;

use bcproxy::config::Config;
use proptest::prelude::*;

const SECRET: &str = "hunter2-S3cr3t~Value";

/// Valid YAML with the secret in many wrong places.
const LEAKY: &str = "\
listen: [127.0.0.1:8080, hunter2-S3cr3t~Value]
connectors:
  cronus:
    tenant_id: hunter2-S3cr3t~Value
    client_id: hunter2-S3cr3t~Value   # hunter2-S3cr3t~Value
    client_secret: hunter2-S3cr3t~Value
    clientSecret: hunter2-S3cr3t~Value
    company: hunter2-S3cr3t~Value
    environment: hunter2-S3cr3t~Value
    timeouts: { token: hunter2-S3cr3t~Value }
    outbound_proxy: http://svc:hunter2-S3cr3t~Value@proxy.corp:3128
  fabrikam:
    client_secret: { env: hunter2-S3cr3t~Value }
    password: |
      hunter2-S3cr3t~Value
      hunter2-S3cr3t~Value
  litware: { outbound_proxy: { url: 'svc:hunter2-S3cr3t~Value@proxy', user: hunter2-S3cr3t~Value, password: hunter2-S3cr3t~Value } }
  adatum: { client_secret: { hunter2-S3cr3t~Value: x }, secret: [hunter2-S3cr3t~Value] }
  contoso: { client_secret: { value: hunter2-S3cr3t~Value, env: hunter2-S3cr3t~Value } }
routes:
  - { path: hunter2-S3cr3t~Value, to: hunter2-S3cr3t~Value, connector: hunter2-S3cr3t~Value }
shared_limits: { url: 'redis://:hunter2-S3cr3t~Value@c', password: hunter2-S3cr3t~Value, prefix: hunter2-S3cr3t~Value }
unknown: { deep: [{ deeper: hunter2-S3cr3t~Value }] }
hunter2-S3cr3t~Value: x
";

/// Fails if the text contains six consecutive characters of the secret.
fn assert_silent(text: &str) {
    for start in 0..=SECRET.len() - 6 {
        let piece = &SECRET[start..start + 6];
        assert!(!text.contains(piece), "{piece:?} in\n{text}");
    }
}

/// All messages about a configuration text.
fn said(text: &str) -> String {
    match Config::from_yaml(text, Path::new("proxy.yaml")) {
        Ok(loaded) => loaded.warnings.to_string(),
        Err(mistakes) => format!("{mistakes}\n{}", mistakes.render(true)),
    }
}

#[test]
fn a_secret_in_a_wrong_place_is_masked() {
    let text = said(LEAKY);
    assert_silent(&text);
    for shown in [
        "    client_secret: ****\n  |                    ^^^^\n",
        "client_secret: { env: BC_CLIENT_SECRET }",
        "did you mean `client_secret`?",
        "unknown key `password`",
        "a secret is never written in this file",
    ] {
        assert!(text.contains(shown), "{shown:?} in\n{text}");
    }
    // As the name of a connector, which messages would list.
    assert_silent(&said(&format!("connectors: {{ {SECRET}: {{}}, b: {{}} }}\n")));
    assert_silent(&said(&format!(
        "connectors: {{ {SECRET}: {{}}, b: {{}} }}\nroutes: [{{ path: /, connector: z }}, {{ path: /a }}]\n"
    )));
    // Each wrong place alone, so that no message hides another.
    for line in LEAKY.lines().filter(|line| line.contains(SECRET)) {
        assert_silent(&said(&format!("connectors:\n  cronus:\n    {}\n", line.trim())));
        assert_silent(&said(&format!("{}\n", line.trim())));
    }
}

#[test]
fn a_private_key_in_place_of_its_files_path_is_masked() {
    let key = "\"-----BEGIN PRIVATE KEY-----\\nxyzzy/plugh+\\n-----END PRIVATE KEY-----\"";
    for wrong in ["adress: 127.0.0.1:1, tls: { certificate: a, private_key: KEY }", "address: KEY", "KEY: a"] {
        let text = said(&format!("listen: {{ {} }}\n", wrong.replace("KEY", key)));
        assert!(text.contains("proxy.yaml:1:") && !text.contains("xyzzy"), "{text}");
    }
}

#[test]
fn a_secret_under_its_own_key_is_masked_whatever_its_form() {
    for secret in [
        "xyzzy",
        "plugh xyzzy",
        "hunter2",
        "12345678",
        "\"xyzzy\"",
        "'plugh'",
        "|\n      xyzzy",
        ">-\n      xyzzy\n      plugh",
    ] {
        for key in
            ["client_secret", "client_secert", "clientSecret", "password", "secret", "token", "key", "api_key", "foo"]
        {
            let said = said(&format!("connectors:\n  cronus:\n    {key}: {secret}\n"));
            let words = secret.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
            for word in words.filter(|word| word.len() > 2) {
                assert!(!said.contains(word), "{word:?} in\n{said}");
            }
        }
    }
}

#[test]
fn invalid_yaml_shows_known_keys_only() {
    for broken in [
        "connectors:\n  cronus:\n    client_secret: hunter2-S3cr3t~Value: x\n",
        "connectors:\n  cronus:\n    client_secret: \"hunter2-S3cr3t~Value\n    company: x\n",
        "connectors:\n  cronus:\n    client_secret: 'hunter2-S3cr3t~Value\n",
        "connectors:\n  cronus: { client_secret: hunter2-S3cr3t~Value\n",
        "connectors:\n  cronus: [ hunter2-S3cr3t~Value\n",
        "connectors:\n\tclient_secret: hunter2-S3cr3t~Value\n",
        "connectors:\n  cronus:\n    company: x\n   client_secret: hunter2-S3cr3t~Value\n",
        "client_secret: @hunter2-S3cr3t~Value\n",
        "client_secret: \"\\q hunter2-S3cr3t~Value\"\n",
        "client_secret: 'it's hunter2-S3cr3t~Value'\n",
        "client_secret: }hunter2-S3cr3t~Value\n",
        "client_secret:hunter2-S3cr3t~Value\ncompany: x\n",
        "- hunter2-S3cr3t~Value\ncompany: x\n",
        "company: x\n  client_secret: hunter2-S3cr3t~Value\n",
        "a: b\n---\nclient_secret: hunter2-S3cr3t~Value\n",
        "'hunter2-S3cr3t~Value': [\n",
        "hunter2-S3cr3t~Value: [\n",
    ] {
        let said = said(broken);
        assert!(said.starts_with("error: ") && said.contains("help: "), "{said}");
        assert_silent(&said);
    }
    assert!(
        said("company: Foo: Bar\n").contains("1 | company: ****\n  |          ^^^^\n"),
        "{}",
        said("company: Foo: Bar\n")
    );
    assert!(said("company: Foo: Bar\n").contains("company: \"Foo: Bar\""));
}

/// The sample with the secret in place of the variable, and in a comment.
fn sample_with_secret() -> String {
    let sample = include_str!("../proxy.yaml");
    let (_, rest) = sample.split_once("connectors:").unwrap();
    let short: String =
        rest.lines().filter(|line| !line.trim_start().starts_with("#")).map(|line| format!("{line}\n")).collect();
    format!("connectors:{short}# {SECRET}\n").replace("{ env: BC_CLIENT_SECRET }", SECRET)
}

#[test]
fn no_truncation_and_no_typo_reveals_a_secret() {
    let text = sample_with_secret();
    let inserted = [
        "", ":", "\"", "'", "#", "\n", "\t", "- ", "{", "}", "[", "]", "&", "*", "!", "|", ">", "%", "@", "\u{0}", "ü",
        ": ",
    ];
    for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
        let (before, after) = text.split_at(at);
        assert_silent(&said(before));
        assert_silent(&said(after));
        let mut rest = after.chars();
        rest.next();
        for character in inserted {
            assert_silent(&said(&format!("{before}{character}{after}")));
            assert_silent(&said(&format!("{before}{character}{}", rest.as_str())));
        }
    }
}

/// The positions of a text outside a secret: half a secret can't be distinguished from a wrong value.
fn locations(text: &str) -> Vec<usize> {
    let is_within = |at: usize| text.match_indices(SECRET).any(|(start, _)| start < at && at < start + SECRET.len());
    (0..=text.len()).filter(|at| text.is_char_boundary(*at) && !is_within(*at)).collect()
}

#[test]
fn no_truncation_reveals_a_secret() {
    let sample = include_str!("../proxy.yaml").replace("{ env: BC_CLIENT_SECRET }", SECRET);
    for text in [sample.as_str(), LEAKY] {
        for at in locations(text) {
            assert_silent(&said(&text[..at]));
        }
    }
}

proptest! {
    #[test]
    fn no_typos_reveal_a_secret(
        mut slips in prop::collection::vec(
            (prop::sample::select(locations(LEAKY)), 0..3usize, "[ :\"'#\n\t\\-{}\\[\\],&*!|>%@a]{0,2}"),
            1..4,
        )
    ) {
        let mut text = LEAKY.to_owned();
        slips.sort();
        for (at, removed, inserted) in slips.into_iter().rev() {
            text.replace_range(at..(at + removed).min(text.len()), &inserted);
        }
        assert_silent(&said(&text));
    }

    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,200}") {
        said(&text);
    }

    #[test]
    fn no_yaml_makes_it_panic(text in "([a-z&*!?|>%@`'\"#{}\\[\\],:~.0-9\\- \t\r\n\u{feff}\u{2028}ü]|: |- |client_secret: |connectors:|routes:){0,80}") {
        said(&text);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        said(&String::from_utf8_lossy(&bytes));
    }
}
