//! The checks against real servers.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::finding::StoreCheck;
use super::{StoreFinding, StoreProblem, examine_store, store_is_fine};
use crate::config::SharedLimits;
use crate::secret::SecretSource;
use crate::shared_store::test_server::{TestServer, settings};
use crate::tls::CertificateAuthority;

/// The file of the password, which is `right`.
fn password_of(server: &TestServer) -> PathBuf {
    let file = server.folder().join("password");
    fs::write(&file, "right").unwrap();
    file
}

/// The settings with a user and the password in this file.
fn signed_in(server: &TestServer, user: Option<&str>, password: &Path) -> SharedLimits {
    let password = Some(SecretSource::File(password.to_owned()));
    SharedLimits { user: user.map(str::to_owned), password, ..server.settings() }
}

async fn examine(settings: &SharedLimits) -> Vec<StoreFinding> {
    let mut reported = 0;
    let findings = examine_store(settings, |_| reported += 1).await;
    assert_eq!(reported, findings.len());
    findings
}

/// The only problem that is found.
async fn problem(settings: &SharedLimits) -> (StoreCheck, StoreProblem) {
    let findings = examine(settings).await;
    let problems = findings.iter().filter_map(|found| Some((found.check, found.result.clone().err()?)));
    match &problems.collect::<Vec<_>>()[..] {
        [only] => only.clone(),
        _ => panic!("{findings:#?}"),
    }
}

async fn assert_problem(settings: &SharedLimits, check: StoreCheck, what: &str, fix: &str) {
    let (found, problem) = problem(settings).await;
    assert_eq!(found, check, "{problem:?}");
    assert!(problem.what.contains(what) && problem.fix.contains(fix), "{problem:?}");
}

