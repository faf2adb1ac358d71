//! The table in `docs/clients.md`, made of what was seen.

use std::path::Path;
use std::sync::Mutex;

use serde_json::Value;

use super::SCHEMES;
use super::setups::{AuthScheme, Setup};

const NOTE: &str = "written by the tests themselves, see tests/clients/matrix -->\n";

/// A row of the table, from the access log of one run over each scheme.
pub fn row(setup: &Setup, logs: &[Vec<Value>]) -> String {
    let version = setup.package.map(pinned).unwrap_or_default();
    let [http, credentials] = ["http", "credentials"]
        .map(|key| different(logs.iter().flatten().filter_map(|line| line[key].as_str()).map(str::to_owned)));
    let handshakes = logs.iter().map(|log| log.iter().filter(|line| line["outcome"] == "handshake").count());
    let handshakes = different(handshakes.map(|count| count.to_string()));
    let works = setup.limit.map_or_else(|| SCHEMES.join(", "), |limit| format!("no: {limit}"));
    format!("| {} | {version} | {http} | `{credentials}` | {handshakes} | {works} |\n", setup.name)
}

pub fn of(rows: &[String]) -> String {
    let head = "| client | version | HTTP | shows | handshakes | works over |\n|---|---|---|---|---|---|\n";
    format!("{head}{}", rows.concat())
}

/// Which client can sign in how.
pub fn of_sign_in(setups: &[Setup]) -> String {
    let head = "| client | `basic` | `ntlm` | `api_key` | `mtls` |\n|---|---|---|---|---|\n";
    let rows = setups.iter().map(|setup| {
        let knows = |scheme: AuthScheme| setup.auth.contains(&scheme);
        let or_blank = |scheme: AuthScheme| if knows(scheme) { "yes" } else { "" };
        let [api_key, mtls] = [AuthScheme::ApiKey, AuthScheme::Mtls].map(or_blank);
        let basic = if knows(AuthScheme::BasicReads) { "reads only" } else { or_blank(AuthScheme::Basic) };
        let ntlm = if knows(AuthScheme::NtlmV1) { "NTLMv1: rejected" } else { or_blank(AuthScheme::Ntlm) };
        format!("| {} | {basic} | {ntlm} | {api_key} | {mtls} |\n", setup.name)
    });
    format!("{head}{}", rows.collect::<String>())
}

/// Has a table in the documentation be this one: writes it when `BCPROXY_WRITE_DOCS` is set, else compares.
pub fn keep(name: &str, table: &str) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let [begin, end] = [format!("<!-- The {name}: {NOTE}"), format!("<!-- The end of the {name} -->\n")];
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clients.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(&begin).expect("docs/clients.md has no place for the table");
    let (_, after) = rest.split_once(&end).expect("docs/clients.md does not say where the table ends");
    let current = format!("{before}{begin}{table}{end}{after}");
    if std::env::var_os("BCPROXY_WRITE_DOCS").is_some() {
        std::fs::write(file, current).unwrap();
    } else {
        assert!(
            text == current,
            "docs/clients.md shows another {name}: BCPROXY_WRITE_DOCS=1 cargo test --test clients -- --ignored"
        );
    }
}

/// The version of a package the tests are pinned to.
fn pinned(package: &str) -> &'static str {
    let lines = include_str!("../requirements.txt").lines().chain(include_str!("programs/package.json").lines());
    let mut version = lines.filter_map(|line| {
        let (name, version) = line.split_once("==").or_else(|| line.split_once("\": \""))?;
        (name.trim_start_matches([' ', '"']) == package).then(|| version.trim_end_matches(['"', ',']))
    });
    version.next_back().unwrap_or_else(|| panic!("{package} is not pinned"))
}

/// The different ones of these, in the order they came.
fn different(values: impl Iterator<Item = String>) -> String {
    let mut different: Vec<String> = Vec::new();
    for value in values {
        if !different.contains(&value) {
            different.push(value);
        }
    }
    different.join(", ")
}
