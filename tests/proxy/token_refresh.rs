//! A token is replaced before it ends, and an Entra that is away for a while goes unnoticed. The clock is held: the
//! tests turn it.

use std::collections::BTreeSet;
use std::time::Duration;

use bcproxy::simulator::{Fault, Latch, Times};
use hyper::StatusCode;

use crate::rig::{HeldClock, Plan, Rig, within};

fn tokens_seen(rig: &Rig) -> usize {
    let received = rig.received();
    received.iter().map(|received| received.headers["authorization"].as_bytes()).collect::<BTreeSet<_>>().len()
}

#[tokio::test]
async fn a_short_lived_token_is_replaced_ahead_of_its_end_without_a_failed_request() {
    let clock = HeldClock::new();
    let rig = Plan::default().settings(|settings| settings.token_lifetime = Duration::from_secs(5)).start().await;
    assert_eq!(rig.get("/api/customers?$top=1").await.status, 200);
    for generation in 2..=20 {
        // At the latest at 7/10 of the lifetime; the token in use is good for 2/10 more.
        clock.advance(Duration::from_millis(3_500)).await;
        assert_eq!(rig.get("/api/customers?$top=1").await.status, 200);
        within(rig.simulator.entra().wait_for_token_requests(generation as u64)).await;
        while tokens_seen(&rig) < generation {
            assert_eq!(rig.get("/api/customers?$top=1").await.status, 200);
        }
    }
    let statuses = rig.received().into_iter().map(|received| received.status.unwrap());
    assert!(statuses.into_iter().all(|status| status == 200), "no token was used past its end");
    assert_eq!(rig.simulator.token_requests(), 20);
}

#[tokio::test]
async fn a_token_is_refreshed_soon_after_entra_wants_it() {
    let clock = HeldClock::new();
    let plan = Plan::default().settings(|settings| {
        settings.token_lifetime = Duration::from_secs(86_400);
        settings.token_refresh_in = Some(Duration::from_secs(43_200));
    });
    let rig = plan.start().await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    clock.advance(Duration::from_secs(43_199)).await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    assert_eq!(rig.simulator.token_requests(), 1);
    // Not all connectors at the same moment: within a tenth of what is left of its life.
    clock.advance(Duration::from_secs(1 + 4320)).await;
    within(rig.simulator.entra().wait_for_token_requests(2)).await;
}

#[tokio::test]
async fn requests_go_on_with_the_old_token_while_entra_thinks() {
    let clock = HeldClock::new();
    let rig = Plan::default().settings(|settings| settings.token_lifetime = Duration::from_secs(1000)).start().await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    let latch = Latch::closed();
    rig.simulator.entra().fail(Fault::Held(latch.clone()), Times::Always);
    clock.advance(Duration::from_secs(700)).await;
    within(rig.simulator.entra().wait_for_token_requests(2)).await;
    for _ in 0..20 {
        assert_eq!(rig.get("/api/customers").await.status, 200);
    }
    assert_eq!((rig.simulator.token_requests(), tokens_seen(&rig)), (2, 1));
    latch.open();
}

#[tokio::test]
async fn an_outage_of_entra_goes_unnoticed_until_the_token_ends_and_is_over_when_entra_is_back() {
    let clock = HeldClock::new();
    let plan = Plan::default().impatient().settings(|settings| settings.token_lifetime = Duration::from_secs(1000));
    let rig = plan.start().await;
    let entra = rig.simulator.entra();
    assert_eq!(rig.get("/api/customers").await.status, 200);
    entra.fail(Fault::unavailable(None), Times::Always);

    clock.advance(Duration::from_secs(700)).await;
    within(entra.wait_for_token_requests(2)).await;
    for elapsed in (700..960).step_by(20) {
        assert_eq!(rig.get("/api/customers").await.status, 200, "after {elapsed} s of 1000");
        clock.advance(Duration::from_secs(20)).await;
    }
    clock.advance(Duration::from_secs(40)).await;
    let ended = rig.get("/api/customers").await;
    assert_eq!(ended.rejection().code, "Proxy_NoToken");

    // What ended there may have been cut short by the clock; the next attempt is not.
    clock.advance(Duration::from_secs(ended.retry_after())).await;
    let response = rig.get("/api/customers").await;
    let rejection = response.rejection();
    assert_eq!((rejection.status, rejection.code.as_str()), (503, "Proxy_NoToken"));
    assert!(rejection.message.contains("temporarily_unavailable, AADSTS90033"), "{}", rejection.message);
    // The longest pause is 10 s, give or take a quarter.
    assert!((1..=13).contains(&response.retry_after()));

    entra.recover();
    clock.advance(Duration::from_secs(response.retry_after())).await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    assert_eq!(tokens_seen(&rig), 2);
}

#[tokio::test]
async fn ten_minutes_of_known_error_at_entra_go_unnoticed_and_cost_few_attempts() {
    let retry_after = Fault::Error {
        status: StatusCode::TOO_MANY_REQUESTS,
        error: "temporarily_unavailable".to_owned(),
        code: 90055,
        retry_after: Some(60),
    };
    // As often as asked for; then at most once in 45 s, which is reached after some quick attempts; and a held one
    // takes 10 s more.
    let clock = HeldClock::new();
    for (what, fault, most) in [
        ("429 with Retry-After", retry_after, 600 / 60 + 1),
        ("500", Fault::aadsts(50000), 8 + 600 / 45),
        ("time-outs", Fault::Held(Latch::closed()), 8 + 600 / 45),
    ] {
        let rig =
            Plan::default().settings(|settings| settings.token_lifetime = Duration::from_secs(3600)).start().await;
        let entra = rig.simulator.entra();
        assert_eq!(rig.get("/api/customers?$top=1").await.status, 200);
        entra.fail(fault, Times::Always);
        clock.advance(Duration::from_secs(3600 * 7 / 10)).await;
        within(entra.wait_for_token_requests(2)).await;
        for elapsed in (0..600).step_by(5) {
            assert_eq!(rig.get("/api/customers?$top=1").await.status, 200, "{what} after {elapsed} s");
            clock.advance(Duration::from_secs(5)).await;
        }
        let attempts = rig.simulator.token_requests() - 1;
        assert!((5..=most).contains(&attempts), "{what}: {attempts} attempts in ten minutes");
        entra.recover();
        // One that is under way may still fail, and the pause after it begins only then.
        let mut steps = 0;
        while tokens_seen(&rig) < 2 {
            assert!(steps < 60, "{what}: no new token five minutes after Entra is well again");
            steps += 1;
            clock.advance(Duration::from_secs(5)).await;
            // Time for the network, which goes on whatever the clock says.
            for _ in 0..20 {
                assert_eq!(rig.get("/api/customers?$top=1").await.status, 200);
            }
        }
    }
}