#[test]
fn the_probe_tries_the_commands_that_scripts_use_and_no_others() {
    let commands = |text: &str, start: &str| -> BTreeSet<String> {
        let found = text.split(start).skip(1).filter_map(|rest| rest.split('\'').next());
        found.map(str::to_owned).collect()
    };
    let tried = commands(include_str!("permissions.lua"), "    { '");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/shared_store/scripts");
    let mut used = BTreeSet::new();
    for script in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(script.unwrap().path()).unwrap();
        used.extend(["redis.call('", "redis.pcall('"].iter().flat_map(|call| commands(&text, call)));
    }
    assert!(used.len() > 20, "{used:?}");
    assert_eq!(tried, used, "permissions.lua and the scripts in src/shared_store/scripts");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_usable_store_passes_all_checks_and_nothing_is_left_in_it() {
    let server = TestServer::start();
    let findings = examine(&server.settings()).await;
    assert!(store_is_fine(&findings), "{findings:#?}");
    assert_eq!(findings.iter().map(|finding| finding.check).collect::<Vec<_>>(), StoreCheck::ALL);
    let found = |check: StoreCheck| findings[check as usize].result.clone().unwrap();
    assert!(found(StoreCheck::Version).starts_with("redis 7."), "{findings:#?}");
    assert!(found(StoreCheck::SignIn).contains("no password needed"));
    let mut connection = server.connect();
    assert_eq!(redis::cmd("DBSIZE").query::<u64>(&mut connection).unwrap(), 0);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_rejects_the_sign_in_is_named() {
    let server = TestServer::start_with(&["--requirepass", "right", "--user", "other on >right ~* &* +@all"]);
    let password = password_of(&server);
    let as_user = |user| signed_in(&server, user, &password);
    assert_problem(&server.settings(), StoreCheck::SignIn, "requires a password", "Set `password`").await;
    assert!(store_is_fine(&examine(&as_user(None)).await));
    assert!(store_is_fine(&examine(&as_user(Some("other"))).await));
    let unknown = as_user(Some("nobody"));
    assert_problem(&unknown, StoreCheck::SignIn, "rejects the user `nobody`", "Compare `user` and").await;
    fs::write(&password, "wrong").unwrap();
    assert_problem(&as_user(None), StoreCheck::SignIn, "the user `default`", "Compare `user` and").await;
    fs::remove_file(&password).unwrap();
    assert_problem(&as_user(None), StoreCheck::SignIn, "password", "can read the password").await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn an_address_without_a_usable_server_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let gone = settings(&format!("redis://127.0.0.1:{port}"));
    assert_problem(&gone, StoreCheck::Connection, "can't be reached", "firewall").await;
    let unknown = settings("redis://store.invalid");
    assert_problem(&unknown, StoreCheck::Connection, "store.invalid:6379 can't be reached", "`url` is right").await;

    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = settings(&format!("redis://{}", mute.local_addr().unwrap()));
    assert_problem(&silent, StoreCheck::SignIn, "does not respond within 5 s", "not busy or paused").await;

    let server = TestServer::start();
    assert!(store_is_fine(&examine(&settings(&format!("redis://127.0.0.1:{}/9", server.port()))).await));
    let many = settings(&format!("redis://127.0.0.1:{}/99", server.port()));
    assert_problem(&many, StoreCheck::SignIn, "has no database 99", "the number of a database").await;
    let cluster = TestServer::start_with(&["--cluster-enabled", "yes"]);
    assert_problem(&cluster.settings(), StoreCheck::Version, "a cluster", "cluster mode disabled").await;
    let replica = TestServer::start_with(&["--replicaof", "127.0.0.1 1"]);
    assert_problem(&replica.settings(), StoreCheck::Version, "read-only replica", "primary server").await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_store_that_evicts_keys_or_is_full_is_named() {
    let evicts = TestServer::start_with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    assert_problem(&evicts.settings(), StoreCheck::MemoryPolicy, "allkeys-lru", "`maxmemory-policy noeviction`").await;
    let full = TestServer::start_with(&["--maxmemory", "1kb"]);
    let findings = examine(&full.settings()).await;
    let problems: Vec<StoreProblem> = findings.iter().filter_map(|found| found.result.clone().err()).collect();
    assert!(problems.len() >= 2 && problems.iter().all(|one| one.fix.contains("`maxmemory`")), "{findings:#?}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn rights_that_the_user_lacks_are_named() {
    let manual = include_str!("../../../docs/replicas.md");
    let documented = manual.lines().find_map(|line| line.strip_prefix("user bcproxy ")).unwrap();
    let documented = format!("enough {}", documented.replace(">a-long-password", ">right"));
    let server = TestServer::start_with(&[
        "--user",
        &documented,
        "--user",
        "keys on >right ~other:* &bcproxy:* +@all",
        "--user",
        "commands on >right ~bcproxy:* &bcproxy:* +@all -zadd -hset",
        "--user",
        "scripts on >right ~bcproxy:* &bcproxy:* +@all -@scripting",
        "--user",
        "channels on >right ~bcproxy:* &other:* +@all",
        "--user",
        "silent on >right ~bcproxy:* &bcproxy:* +@all -publish",
        "--user",
        "deaf on >right ~bcproxy:* &bcproxy:* +@all -subscribe",
        "--user",
        "blind on >right ~bcproxy:* &bcproxy:* +@all -info",
    ]);
    let password = password_of(&server);
    let user = |name: &str| signed_in(&server, Some(name), &password);
    let findings = examine(&user("enough")).await;
    assert!(store_is_fine(&findings), "{findings:#?}");
    assert_eq!(findings[StoreCheck::SignIn as usize].result.clone().unwrap(), "signed in as enough");
    assert_problem(
        &user("keys"),
        StoreCheck::Scripts,
        "keys with the prefix `bcproxy`",
        "`ACL SETUSER keys ~bcproxy:*`",
    )
    .await;
    assert_problem(&user("commands"), StoreCheck::Scripts, "may not run hset, zadd", "commands +hset +zadd`").await;
    assert_problem(&user("scripts"), StoreCheck::Scripts, "may not run scripts", "+evalsha +script|load").await;
    for (name, rules) in [("channels", "+subscribe +unsubscribe &bcproxy:*"), ("deaf", "+subscribe +unsubscribe")] {
        assert_problem(&user(name), StoreCheck::Messages, "may not subscribe to the channels", rules).await;
    }
    assert_problem(&user("silent"), StoreCheck::Messages, "may not send messages", "+publish &bcproxy:*").await;
    let findings = examine(&user("blind")).await;
    let policy = findings[StoreCheck::MemoryPolicy as usize].result.clone().unwrap_err();
    assert!(policy.fix.contains("`+info`"), "{policy:?}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_store_slower_than_the_timeout_is_named() {
    let server = TestServer::start();
    let slow = SharedLimits { timeout: Duration::from_nanos(1), ..server.settings() };
    assert_problem(&slow, StoreCheck::ResponseTime, "longer than `timeout`", "raise `timeout`").await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn tls_needs_a_trusted_certificate_for_the_name() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let days = time::Duration::days(30);
    let names = ["localhost".to_owned()];
    let authority = CertificateAuthority::new("Test", &names, days).unwrap();
    let issued = authority.issue(names.to_vec(), days).unwrap();
    write("ca.pem", authority.certificate());
    write("cert.pem", &issued.certificate);
    write("key.pem", &issued.private_key);
    let arguments = ["--port", "0", "--tls-port", "%", "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem"];
    let server = TestServer::start_in(
        folder,
        &[&arguments[..], &["--tls-ca-cert-file", "ca.pem", "--tls-auth-clients", "no"]].concat(),
    );
    let at = |host: &str, has_ca_file: bool| {
        let ca_file = has_ca_file.then(|| server.folder().join("ca.pem"));
        SharedLimits { ca_file, ..settings(&format!("rediss://{host}:{}", server.port())) }
    };
    let findings = examine(&at("localhost", true)).await;
    assert!(store_is_fine(&findings), "{findings:#?}");
    assert_problem(&at("localhost", false), StoreCheck::Tls, "does not trust the certificate", "`ca_file`").await;
    assert_problem(&at("127.0.0.1", true), StoreCheck::Tls, "for another name", "a name in `url`").await;
    let missing = SharedLimits { ca_file: Some("missing.pem".into()), ..at("localhost", true) };
    assert_problem(&missing, StoreCheck::Tls, "missing.pem", "`ca_file`").await;
    assert_problem(&server.settings(), StoreCheck::SignIn, "connection broke", "rediss:// address").await;
    let plain = TestServer::start();
    let encrypted = settings(&format!("rediss://127.0.0.1:{}", plain.port()));
    assert_problem(&encrypted, StoreCheck::Tls, "TLS handshake", "redis:// address").await;
}
