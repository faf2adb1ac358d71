//! `bcproxy check` checks certificates and keys of HTTPS listeners, without a network and without showing a key.

use std::path::Path;

use bcproxy::config::Config;
use bcproxy::tls::CertificateAuthority;
use time::Duration;

const CONNECTOR: &str = "\
connectors:
  cronus:
    tenant_id: contoso.onmicrosoft.com
    client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
    client_secret: { env: PATH }
    company: C
";

/// The errors, or else the warnings, of a file with this listener.
fn check(folder: &Path, certificate: &str, private_key: &str) -> String {
    let tls = format!("tls: {{ certificate: {certificate}, private_key: {private_key} }}");
    let path = folder.join("proxy.yaml");
    std::fs::write(&path, format!("{CONNECTOR}listen: {{ address: 127.0.0.1:8443, {tls} }}\n")).unwrap();
    match Config::load(&path) {
        Ok(loaded) => loaded.warnings.to_string(),
        Err(mistakes) => mistakes.to_string(),
    }
}

const CERTIFICATE: &str = "certificate";
const KEY: &str = "private_key";

#[test]
fn a_certificate_and_its_key_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // So that nobody else reads the key.
    #[cfg(unix)]
    std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let authority = CertificateAuthority::new("CA", &["localhost".to_owned()], Duration::days(3000)).unwrap();
    let certify = |days: i64| authority.issue(vec!["localhost".to_owned()], Duration::days(days)).unwrap();
    let (server, other) = (certify(800), certify(800));
    write("server.pem", &server.certificate);
    write("key.pem", &server.private_key);
    write("other-key.pem", &other.private_key);
    write("chain.pem", &format!("{}{}", server.certificate, authority.certificate()));
    write("wrong-order.pem", &format!("{}{}", authority.certificate(), server.certificate));
    write("both.pem", &format!("{}{}", *server.private_key, server.certificate));
    write("marked.pem", &format!("\u{feff}{}", server.certificate));
    write("marked-key.pem", &format!("\u{feff}{}", server.private_key.replace('\n', "\r\n")));
    let utf16 = |text: &str| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    std::fs::write(folder.join("utf16.pem"), utf16(&server.certificate)).unwrap();
    std::fs::write(folder.join("utf16-key.pem"), utf16(&server.private_key)).unwrap();
    for (certificate, key) in [
        ("utf16.pem", "utf16-key.pem"),
        ("server.pem", "key.pem"),
        ("chain.pem", "key.pem"),
        ("both.pem", "both.pem"),
        ("marked.pem", "marked-key.pem"),
    ] {
        assert_eq!(check(folder, certificate, key), "", "{certificate} {key}");
    }

    write("empty.pem", "");
    std::fs::write(folder.join("server.der"), [0x30, 0x82, 1, 2, 3]).unwrap();
    write("cut.pem", server.certificate.split_at(300).0);
    write("no-certificate.pem", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n");
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\naGVsbG8=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    write("encrypted.pem", encrypted);
    write(
        "old-encrypted.pem",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\naGVsbG8=\n-----END RSA PRIVATE KEY-----\n",
    );
    write("no-key.pem", "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n");
    let soon = certify(20);
    write("soon.pem", &soon.certificate);
    write("soon-key.pem", &soon.private_key);
    let past = certify(0);
    write("past.pem", &past.certificate);
    write("past-key.pem", &past.private_key);
    for (certificate, key, location, what, fix) in [
        ("none.pem", "key.pem", CERTIFICATE, "it does not exist", "name the right file"),
        (".", "key.pem", CERTIFICATE, "it is a folder", "name the right file"),
        ("server.pem", "none.pem", KEY, "it does not exist", "name the right file"),
        ("empty.pem", "key.pem", CERTIFICATE, "holds no certificate in PEM form", "openssl x509 -inform der"),
        ("server.der", "key.pem", CERTIFICATE, "is a PKCS#12 or DER file", "openssl pkcs12"),
        ("key.pem", "key.pem", CERTIFICATE, "holds no certificate", "openssl"),
        ("cut.pem", "key.pem", CERTIFICATE, "damaged certificate", "openssl"),
        ("no-certificate.pem", "key.pem", CERTIFICATE, "damaged certificate", "openssl"),
        ("server.pem", "server.pem", KEY, "holds no private key", "-nodes"),
        ("server.pem", "encrypted.pem", KEY, "encrypted with a password", "openssl pkey"),
        ("server.pem", "old-encrypted.pem", KEY, "encrypted with a password", "openssl pkey"),
        ("server.pem", "no-key.pem", KEY, "a private key of an unsupported kind", "RSA key of 2048 bits"),
        ("server.pem", "other-key.pem", KEY, "private key of another certificate", "created with this certificate"),
        (
            "wrong-order.pem",
            "key.pem",
            CERTIFICATE,
            "certificate of an authority",
            "put the server's certificate first",
        ),
        ("soon.pem", "soon-key.pem", CERTIFICATE, "this certificate expires on 20", "renew it"),
        ("past.pem", "past-key.pem", CERTIFICATE, "this certificate has expired on 20", "without a restart"),
    ] {
        let found = check(folder, certificate, key);
        assert!(found.contains(what) && found.contains(fix), "{certificate} {key}:\n{found}");
        let column = 56 + if location == KEY { certificate.len() + ", private_key: ".len() } else { 0 };
        assert!(
            found.contains(&format!(
                "proxy.yaml:7:{column}
"
            )),
            "{column} in
{found}"
        );
        assert!(!server.private_key.lines().nth(1).is_some_and(|line| found.contains(line)), "{found}");
    }
}
