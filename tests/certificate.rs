//! `bcproxy certificate`: from nothing to a listener that a program trusts, and nothing that is there is lost.

#[path = "common/process.rs"]
mod process;
#[path = "common/rig.rs"]
mod rig;
#[path = "common/wire.rs"]
mod wire;

use std::path::Path;
use std::process::Output;

use bcproxy::tls::{CertificateAuthority, ServerCertificate, host_names_of};
use process::{Ended, Process};
use rig::{Plan, Prepared, within};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use tokio::process::Command;
use wire::Wire;

const FILES: [&str; 4] = ["bcproxy-ca.crt", "bcproxy-ca-key.pem", "server.pem", "server-key.pem"];

async fn run(folder: &Path, arguments: &[&str]) -> Ended {
    let arguments: Vec<&str> = [&["certificate"], arguments].concat();
    Process::start(&arguments, folder).end().await
}

async fn made(folder: &Path, arguments: &[&str]) -> String {
    let ended = run(folder, arguments).await;
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    ended.output
}

async fn rejected(folder: &Path, arguments: &[&str], code: i32) -> String {
    let before = contents(folder);
    let ended = run(folder, arguments).await;
    assert_eq!(ended.code, Some(code), "{}", ended.output);
    assert!(contents(folder) == before, "a refusal changes nothing");
    ended.errors
}

#[cfg(unix)]
fn mode_of(file: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).unwrap().permissions().mode() & 0o777
}

fn contents(folder: &Path) -> Vec<Option<Vec<u8>>> {
    FILES.iter().map(|name| std::fs::read(folder.join(name)).ok()).collect()
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

/// A proxy whose `listen` is what the command said, but for the ports.
async fn listening_as_told(output: &str) -> Prepared {
    let (_, told) = output.split_once("\nlisten:\n").unwrap();
    let (told, _) = told.split_once("\n\n").unwrap();
    let told = told.replace(":8080", ":0").replace(":8443", ":0");
    Plan::default().top(&format!("listen:\n{told}")).prepare().await
}

#[tokio::test]
async fn what_it_makes_and_says_is_all_a_listener_needs() {
    let folder = tempfile::tempdir().unwrap();
    let output = made(folder.path(), &[]).await;
    for name in FILES {
        assert!(output.contains(name), "{output}");
    }
    #[cfg(unix)]
    assert_eq!(FILES.map(|name| mode_of(&folder.path().join(name))), [0o644, 0o600, 0o644, 0o600]);
    for step in ["certutil -addstore -f Root", "certlm.msc", "Group Policy", "update-ca-certificates", "--renew"] {
        assert!(output.contains(step), "{step} in {output}");
    }
    let names = host_names_of(&read(folder.path(), "server.pem")).unwrap();
    assert!(names.ends_with(&["localhost", "127.0.0.1", "::1"].map(str::to_owned)), "{names:?}");
    let identity =
        ServerCertificate::from_pem(&read(folder.path(), "server.pem"), &read(folder.path(), "server-key.pem"))
            .unwrap();
    let left = identity.expires - OffsetDateTime::now_utc();
    assert!(left > Duration::days(820) && left < Duration::days(825), "{left}");

    let prepared = listening_as_told(&output).await;
    for name in FILES {
        std::fs::copy(folder.path().join(name), prepared.folder.path().join(name)).unwrap();
    }
    let rig = prepared.start().await;
    let addresses = rig.proxy.addresses();
    let [plain, secured] = &addresses[..] else { panic!("{addresses:?}") };
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&read(folder.path(), "bcproxy-ca.crt")).unwrap()).unwrap();
    let tls = rustls::ClientConfig::builder_with_provider(bcproxy::tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    for mut client in [Wire::connect_tls(secured.socket, tls).await.unwrap(), Wire::connect(plain.socket).await] {
        client.send("GET /api/customers?$top=1 HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert_eq!(client.response().await.0.status(), 200);
    }
}

#[tokio::test]
async fn it_is_for_the_names_given_and_stays_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let arguments = ["ERP-GW", "erp-gw.contoso.local", "[fd00::1]", "192.168.1.20", "--output", "json"];
    let said: Value = serde_json::from_str(&made(folder, &arguments).await).unwrap();
    let names = ["erp-gw", "erp-gw.contoso.local", "fd00::1", "192.168.1.20"];
    assert_eq!(said["server"]["names"], serde_json::json!(names));
    assert_eq!(
        (&said["authority"]["new"], &said["server"]["private_key"]),
        (&Value::Bool(true), &"server-key.pem".into())
    );
    assert_eq!(host_names_of(&read(folder, "server.pem")).unwrap(), names);

    let before = contents(folder);
    let said = rejected(folder, &[], 1).await;
    assert!(said.contains("server.pem already exists") && said.contains("--renew"), "{said}");
    std::fs::remove_file(folder.join("server.pem")).unwrap();
    assert!(rejected(folder, &["a"], 1).await.contains("server-key.pem already exists"));
    std::fs::write(folder.join("server.pem"), before[2].as_ref().unwrap()).unwrap();

    let said: Value = serde_json::from_str(&made(folder, &["--renew", "--output", "json"]).await).unwrap();
    assert_eq!((&said["server"]["names"], &said["authority"]["new"]), (&serde_json::json!(names), &Value::Bool(false)));
    let after = contents(folder);
    assert!(before[..2] == after[..2] && before[2] != after[2] && before[3] != after[3]);
    ServerCertificate::from_pem(&read(folder, "server.pem"), &read(folder, "server-key.pem")).unwrap();
    assert_eq!(host_names_of(after[2].as_ref().unwrap()).unwrap(), names);
    made(folder, &["sub.erp-gw", "192.168.1.20", "--renew"]).await;
    assert_eq!(host_names_of(&read(folder, "server.pem")).unwrap(), ["sub.erp-gw", "192.168.1.20"]);
    for name in ["other", "192.168.1.21", "fd00::2", "erp-gw.contoso.local.evil.example"] {
        let said = rejected(folder, &["erp-gw", name, "--renew"], 1).await;
        assert!(said.contains(&format!("is not for all of these names: erp-gw, {name}. ")), "{said}");
    }
    // Elsewhere everything is made anew; the lines for proxy.yaml name the place.
    let elsewhere = tempfile::tempdir().unwrap();
    let said = made(folder, &["--folder", elsewhere.path().to_str().unwrap()]).await;
    assert!(said.contains(&format!("certificate: {},", elsewhere.path().join("server.pem").display())), "{said}");
    assert_ne!(read(elsewhere.path(), "bcproxy-ca.crt"), read(folder, "bcproxy-ca.crt"));
}

