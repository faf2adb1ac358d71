//! Credentials are changed while programs work, and nobody notices; a thousand connectors start, and Entra hardly does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bcproxy::simulator::Simulator;
use futures_util::future::join_all;
use uuid::Uuid;

use crate::certificates::Key;
use crate::rig::{HeldClock, Plan, Rig, within};

/// Clients that ask all the time until they are stopped; how often they did, all with success.
async fn work_while(rig: &Arc<Rig>, change: impl AsyncFnOnce()) -> usize {
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (rig, stop) = (rig.clone(), stop.clone());
            tokio::spawn(async move {
                let mut answered = 0;
                while !stop.load(Ordering::Relaxed) {
                    let response = rig.get("/api/customers?$top=1").await;
                    assert_eq!(response.status, 200, "{}", response.text());
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    change().await;
    stop.store(true, Ordering::Relaxed);
    join_all(clients).await.into_iter().map(|answered| answered.unwrap()).sum()
}

/// Has tokens renewed under load three times: as before, between the change at Entra and that of the file, and after
/// both.
async fn rotate(rig: Rig, at_entra: impl FnOnce(&Simulator), in_the_folder: impl FnOnce(&Rig)) {
    let clock = HeldClock::new();
    let rig = Arc::new(rig);
    assert_eq!(rig.get("/api/customers?$top=1").await.status, 200);
    let entra = rig.simulator.entra();
    // In steps that no request under way takes for a time-out.
    let most_of_its_life = async || {
        for _ in 0..70 {
            clock.advance(Duration::from_secs(10)).await;
            assert_eq!(rig.get("/api/customers?$top=1").await.status, 200);
        }
    };
    // An attempt is seen when it arrives; until the proxy has learnt what came of it, a turn of the clock moves
    // nothing.
    let until_asked = async |times: u64| {
        for _ in 0..100 {
            if entra.token_requests() >= times {
                return;
            }
            clock.advance(Duration::from_secs(1)).await;
            assert_eq!(rig.get("/api/customers?$top=1").await.status, 200);
        }
        panic!("Entra was not asked {times} times");
    };
    let answered = work_while(&rig, async || {
        most_of_its_life().await;
        until_asked(2).await;
        at_entra(&rig.simulator);
        // The old one works no more, and the renewal fails; the token in use is good for a while.
        most_of_its_life().await;
        until_asked(3).await;
        in_the_folder(&rig);
        let rejected = entra.token_requests();
        until_asked(rejected + 1).await;
        let renewed = entra.token_requests();
        most_of_its_life().await;
        until_asked(renewed + 1).await;
    })
    .await;
    assert!(answered > 50, "{answered}");
}

fn plan() -> Plan {
    // The clock is turned while Entra is being asked: that is no time-out either.
    let plan = Plan::default().connector("timeouts: { token: 10m }");
    plan.settings(|settings| settings.token_lifetime = Duration::from_secs(1000))
}

#[tokio::test]
async fn a_secret_is_changed_under_load_without_a_failed_request() {
    let change = |simulator: &Simulator| simulator.entra().replace_secrets(simulator.settings().client_id, "new");
    let write = |rig: &Rig| std::fs::write(rig.folder.path().join("secret.txt"), "new\n").unwrap();
    rotate(plan().start().await, change, write).await;
}

#[tokio::test]
async fn a_certificate_is_changed_under_load_without_a_failed_request() {
    let certificate = "client_certificate: { certificate: app.pem, private_key: app.key }";
    let prepared = plan().connector("client_secret: -").connector(certificate).prepare().await;
    let client_id = prepared.simulator.settings().client_id;
    let (old, new) = (Key::First.certificate(-1, 300), Key::Second.certificate(-1, 300));
    std::fs::write(prepared.folder.path().join("app.pem"), &old).unwrap();
    std::fs::write(prepared.folder.path().join("app.key"), Key::First.pkcs8()).unwrap();
    prepared.simulator.entra().add_certificate(client_id, &old);
    let change = |simulator: &Simulator| {
        simulator.entra().remove_certificates(client_id);
        simulator.entra().add_certificate(client_id, &new);
    };
    let write = |rig: &Rig| {
        std::fs::write(rig.folder.path().join("app.key"), Key::Second.pkcs8()).unwrap();
        std::fs::write(rig.folder.path().join("app.pem"), &new).unwrap();
    };
    rotate(prepared.start().await, change, write).await;
}

#[tokio::test]
async fn a_thousand_connectors_get_their_tokens_one_after_the_other_and_one_wrong_secret_harms_no_other() {
    let client = |number: u128| Uuid::from_u128(0x1000_0000 + number);
    let mut plan = Plan::default();
    let mut routes = String::from("routes:\n");
    for number in 1..1000 {
        let name = format!("c{number}");
        plan = plan.another_connector(&name, &[&format!("client_id: {}", client(number)), "company: -"]);
        routes += &format!("  - {{ path: /{name}, connector: {name}, to: api/v2.0 }}\n");
    }
    let rig = plan.top(&routes).start_after(|simulator| {
        // The last one's secret is another.
        for number in 1..999 {
            simulator.entra().add_secret(client(number), &simulator.settings().client_secret);
        }
        simulator.entra().add_secret(client(999), "another");
    });
    let rig = rig.await;
    within(rig.simulator.entra().wait_for_token_requests(1000)).await;
    let ready = join_all(rig.proxy.connectors().iter().map(|connector| connector.ready())).await;
    assert_eq!(ready.iter().filter(|token| token.is_ok()).count(), 999);
    assert!(ready[999].as_ref().unwrap_err().message.contains("AADSTS7000215"));
    let most = rig.simulator.entra().peak_token_requests();
    assert!(most <= 16, "{most} token requests at the same time");
    assert_eq!(rig.get("/c998/companies").await.status, 200);
    assert_eq!(rig.get("/c999/companies").await.status, 503);
    // Simulator included.
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().trim();
        println!("1,000 connectors: {resident} resident, {most} token requests at once at most");
    }
}
