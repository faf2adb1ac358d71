//! However many need a token at once, Entra is asked once.

use std::collections::BTreeSet;

use bcproxy::simulator::{Fault, Latch, Times};
use uuid::Uuid;

use crate::rig::{HeldClock, Plan, Rig, at_once, begin_soap_call, read_to_end, send, within};

#[tokio::test]
async fn a_thousand_first_requests_cause_one_token_request_and_are_all_answered() {
    let _clock = HeldClock::new();
    let latch = Latch::closed();
    let hold = Fault::Held(latch.clone());
    let rig = Plan::default().start_after(|simulator| simulator.entra().fail(hold, Times::Always)).await;
    let address = rig.address();
    let clients = at_once(1000, move |_| begin_soap_call(address)).await;
    within(rig.simulator.entra().wait_for_token_requests(1)).await;
    assert!(rig.simulator.received().is_empty(), "nothing is sent without a token");
    latch.open();
    for mut client in clients {
        let (response, end) = read_to_end(&mut client).await;
        assert!(response.starts_with("HTTP/1.1 200 ") && end.is_ok(), "{response}");
    }
    assert_eq!(rig.simulator.token_requests(), 1);
    assert_eq!(rig.simulator.business_central().codeunit_calls("Echo"), 1000);
}

#[tokio::test]
async fn many_requests_with_a_revoked_token_cause_one_token_request_and_are_all_answered() {
    let _clock = HeldClock::new();
    let rig = Rig::new().await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    rig.simulator.revoke_tokens();
    let latch = Latch::closed();
    rig.simulator.entra().fail(Fault::Held(latch.clone()), Times::Always);

    let address = rig.address();
    let clients =
        tokio::spawn(at_once(200, move |_| send(address, hyper::Method::GET, "/api/customers?$top=1", &[], "")));
    let rejected = |received: &[&bcproxy::simulator::Received]| {
        received.iter().filter(|received| received.status == Some(hyper::StatusCode::UNAUTHORIZED)).count()
    };
    rig.wait_for(|received| rejected(received) == 200).await;
    within(rig.simulator.entra().wait_for_token_requests(2)).await;
    latch.open();
    for response in clients.await.unwrap() {
        assert_eq!(response.status, 200);
    }
    assert_eq!(rig.simulator.token_requests(), 2);
}

#[tokio::test]
async fn an_application_has_one_token_and_each_tenant_and_client_its_own() {
    let other_client = Uuid::from_u128(0xc11e47);
    let other_id = format!("client_id: {other_client}");
    let plan = Plan::default()
        .another_connector("same-application", &["company: My Company"])
        .another_connector("other-client", &[&other_id])
        .another_connector("other-tenant", &["tenant_id: cronus.onmicrosoft.com"])
        .top(
            "routes:
  - { path: /one, connector: cronus, to: api/v2.0 }
  - { path: /one-odata, connector: cronus, to: odata }
  - { path: /same, connector: same-application, to: api/v2.0 }
  - { path: /client, connector: other-client, to: api/v2.0 }
  - { path: /tenant, connector: other-tenant, to: api/v2.0 }",
        );
    let rig = plan
        .start_after(|simulator| simulator.entra().add_secret(other_client, &simulator.settings().client_secret))
        .await;
    for path in ["/one/customers", "/one-odata/Customer", "/same/customers", "/client/customers", "/tenant/customers"] {
        assert_eq!(rig.get(path).await.status, 200, "{path}");
    }
    assert_eq!(rig.simulator.token_requests(), 3);

    let received = rig.received();
    let tokens: Vec<_> = received.iter().map(|received| received.headers["authorization"].clone()).collect();
    assert!(tokens[0] == tokens[1] && tokens[1] == tokens[2]);
    assert_eq!(tokens.iter().map(|token| token.as_bytes()).collect::<BTreeSet<_>>().len(), 3);
    let applications: Vec<_> = received.iter().map(|received| received.application.unwrap()).collect();
    let own = rig.simulator.settings().client_id;
    assert_eq!(applications, [own, own, own, other_client, own]);
}