#[tokio::test]
async fn what_can_not_be_done_is_said_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in ["https://erp-gw", "erp-gw:8443", "", "a b", "erp..local", "größe"] {
        let said = rejected(folder, &["--", name], 2).await;
        assert!(said.contains("neither a host name nor an IP address"), "{name}: {said}");
    }
    let key = Path::new("missing").join("bcproxy-ca-key.pem");
    let said = rejected(folder, &["--folder", "missing"], 1).await;
    assert!(said.contains(&format!("Writing {} failed", key.display())), "{said}");
    made(folder, &["a"]).await;
    for (missing, there) in [("bcproxy-ca-key.pem", "bcproxy-ca.crt"), ("bcproxy-ca.crt", "bcproxy-ca-key.pem")] {
        let retained = read(folder, missing);
        std::fs::remove_file(folder.join(missing)).unwrap();
        let said = rejected(folder, &["--renew"], 1).await;
        assert!(said.starts_with(&format!("{there} exists, but {missing} is missing. Restore it")), "{said}");
        std::fs::write(folder.join(missing), retained).unwrap();
    }
    let other = CertificateAuthority::new("other", &["a".to_owned()], Duration::days(10)).unwrap();
    let (certificate, key) = (read(folder, "bcproxy-ca.crt"), read(folder, "bcproxy-ca-key.pem"));
    std::fs::write(folder.join("bcproxy-ca-key.pem"), other.private_key().as_bytes()).unwrap();
    assert!(rejected(folder, &["--renew"], 1).await.contains("does not hold the authority's private key"));
    // A server's certificate vouches for nobody.
    std::fs::write(folder.join("bcproxy-ca.crt"), read(folder, "server.pem")).unwrap();
    std::fs::write(folder.join("bcproxy-ca-key.pem"), read(folder, "server-key.pem")).unwrap();
    assert!(rejected(folder, &["--renew"], 1).await.contains("holds no PEM certificate of an authority"));
    // No certificate outlives the authority.
    std::fs::write(folder.join("bcproxy-ca.crt"), other.certificate()).unwrap();
    std::fs::write(folder.join("bcproxy-ca-key.pem"), other.private_key().as_bytes()).unwrap();
    made(folder, &["--renew"]).await;
    let identity = ServerCertificate::from_pem(&read(folder, "server.pem"), &read(folder, "server-key.pem")).unwrap();
    assert!(identity.expires <= other.expires);
    let past = CertificateAuthority::new("past", &["a".to_owned()], Duration::hours(1)).unwrap();
    std::fs::write(folder.join("bcproxy-ca.crt"), past.certificate()).unwrap();
    std::fs::write(folder.join("bcproxy-ca-key.pem"), past.private_key().as_bytes()).unwrap();
    assert!(rejected(folder, &["--renew"], 1).await.contains("has expired on"));
    std::fs::write(folder.join("bcproxy-ca.crt"), certificate).unwrap();
    std::fs::write(folder.join("bcproxy-ca-key.pem"), key).unwrap();
    std::fs::write(folder.join("server.pem"), "damaged").unwrap();
    assert!(rejected(folder, &["--renew"], 1).await.contains("its host names are unknown"));
    made(folder, &["a", "--renew"]).await;
}

