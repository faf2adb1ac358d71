//! `bcproxy setup` on a terminal: what it asks about the connection, and what comes of the answers.

use std::os::unix::fs::PermissionsExt;

use bcproxy::simulator::{Breakage, Settings};
use hyper::Method;

use crate::certificates::Key;
use crate::credentials::demand_claims;
use crate::dialog::{DOWN, UP, talk};
use crate::process::Process;
use crate::rig;
use crate::setup::nothing;

const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// From nothing to a proxy that answers, with every answer wrong once.
#[tokio::test(flavor = "multi_thread")]
async fn setup_leads_from_nothing_to_a_proxy_that_responds() {
    let settings = Settings { broken: Some(Breakage::Consent), ..Settings::default() };
    let (simulator, folder) = nothing(settings).await;
    let shown = talk(&simulator, folder.path(), &LISTEN, |dialog, simulator| {
        let settings = simulator.settings();
        dialog.see("New registration.");
        dialog.say("Directory (tenant) ID or domain:", "contoso.onmicrosoft.com");
        dialog.say("AADSTS90002", "");
        // The question was asked again before it was answered.
        dialog.say("Directory (tenant) ID or domain:", &settings.tenant_id.to_string());
        dialog.see("Do not use the Object ID");
        dialog.say("Application (client) ID:", "00000000-0000-0000-0000-000000000001");
        dialog.say("Application (client) ID:", &settings.client_id.to_string());
        // The first of the list.
        dialog.say("a certificate (PEM files)", "");
        dialog.see("New client secret. Click Add.");
        for (wrong, mistake) in [
            ("", "Nothing was pasted"),
            ("00000000-0000-0000-0000-000000000002", "This is the Secret ID"),
            ("\"simulator~secret-value\"", "quotation marks around the secret"),
            (" simulator~secret-value", "a blank before, after or inside"),
            ("sim******************", "the masked value"),
            ("wrong~secret", "AADSTS7000215"),
        ] {
            dialog.say_secret(wrong);
            dialog.see(mistake);
        }
        dialog.see("It has 12 characters, but Entra's secrets have about 40.");
        dialog.say_secret(&settings.client_secret);
        dialog.see("The column Expires beside the secret");
        dialog.say("Day on which the secret expires", "next year");
        dialog.see("write the day as year, month and day");
        dialog.say("Day on which the secret expires", "2020-05-01");
        dialog.see("2020-05-01 is not in the future");
        dialog.say("Day on which the secret expires", "2099-05-01");
        dialog.see("Click Grant admin consent for");
        dialog.see("/adminconsent?client_id=");
        dialog.see("Waiting for consent");
        simulator.entra().set_roles(&["API.ReadWrite.All"]);
        // A typed secret serves for a second token, too.
        demand_claims(simulator, "/companies");
        dialog.see("https://businesscentral.dynamics.com/admin");
        dialog.say("Environment [Production]:", "Sandbox");
        dialog.say("Environment [Production]:", "");
        dialog.see("The list shows the column Name of the page Companies");
        // The first of the list.
        dialog.say("clients name the company in each request", "");
        dialog.see("It works");
        dialog.say("HTTPS", "");
    })
    .await;
    let secret = &simulator.settings().client_secret;
    assert!(!shown.contains(secret), "{shown}");
    assert!(shown.contains("Wrote proxy.yaml") && shown.contains("bcproxy doctor"), "{shown}");
    // The period of the name is that of the sentence.
    assert!(shown.contains("of CRONUS International Ltd.") && !shown.contains("Ltd.."), "{shown}");

    let retained = folder.path().join("client-secret.txt");
    assert_eq!(&std::fs::read_to_string(&retained).unwrap(), secret);
    assert_eq!(retained.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let file = folder.path().join("proxy.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(secret), "{text}");
    assert!(text.contains("client_secret: { file: \"client-secret.txt\", expires: 2099-05-01 }"), "{text}");
    assert_eq!(Process::start(&["check"], folder.path()).end().await.code, Some(0));
    std::fs::write(&file, text + "admin: off\n").unwrap();
    let mut process = Process::run(&file);
    let address = process.address().await;
    let response = rig::send(address, Method::GET, "/api/customers?$top=1", &[], "").await;
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(response.text().contains("CRONUS International Ltd."), "{}", response.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_says_what_to_click_where_business_central_lacks_something() {
    for (broken, clicks) in [
        (Breakage::Card, ["search (Alt+Q) for Microsoft Entra Applications", "The card's client ID"]),
        (Breakage::Permission, ["under User Permission Sets, add", "Wait for the permission set?"]),
    ] {
        let (simulator, folder) = nothing(Settings { broken: Some(broken), ..Settings::default() }).await;
        let shown = talk(&simulator, folder.path(), &LISTEN, move |dialog, simulator| {
            let settings = simulator.settings();
            dialog.sign_in(settings);
            if broken == Breakage::Permission {
                dialog.say("(none: clients name the company in each request)", "");
            }
            clicks.into_iter().for_each(|part| dialog.see(part));
            dialog.press_ctrl_c();
        })
        .await;
        assert!(shown.trim_end().ends_with("Stopped. Nothing was written."), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_asks_for_a_certificate_until_it_is_a_good_one() {
    let (simulator, folder) = nothing(Settings::default()).await;
    let certificate = Key::First.certificate(-1, 300);
    simulator.entra().add_certificate(simulator.settings().client_id, &certificate);
    std::fs::write(folder.path().join("both.pem"), certificate.clone() + &Key::First.pkcs8()).unwrap();
    std::fs::write(folder.path().join("alone.pem"), certificate).unwrap();
    let told = talk(&simulator, folder.path(), &LISTEN, move |dialog, simulator| {
        let settings = simulator.settings();
        dialog.identify(settings);
        dialog.say("a certificate (PEM files)", DOWN);
        dialog.see("Upload certificate");
        dialog.say("Certificate file", "alone.pem");
        dialog.say("Private key file", "");
        dialog.say("holds no private key", "");
        // The question was asked again before it was answered.
        dialog.say("Certificate file", "both.pem");
        dialog.say("Private key file", "");
        dialog.see("Entra accepted the credential");
        dialog.say("Environment [Production]:", "");
        dialog.say("clients name the company in each request", UP);
        dialog.say("HTTPS", "");
    })
    .await;
    assert!(told.contains("Next:"));
    let written = std::fs::read_to_string(folder.path().join("proxy.yaml")).unwrap();
    assert!(written.contains("/both.pem\" }") && written.contains("# company: clients name it"), "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_it_at_any_question() {
    let (simulator, folder) = nothing(Settings::default()).await;
    let told = talk(&simulator, folder.path(), &[], move |dialog, simulator| {
        dialog.connect(simulator.settings());
        dialog.see("this machine and other networks");
        dialog.press_ctrl_c();
    })
    .await;
    assert!(told.contains("It works") && told.trim_end().ends_with("Stopped. Nothing was written."), "{told}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the CA alone");
}
