//! `bcproxy setup` asks who may call, over which protocol and where: what it writes serves at once.

use std::net::SocketAddr;
use std::path::Path;

use bcproxy::simulator::Settings;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::process::Process;
use crate::setup::{complete_options, nothing, setup};
use crate::wire::Wire;

/// Calls an HTTPS listener by this name, as a client that trusts the authority that setup made.
async fn status_over_https(address: SocketAddr, folder: &Path, host: &str) -> u16 {
    let mut roots = rustls::RootCertStore::empty();
    let authority = std::fs::read(folder.join("bcproxy-ca.crt")).unwrap();
    roots.add(CertificateDer::from_pem_slice(&authority).unwrap()).unwrap();
    let tls = rustls::ClientConfig::builder_with_provider(bcproxy::tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut client = Wire::connect_tls(address, tls).await.unwrap();
    client.send(&format!("GET /api/customers?$top=1 HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
    client.response().await.0.status().as_u16()
}

/// Runs `bcproxy check` and then bcproxy itself; the first address that it listens on comes back.
async fn serve(folder: &Path) -> (Process, SocketAddr) {
    let checked = Process::start(&["check"], folder).end().await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let file = folder.join("proxy.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + "admin: off\n").unwrap();
    let mut process = Process::run(&file);
    let address = process.address().await;
    (process, address)
}

#[tokio::test]
async fn options_for_clients_make_a_file_that_serves_https_at_once() {
    let (simulator, folder) = nothing(Settings::default()).await;
    let options = [
        &complete_options(&simulator, folder.path())[..],
        &["--allow-from", "10.20.30.40/24,192.0.2.7", "--https", "--host", "oldserver,erp-gw.contoso.local"],
        &["--client-secret-expires", "2099-05-01"],
    ]
    .concat();
    let ended = setup(&simulator, folder.path(), &options).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in
        ["update-ca-certificates", "certutil -addstore", "curl --cacert bcproxy-ca.crt https://127.0.0.1:0/api/"]
    {
        assert!(ended.output.contains(part), "{part}: {ended:?}");
    }
    let text = std::fs::read_to_string(folder.path().join("proxy.yaml")).unwrap();
    for part in [
        "listen: { address: \"127.0.0.1:0\", tls: { certificate: \"server.pem\", private_key: \"server-key.pem\" } }",
        "  allow_from: [\"127.0.0.1\", \"::1\", \"10.20.30.0/24\", \"192.0.2.7/32\"]",
        "  hosts: [\"oldserver\", \"erp-gw.contoso.local\"]",
        ", expires: 2099-05-01 }",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (_process, address) = serve(folder.path()).await;
    for host in ["localhost", "oldserver", "erp-gw.contoso.local", "10.20.30.40"] {
        assert_eq!(status_over_https(address, folder.path(), host).await, 200, "{host}");
    }
    assert_eq!(status_over_https(address, folder.path(), "elsewhere").await, 421);
}

#[tokio::test]
async fn without_an_option_for_clients_only_this_machine_may_call() {
    let (simulator, folder) = nothing(Settings::default()).await;
    let ended = setup(&simulator, folder.path(), &complete_options(&simulator, folder.path())).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let text = std::fs::read_to_string(folder.path().join("proxy.yaml")).unwrap();
    assert!(text.contains("listen: \"127.0.0.1:0\"") && !text.contains("access:") && !text.contains("tls"), "{text}");
}

#[tokio::test]
async fn a_certificate_that_exists_is_used_if_it_is_whole() {
    let (simulator, folder) = nothing(Settings::default()).await;
    let options = [&complete_options(&simulator, folder.path())[..], &["--https"]].concat();
    let made = Process::start(&["certificate", "localhost"], folder.path()).end().await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let before = std::fs::read(folder.path().join("server.pem")).unwrap();
    let ended = setup(&simulator, folder.path(), &options).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.output.contains("Uses the existing certificate server.pem"), "{ended:?}");
    assert_eq!(std::fs::read(folder.path().join("server.pem")).unwrap(), before);

    std::fs::remove_file(folder.path().join("server-key.pem")).unwrap();
    let ended = setup(&simulator, folder.path(), &[&options[..], &["--overwrite"]].concat()).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.errors.contains("server-key.pem") && ended.errors.contains("Move both files away"), "{ended:?}");
}

#[cfg(unix)]
mod on_a_terminal {
    use std::net::TcpListener;

    use super::*;
    use crate::dialog::{DOWN, UP, talk};

    #[tokio::test(flavor = "multi_thread")]
    async fn setup_leads_to_https_for_other_machines() {
        let (simulator, folder) = nothing(Settings::default()).await;
        let used = TcpListener::bind("127.0.0.1:0").unwrap();
        let occupied = used.local_addr().unwrap().to_string();
        let shown = talk(&simulator, folder.path(), &[], move |dialog, simulator| {
            dialog.connect(simulator.settings());
            dialog.see("programs on this machine only");
            dialog.say("this machine and other networks", UP);
            dialog.say("Networks, such as 192.168.1.0/24:", "contoso");
            dialog.see("contoso: write a network such as");
            dialog.say("Networks, such as 192.168.1.0/24:", "10.20.30.40/24, 127.0.0.0/8");
            dialog.see("Clients can call this machine by its IP addresses");
            dialog.say("Other names (empty: none):", "http://oldserver");
            dialog.see("write the name only");
            dialog.say("Other names (empty: none):", "oldserver");
            dialog.say("HTTPS", DOWN);
            dialog.see("The certificate will be for oldserver, ");
            dialog.see("port 7047 for SOAP and port 7048 for OData");
            dialog.see("7047 and 7048, as on an on-premises server");
            dialog.say("others", UP);
            dialog.say("Ports, or addresses with ports", "8081");
            dialog.see("the address of bcproxy's status page");
            dialog.say("others", UP);
            dialog.say("Ports, or addresses with ports", &occupied);
            dialog.see("is in use");
            dialog.say("Use it all the same?", "n");
            dialog.say("others", UP);
            dialog.say("Ports, or addresses with ports", "127.0.0.1:0 127.0.0.1:0");
        })
        .await;
        for part in ["Wrote proxy.yaml", "Make the clients' machines trust bcproxy-ca.crt", "Next:"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let text = std::fs::read_to_string(folder.path().join("proxy.yaml")).unwrap();
        assert!(text.contains("allow_from: [\"127.0.0.1\", \"::1\", \"10.20.30.0/24\", \"127.0.0.0/8\"]"), "{text}");
        assert!(text.contains("listen:\n  - { address: \"127.0.0.1:0\", tls: "), "{text}");
        let (_process, address) = serve(folder.path()).await;
        assert_eq!(status_over_https(address, folder.path(), "oldserver").await, 200);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_broken_certificate_leads_back_to_the_question() {
        let (simulator, folder) = nothing(Settings::default()).await;
        std::fs::write(folder.path().join("server.pem"), "no certificate").unwrap();
        let shown =
            talk(&simulator, folder.path(), &["--listen", "127.0.0.1:0", "--https"], move |dialog, simulator| {
                dialog.connect(simulator.settings());
                dialog.see("Move both files away");
                dialog.say("HTTPS", "");
            })
            .await;
        assert!(shown.contains("Wrote proxy.yaml"));
    }
}
