//! A FIN may mean "I have sent everything" or "I am gone"; a reset always means the latter.

use bcproxy::simulator::{Latch, Matcher, Outcome, Script, Times};
use hyper::{Method, StatusCode};

use crate::rig::Rig;
use crate::wire::Wire;

const CUSTOMER: &str = r#"{"displayName":"Half Close Ltd."}"#;

/// The three ways a client can talk: one connection for many requests, one for each, and the old one.
const MANNERS: [&str; 3] = ["HTTP/1.1\r\nHost: erp", "HTTP/1.1\r\nHost: erp\r\nConnection: close", "HTTP/1.0"];

fn post(manner: &str) -> String {
    let length = CUSTOMER.len();
    let kind = "Content-Type: application/json";
    format!("POST /api/customers {manner}\r\n{kind}\r\nContent-Length: {length}\r\n\r\n{CUSTOMER}")
}

/// A rig whose Business Central answers after the latch is open, when the request has taken effect.
async fn holding(latch: &Latch) -> Rig {
    let rig = Rig::new().await;
    let script = Script::ordinary().hold_head(latch);
    rig.simulator.business_central().script(Matcher::any().path_ending("/customers"), Times::Always, script);
    rig
}

#[tokio::test]
async fn a_post_whose_sender_is_done_is_carried_out_once_and_answered() {
    for manner in MANNERS {
        let latch = Latch::closed();
        let rig = holding(&latch).await;
        let mut client = Wire::connect(rig.address()).await;
        client.send(post(manner)).await;
        client.finish_sending().await;
        rig.wait_for(|received| received.iter().any(|received| received.complete)).await;
        latch.open();
        let head = client.head().await;
        assert_eq!(head.status(), StatusCode::CREATED, "{manner}");
        let (body, end) = client.rest().await;
        assert!(String::from_utf8_lossy(&body).contains("Half Close Ltd."), "{manner}");
        end.unwrap();
        assert_eq!((rig.received().len(), rig.simulator.business_central().writes()), (1, 1), "{manner}");
    }
}

#[tokio::test]
async fn a_get_whose_sender_is_done_is_answered_where_nothing_more_could_follow() {
    for manner in &MANNERS[1..] {
        let latch = Latch::closed();
        let rig = holding(&latch).await;
        let mut client = Wire::connect(rig.address()).await;
        client.send(format!("GET /api/customers {manner}\r\n\r\n")).await;
        client.finish_sending().await;
        rig.wait_for(|received| !received.is_empty()).await;
        latch.open();
        assert_eq!(client.head().await.status(), StatusCode::OK, "{manner}");
        let (body, end) = client.rest().await;
        assert!(String::from_utf8_lossy(&body).contains("10000"), "{manner}");
        end.unwrap();
    }
}

#[tokio::test]
async fn a_get_ends_with_its_client() {
    for reset in [false, true] {
        let rig = holding(&Latch::closed()).await;
        let mut client = Wire::connect(rig.address()).await;
        client.send("GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n").await;
        rig.wait_for(|received| !received.is_empty()).await;
        if reset {
            client.reset()
        } else {
            drop(client)
        }
        rig.wait_for(|received| received[0].outcome == Outcome::Broken).await;
    }
}

#[tokio::test]
async fn a_post_outlives_its_client() {
    for manner in MANNERS {
        for reset in [false, true] {
            let latch = Latch::closed();
            let rig = holding(&latch).await;
            let mut client = Wire::connect(rig.address()).await;
            client.send(post(manner)).await;
            rig.wait_for(|received| received.iter().any(|received| received.complete)).await;
            if reset {
                client.reset()
            } else {
                drop(client)
            }
            // The proxy has seen the end by the time it has answered those who came later.
            for _ in 0..3 {
                assert_eq!(rig.get("/api/items").await.status, 200);
            }
            latch.open();
            rig.wait_for(|received| received[0].outcome != Outcome::Pending).await;
            assert_eq!(rig.received()[0].outcome, Outcome::Answered, "{manner}, reset: {reset}");
            let posts = rig.received().iter().filter(|received| received.method == Method::POST).count();
            assert_eq!((posts, rig.simulator.business_central().writes()), (1, 1), "{manner}, reset: {reset}");
        }
    }
}

#[tokio::test]
async fn half_a_body_reaches_nobody() {
    let rig = Rig::new().await;
    let whole = post(MANNERS[0]);
    let mut client = Wire::connect(rig.address()).await;
    client.send(&whole[..whole.len() - 1]).await;
    client.finish_sending().await;
    assert_eq!(client.head().await.status(), StatusCode::BAD_REQUEST);
    assert!(rig.received().is_empty());
}
