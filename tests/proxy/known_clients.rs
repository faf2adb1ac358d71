//! Clients that are known by name: each has its own application, data and rights.

use bcproxy::simulator::{Script, Times};
use hyper::{Method, StatusCode};
use uuid::Uuid;

use crate::rig::{ClientResponse, Plan, Rig, until};
use crate::users::{KEY, PASSWORD, basic, write_users};

const TILL: Uuid = Uuid::from_u128(0x7111);
const SCANNER: Uuid = Uuid::from_u128(0x5ca);

/// One application for all, one for `anna`, one for the holder of the key `scanner`.
async fn start(more: &str) -> Rig {
    let plan = Plan::default();
    let applications: Vec<String> = [plan.settings.client_id, TILL, SCANNER]
        .map(|client_id| format!("{{ client_id: {client_id}, client_secret: {{ file: secret.txt }} }}"))
        .to_vec();
    let prepared = plan
        .connector("client_id: -")
        .connector("client_secret: -")
        .connector(&format!("applications: [ {} ]", applications.join(", ")))
        .top(&format!(
            "users: users.txt
clients:
  till: {{ user: Anna, client_id: {TILL} }}
  scanner: {{ user: scanner, client_id: {SCANNER}, read_only: true }}
  reports: {{ address: [ 127.0.0.7 ], user_agent: Excel, read_only: true }}
routes:
  - {{ path: /api, to: api/v2.0, client_auth: [ basic, api_key ], cache: 60s }}
  - {{ path: /soap, to: soap, client_auth: [ basic, api_key ] }}
  - {{ path: /open, to: api/v2.0 }}
{more}"
        ))
        .prepare()
        .await;
    write_users(prepared.folder.path());
    let secret = prepared.simulator.settings().client_secret.clone();
    for client_id in [TILL, SCANNER] {
        prepared.simulator.entra().add_secret(client_id, &secret);
    }
    prepared.start().await
}

async fn send(rig: &Rig, method: Method, path: &str, user: &str, body: &str) -> ClientResponse {
    let authorization = basic(user, PASSWORD);
    let credentials = if user == "scanner" { ("x-api-key", KEY) } else { ("authorization", authorization.as_str()) };
    rig.send(method, path, &[credentials, ("content-type", "application/json")], body.to_owned()).await
}

fn applications(rig: &Rig) -> Vec<Uuid> {
    rig.received().iter().filter_map(|received| received.application).collect()
}

#[tokio::test]
async fn each_clients_requests_are_sent_by_its_own_application() {
    let rig = start("").await;
    let shared = rig.simulator.settings().client_id;
    for (user, application) in
        [("anna", TILL), ("scanner", SCANNER), ("bert", shared), ("anna", TILL), ("bert", shared)]
    {
        // Different each time, so that no response is reused.
        let path = format!("/api/customers?$top={}", rig.received().len() + 1);
        assert_eq!(send(&rig, Method::GET, &path, user, "").await.status, 200, "{user}");
        assert_eq!(applications(&rig).last(), Some(&application), "{user}");
    }
    let counted = || {
        let counts = rig.proxy.view().records.client_counts.counts();
        counts.into_iter().map(|(name, count)| (name, count.requests, count.errors)).collect::<Vec<_>>()
    };
    until(|| counted() == [("scanner".to_owned(), 1, 0), ("till".to_owned(), 2, 0)]).await;
    for _ in 0..6 {
        assert_eq!(rig.get("/open/customers").await.status, 200);
        assert_eq!(applications(&rig).last(), Some(&shared));
    }
}

#[tokio::test]
async fn clients_with_different_applications_never_share_a_response() {
    let rig = start("").await;
    for content in ["till's", "scanner's", "all's"] {
        rig.script(Times::Next(1), Script::response(StatusCode::OK).send(format!("\"{content}\"")));
    }
    for _ in 0..3 {
        for (user, content) in [("anna", "till's"), ("scanner", "scanner's"), ("bert", "all's")] {
            assert_eq!(send(&rig, Method::GET, "/api/items", user, "").await.text(), format!("\"{content}\""));
        }
    }
    assert_eq!(rig.received().len(), 3, "each was cached");
}

#[tokio::test]
async fn a_client_that_may_only_read_changes_nothing() {
    let rig = start("").await;
    let change = send(&rig, Method::POST, "/api/customers", "scanner", "{}").await.rejection();
    assert_eq!((change.status, change.code.as_str()), (403, "Proxy_NotAllowed"));
    assert!(change.message.starts_with("Client `scanner` may only read"), "{}", change.message);
    let batch = r#"{"requests":[{"id":"1","method":"GET","url":"customers"},{"id":"2","method":"DELETE","url":"customers(1)"}]}"#;
    assert_eq!(send(&rig, Method::POST, "/api/$batch", "scanner", batch).await.status, 403);
    let call = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
                <Create xmlns=\"urn:microsoft-dynamics-schemas/page/customer\"/></s:Body></s:Envelope>";
    let headers = [("x-api-key", KEY), ("content-type", "text/xml; charset=utf-8")];
    let call = rig.send(Method::POST, "/soap/Page/Customer", &headers, call).await.rejection();
    assert_eq!(call.status, 403);
    assert!(rig.received().is_empty());
    assert_eq!(send(&rig, Method::GET, "/api/customers", "scanner", "").await.status, 200);
    assert_ne!(send(&rig, Method::POST, "/api/customers", "anna", "{\"displayName\":\"x\"}").await.status, 403);
}

#[tokio::test]
async fn a_client_may_be_known_by_address_and_user_agent() {
    let rig = start("").await;
    let post = async |last, user_agent: &str| {
        let mut wire = crate::wire::Wire::over(rig.connect_from(last).await);
        wire.send(format!(
            "POST /open/customers HTTP/1.1\r\nHost: erp\r\nUser-Agent: {user_agent}\r\nContent-Type: application/json\r\n\
             Content-Length: 19\r\n\r\n{{\"displayName\":\"x\"}}"
        ))
        .await;
        wire.response().await.0.status().as_u16()
    };
    assert_eq!((post(7, "Excel/16").await, post(7, "excel").await, post(8, "Excel/16").await), (403, 201, 201));
}

#[tokio::test]
async fn where_every_application_is_anothers_the_client_is_told() {
    let plan = Plan::default();
    let own = plan.settings.client_id;
    let prepared = plan
        .top(&format!("users: users.txt\nclients: {{ till: {{ user: anna, client_id: {own} }} }}\nroutes: [ {{ path: /api, to: api/v2.0, client_auth: basic }} ]"))
        .prepare()
        .await;
    write_users(prepared.folder.path());
    let rig = prepared.start().await;
    assert_eq!(send(&rig, Method::GET, "/api/customers", "anna", "").await.status, 200);
    let other = send(&rig, Method::GET, "/api/customers", "bert", "").await.rejection();
    assert_eq!(other.status, 403);
    assert!(other.message.contains("belongs to another client"), "{}", other.message);
    assert_eq!(applications(&rig), [own]);
}
