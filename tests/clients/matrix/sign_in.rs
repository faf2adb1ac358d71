//! The same programs where they have to sign in: right, with something wrong, and with nothing.

use std::fmt::Write;
use std::sync::LazyLock;

use bcproxy::users::StoredHash;

use super::payload::Payload;
use super::setups::{AuthScheme, SETUPS, Setup};
use super::{Visit, check, programs, see, table};
use crate::users::{KEY, secret};

/// What a program sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// Its user name and password.
    Right,
    /// The same, while the user has another password.
    Wrong,
    Key(&'static str),
}

/// No user, and no key.
const NOTHING: Sent = Sent::Key("");

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the old clients"]
async fn every_old_client_signs_in_its_way_and_nothing_of_the_others_arrives() {
    programs::build().await;
    let mut mistakes = String::new();
    for setup in SETUPS {
        let payload = Payload::default();
        for (client_auth, sent, scheme) in attempts(setup) {
            let listener = format!("client_auth: {client_auth}");
            let users = [("till", hash(client_auth, sent)), ("scanner", &*KEY_HASH)];
            let key = if let Sent::Key(key) = sent { Some(key) } else { None };
            let visit = Visit { listener: &listener, users: &users, key, ..Visit::default() };
            let seen = see(setup, &visit, &payload).await;
            if let Err(mistake) = check::check_sign_in(setup, scheme, &seen, &payload) {
                writeln!(mistakes, "{}, {client_auth}, {sent:?}: {mistake}", setup.name).unwrap();
            }
        }
    }
    let table = table::of_sign_in(SETUPS);
    println!("{table}");
    assert!(mistakes.is_empty(), "\n{mistakes}");
    table::keep("table of schemes", &table);
}

/// What a program tries: `client_auth`, what it sends, and the scheme that lets it in.
fn attempts(setup: &Setup) -> Vec<(&'static str, Sent, Option<AuthScheme>)> {
    let knows = |scheme: &AuthScheme| setup.auth.contains(scheme);
    let mut attempts = Vec::new();
    for (client_auth, schemes) in
        [("basic", &[AuthScheme::Basic, AuthScheme::BasicReads][..]), ("ntlm", &[AuthScheme::Ntlm, AuthScheme::NtlmV1])]
    {
        let scheme = schemes.iter().copied().find(knows);
        attempts.push((client_auth, Sent::Right, scheme));
        if scheme.is_some() {
            // An old proof is rejected for what it is, whatever it proves.
            attempts.push((client_auth, Sent::Wrong, scheme.filter(|scheme| *scheme == AuthScheme::NtlmV1)));
        }
        if knows(&AuthScheme::ApiKey) {
            attempts.push((client_auth, NOTHING, None));
        }
    }
    if knows(&AuthScheme::ApiKey) {
        let keys = [(Sent::Key(KEY), Some(AuthScheme::ApiKey)), (Sent::Key("another"), None), (NOTHING, None)];
        attempts.extend(keys.map(|(sent, scheme)| ("api_key", sent, scheme)));
    }
    attempts
}

/// The hash that is stored for the program's user.
fn hash(client_auth: &str, sent: Sent) -> &'static StoredHash {
    let [right, wrong] = if client_auth == "ntlm" { &*NTLM_HASHES } else { &*HASHES };
    if sent == Sent::Wrong { wrong } else { right }
}

static KEY_HASH: LazyLock<StoredHash> = LazyLock::new(|| StoredHash::of_api_key(KEY.as_bytes()));
static HASHES: LazyLock<[StoredHash; 2]> =
    LazyLock::new(|| PASSWORDS.map(|password| StoredHash::of_password(&secret(password)).unwrap()));
static NTLM_HASHES: LazyLock<[StoredHash; 2]> =
    LazyLock::new(|| PASSWORDS.map(|password| StoredHash::of_ntlm_password(&secret(password))));

/// That of the programs, and another.
const PASSWORDS: [&str; 2] = ["secret", "another"];