/// What a thief of the key could do without `bcproxy certificate`: clients judge the result.
#[test]
fn a_stolen_authority_signs_for_no_name_but_its_own() {
    let lifetime = Duration::days(30);
    let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<String>>();
    for (names, covered, others) in [
        (
            own(&["erp-gw.contoso.local", "192.168.1.20"]),
            own(&["erp-gw.contoso.local", "a.erp-gw.contoso.local", "*.erp-gw.contoso.local", "192.168.1.20"]),
            own(&["contoso.local", "bank.example", "*.contoso.local", "xerp-gw.contoso.local", "192.168.1.21", "::1"]),
        ),
        (
            own(&["*.contoso.local"]),
            own(&["*.contoso.local", "a.contoso.local"]),
            own(&["fabrikam.local", "192.0.2.1", "::1"]),
        ),
        (
            own(&["192.0.2.1", "fd00::1"]),
            own(&["192.0.2.1", "fd00::1"]),
            own(&["erp-gw", "bank.example", "192.0.2.2", "fd00::2"]),
        ),
    ] {
        let authority = CertificateAuthority::new("CA", &names, lifetime).unwrap();
        let stolen =
            CertificateAuthority::from_pem(authority.certificate().as_bytes(), authority.private_key().as_bytes());
        let stolen = stolen.unwrap();
        for name in covered {
            assert!(stolen.issue(vec![name.clone()], lifetime).unwrap().is_trusted_by(&authority), "{names:?}: {name}");
        }
        for name in others {
            let forged = stolen.issue(vec![name.clone()], lifetime).unwrap();
            assert!(!forged.is_trusted_by(&authority), "{names:?}: {name}");
        }
    }
}

async fn curl(arguments: &[&str]) -> Output {
    within(Command::new("curl").args(["-sS", "--noproxy", "*"]).args(arguments).output()).await.unwrap()
}

#[tokio::test]
#[ignore = "needs curl"]
async fn curl_trusts_it() {
    let folder = tempfile::tempdir().unwrap();
    let output = made(folder.path(), &[]).await;
    let prepared = listening_as_told(&output).await;
    for name in FILES {
        std::fs::copy(folder.path().join(name), prepared.folder.path().join(name)).unwrap();
    }
    let rig = prepared.start().await;
    let port = rig.proxy.addresses()[1].socket.port();
    let ca = folder.path().join("bcproxy-ca.crt");
    let ca = ca.to_str().unwrap();
    for name in ["localhost", "127.0.0.1"] {
        for version in
            [&["--http1.1"][..], &["--http1.0"], &["--tls-max", "1.2"], &["--http2"], &["--ntlm", "-u", "u:p"]]
        {
            let url = format!("https://{name}:{port}/api/customers?$top=1");
            let arguments =
                [&["--cacert", ca, "-o", "/dev/null", "-w", "%{http_code}", url.as_str()], version].concat();
            let output = curl(&arguments).await;
            assert!(output.status.success(), "{arguments:?}: {output:?}");
            assert_eq!(output.stdout, b"200", "{arguments:?}");
        }
    }
    let url = format!("https://localhost:{port}/api/customers");
    assert_eq!(curl(&[&url]).await.status.code(), Some(60), "without the authority");
}
