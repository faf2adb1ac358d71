//! A change through the proxy is visible at once. No read that begins after its response gets what was cached before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bcproxy::simulator::{Break, Latch, Matcher, Script, Times};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::batch::{CRONUS, send as send_batch};
use crate::rig::{ClientResponse, HeldClock, Plan, Rig, SOAP_ECHO, at_once, shared, within};
use crate::wire::Wire;

/// Two connectors to one environment; what is kept is kept for a day.
const ROUTES: &str = "routes:
  - { path: /api, to: api/v2.0, connector: cronus, cache: 24h }
  - { path: /odata, to: odata, connector: cronus, cache: 24h }
  - { path: /soap, to: soap, connector: cronus, cache: 24h }
  - { path: /nav, to: nav, connector: cronus }
  - { path: /plain, to: api/v2.0, connector: cronus }
  - { path: /byid, to: odata, connector: byid }
  - { path: /other, to: api/v2.0, connector: cronus, company: My Company, cache: 24h }
  - { path: /free, to: api/v2.0, connector: free, cache: 24h }
  - { path: /all, to: environment, connector: free, cache: 24h }
";

fn plan() -> Plan {
    let by_id = "company: 824820a2-508c-ed11-aada-0000000000a1";
    Plan::default().another_connector("byid", &[by_id]).another_connector("free", &["company: -"]).top(ROUTES)
}

/// A change or a read, as a program sends it.
struct Call {
    method: Method,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn call(
    method: Method,
    path: impl Into<String>,
    headers: &[(&'static str, &'static str)],
    body: impl Into<String>,
) -> Call {
    Call { method, path: path.into(), headers: headers.to_vec(), body: body.into() }
}

fn soap(path: &str, operation: &str) -> Call {
    let operation = operation.replacen('>', " xmlns=\"urn:microsoft-dynamics-schemas/page/customer\">", 1);
    let body = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{operation}</s:Body></s:Envelope>"
    );
    call(Method::POST, path, &[("content-type", "text/xml; charset=utf-8"), ("soapaction", "\"\"")], body)
}

fn batch(path: &str, requests: &[(&str, &str)]) -> Call {
    let request = |(number, (method, url)): (usize, &(&str, &str))| {
        let mut request = json!({"id": number.to_string(), "method": method, "url": url});
        if *method == "POST" {
            request["body"] = json!({"displayName": "New"});
        }
        request
    };
    let requests: Vec<Value> = requests.iter().enumerate().map(request).collect();
    call(Method::POST, path, &[JSON], json!({"requests": requests}).to_string())
}

impl Call {
    async fn send(&self, rig: &Rig) -> ClientResponse {
        rig.send(self.method.clone(), &self.path, &self.headers, self.body.clone()).await
    }
}

fn is_hit(response: &ClientResponse) -> bool {
    assert_eq!(response.status, 200, "{}", response.text());
    response.headers["cache-status"].to_str().unwrap().starts_with("bcproxy; hit")
}

/// Which of these are kept still.
async fn retained(rig: &Rig, paths: &[&str]) -> Vec<bool> {
    let mut retained = Vec::new();
    for path in paths {
        retained.push(is_hit(&rig.get(path).await));
    }
    retained
}

#[tokio::test]
async fn every_change_forgets_what_is_kept_of_its_company_by_whichever_way_it_comes() {
    let rig = plan().start().await;
    let (cronus, other) = (rig.simulator.settings().companies[0].id, rig.simulator.settings().companies[2].id);
    let in_cronus = format!("/free/companies({cronus})/customers");
    let in_other = format!("/free/companies({other})/customers");
    let reads = ["/api/customers", "/odata/Customer", &in_cronus, "/all/api/v2.0/companies", "/other/customers"];
    let customer = rig.get("/plain/customers?$top=1").await.json()["value"][0]["id"].as_str().unwrap().to_owned();
    let new = r#"{"displayName":"New"}"#;
    let entity = format!("/plain/customers({customer})");
    let create = "<Create><Customer><Name>New</Name></Customer></Create>";
    // What belongs to no company, or to one the client names, may show any change.
    let of_cronus = [false, false, false, false, true];
    let of_other = [true, true, false, false, false];
    let of_any = [false; 5];
    for (changes, call) in [
        (of_cronus, call(Method::POST, "/api/customers", &[JSON], new)),
        (of_cronus, call(Method::POST, "/plain/customers", &[JSON], new)),
        (of_cronus, call(Method::PATCH, &entity, &[JSON, ("if-match", "*")], r#"{"displayName":"Changed"}"#)),
        (of_cronus, call(Method::POST, &entity, &[JSON, ("if-match", "*"), ("x-http-method", "PATCH")], new)),
        (of_cronus, call(Method::DELETE, &entity, &[("if-match", "*")], "")),
        (of_cronus, call(Method::POST, "/byid/Customer", &[JSON], r#"{"Name":"New"}"#)),
        (of_cronus, soap("/soap/Page/Customer", create)),
        (of_cronus, soap(&format!("/nav/BC140/WS/{}/Page/Customer", "CRONUS%20International%20Ltd."), create)),
        (of_cronus, call(Method::POST, "/soap/Codeunit/Tools", &[("content-type", "text/xml")], SOAP_ECHO)),
        (of_cronus, batch("/api/$batch", &[("GET", "vendors"), ("POST", "customers")])),
        (of_other, call(Method::POST, "/other/customers", &[JSON], new)),
        (of_other, batch("/other/$batch", &[("POST", "customers")])),
        (of_any, call(Method::POST, &in_other, &[JSON], new)),
        (of_any, call(Method::POST, format!("/all/api/v2.0/companies({other})/customers"), &[JSON], new)),
        (of_any, batch("/free/$batch", &[("POST", &format!("companies({other})/customers"))])),
        // Refused by Business Central, or not carried out: a change nevertheless, for all we know.
        (of_cronus, call(Method::POST, "/api/customers", &[JSON], "[]")),
        (of_cronus, call(Method::DELETE, "/api/customers(00000000-0000-0000-0000-00000000000a)", &[], "")),
        (of_cronus, soap("/soap/Page/Customer", "<Create>")),
    ] {
        retained(&rig, &reads).await;
        assert_eq!(retained(&rig, &reads).await, [true; 5], "{} {}", call.method, call.path);
        let response = call.send(&rig).await;
        assert_eq!(retained(&rig, &reads).await, changes, "{} {}: {response:?}", call.method, call.path);
    }
}

#[tokio::test]
async fn what_only_reads_forgets_nothing() {
    let rig = plan().start().await;
    let reads = ["/api/customers", "/odata/Customer", "/other/customers", "/all/api/v2.0/companies"];
    retained(&rig, &reads).await;
    for call in [
        call(Method::HEAD, "/api/customers", &[], ""),
        call(Method::GET, "/plain/customers", &[("range", "bytes=0-1")], ""),
        soap("/soap/Page/Customer", "<Read><No>10000</No></Read>"),
        soap("/soap/Page/Customer", "<ReadMultiple><setSize>1</setSize></ReadMultiple>"),
        batch("/api/$batch", &[("GET", "customers"), ("GET", "vendors")]),
        batch("/free/$batch", &[("GET", "companies")]),
        // Never sent.
        call(Method::POST, "/api/companies(824820a2-508c-ed11-aada-0000000000a3)/customers", &[JSON], "{}"),
        call(Method::POST, "/api/$batch", &[JSON], "{"),
        call(Method::POST, "/nowhere", &[JSON], "{}"),
    ] {
        let response = call.send(&rig).await;
        assert_eq!(retained(&rig, &reads).await, [true; 4], "{} {}: {response:?}", call.method, call.path);
    }
    let soap = soap("/soap/Page/Customer", "<Read><No>10000</No></Read>").send(&rig).await;
    assert_eq!(soap.headers["cache-status"], "bcproxy; fwd=method");
}

#[tokio::test]
async fn a_batch_forgets_what_is_kept_of_each_company_it_changes() {
    let plan = plan().top("  - { path: /old, to: nav, connector: cronus, cache: 24h }");
    let rig = plan.connector("companies: { Old: My Company }").start().await;
    let reads = ["/api/customers", "/other/customers"];
    retained(&rig, &reads).await;
    let requests = [("POST", "Company('Old')/Customer"), ("GET", "Company('CRONUS International Ltd.')/Customer")];
    let call = batch("/old/BC140/ODataV4/$batch", &requests);
    let response = call.send(&rig).await;
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(retained(&rig, &reads).await, [true, false]);
}

#[tokio::test]
async fn a_read_that_began_before_a_change_ended_is_not_kept() {
    let rig = shared(plan()).await;
    let (before, later) = (Latch::closed(), Latch::closed());
    rig.script(Times::Next(1), Script::response(StatusCode::OK).send("old").hold_head(&before));
    rig.script(Times::Next(1), Script::response(StatusCode::OK).send("new").hold_head(&later));
    let get = |rig: &Arc<Rig>| {
        let rig = rig.clone();
        tokio::spawn(async move { rig.get("/api/items").await })
    };
    let old = get(&rig);
    rig.wait_for(|received| received.len() == 1).await;
    assert_eq!(rig.post_json("/plain/customers", r#"{"displayName":"New"}"#).await.status, 201);
    // Whoever asks now neither waits for the old answer nor gets it.
    let new = get(&rig);
    rig.wait_for(|received| received.len() == 3).await;
    before.open();
    assert_eq!(within(old).await.unwrap().text(), "old");
    later.open();
    assert_eq!(within(new).await.unwrap().text(), "new");
    let retained = rig.get("/api/items").await;
    assert!(is_hit(&retained));
    assert_eq!(retained.text(), "new");
}

#[tokio::test]
async fn a_read_during_a_change_is_shared_and_not_kept() {
    let rig = shared(plan()).await;
    let latch = Latch::closed();
    let posts = Matcher::any().method(Method::POST);
    rig.simulator.business_central().script(posts, Times::Next(1), Script::ordinary().hold_head(&latch));
    let change = tokio::spawn({
        let rig = rig.clone();
        async move { rig.post_json("/plain/customers", r#"{"displayName":"New"}"#).await.status }
    });
    rig.wait_for(|received| received.len() == 1).await;
    for _ in 0..2 {
        assert_eq!(rig.get("/api/items").await.headers["cache-status"], "bcproxy; fwd=miss");
    }
    // Of another company, nothing changes.
    assert_eq!(retained(&rig, &["/other/customers", "/other/customers"]).await, [false, true]);
    latch.open();
    assert_eq!(within(change).await.unwrap(), StatusCode::CREATED);
    assert_eq!(retained(&rig, &["/api/items", "/api/items"]).await, [false, true]);
}

#[tokio::test]
async fn a_change_that_ends_during_another_is_seen_at_once() {
    let rig = shared(plan()).await;
    let (long, before) = (Latch::closed(), Latch::closed());
    let posts = Matcher::any().method(Method::POST).path_ending("/vendors");
    rig.simulator.business_central().script(
        posts,
        Times::Next(1),
        Script::response(StatusCode::CREATED).hold_head(&long),
    );
    rig.script(Times::Next(1), Script::response(StatusCode::OK).send("old").hold_head(&before));
    rig.script(Times::Next(1), Script::response(StatusCode::OK).send("new"));
    let lasting = tokio::spawn({
        let rig = rig.clone();
        async move { rig.post_json("/plain/vendors", "{}").await.status }
    });
    rig.wait_for(|received| received.len() == 1).await;
    let old = tokio::spawn({
        let rig = rig.clone();
        async move { rig.get("/api/items").await.text() }
    });
    rig.wait_for(|received| received.len() == 2).await;
    assert_eq!(rig.post_json("/plain/customers", r#"{"displayName":"New"}"#).await.status, 201);
    assert_eq!(rig.get("/api/items").await.text(), "new", "what began before the change ended is not shared");
    before.open();
    long.open();
    assert_eq!(within(old).await.unwrap(), "old");
    assert_eq!(within(lasting).await.unwrap(), StatusCode::CREATED);
}

#[tokio::test]
async fn while_a_change_is_being_told_its_reads_go_alone() {
    let rig = shared(plan()).await;
    let latch = Latch::closed();
    let told = Script::response(StatusCode::OK).send("first part").hold(&latch).send("second part");
    let posts = Matcher::any().method(Method::POST);
    rig.simulator.business_central().script(posts, Times::Next(1), told);
    let mut client = Wire::connect(rig.address()).await;
    let body = r#"{"requests":[{"id":"1","method":"POST","url":"customers","body":{}}]}"#;
    let length = body.len();
    client
        .send(format!(
            "POST /plain/$batch HTTP/1.1\r\nHost: erp\r\n{}: {}\r\nContent-Length: {length}\r\n\r\n{body}",
            JSON.0, JSON.1
        ))
        .await;
    client.head().await;
    assert_eq!(client.bytes(10).await, b"first part");
    for _ in 0..2 {
        assert_eq!(rig.get("/api/items").await.headers["cache-status"], "bcproxy; fwd=bypass; detail=change");
    }
    latch.open();
    assert_eq!(client.bytes(11).await, b"second part");
    // The client may have it all a moment before we have seen its end.
    while !is_hit(&rig.get("/api/items").await) {}
}

#[tokio::test]
async fn of_a_change_nobody_heard_of_the_effect_is_awaited_for_as_long_as_it_may_take() {
    let clock = HeldClock::new();
    for unheard in [
        Script::ordinary().break_before_response(Break::Reset),
        Script::error(StatusCode::GATEWAY_TIMEOUT, "Timeout", "Too slow."),
        Script::ordinary().cut_after(10),
    ] {
        let rig = plan().start().await;
        rig.simulator.business_central().script(Matcher::any().method(Method::POST), Times::Next(1), unheard);
        let requests = json!([{"id": "1", "method": "POST", "url": "customers", "body": {"displayName": "New"}}]);
        let response = send_batch(&rig, "/plain/$batch", requests).await;
        assert!(response.status.is_server_error(), "{response:?}");
        assert_eq!(retained(&rig, &["/api/customers", "/api/customers"]).await, [false, false]);
        clock.advance(Duration::from_secs(600)).await;
        assert_eq!(retained(&rig, &["/api/customers", "/api/customers"]).await, [false, true]);
    }
}

/// How many customers a company has, as a read through this route tells, and whether it was kept.
async fn count(rig: &Rig, path: &str) -> (u64, bool) {
    let response = rig.get(path).await;
    let count = response.json()["@odata.count"].as_u64().unwrap();
    (count, is_hit(&response))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_begins_after_the_response_to_a_change_never_sees_what_was_before() {
    const WRITERS: usize = 4;
    const ROUNDS: usize = 4;
    const CHANGES: usize = 5;
    let rig = shared(plan().connector("limits: off")).await;
    let business_central = rig.simulator.business_central();
    let at_first = business_central.customers(CRONUS).unwrap() as u64;
    let (done, hits) = (Arc::new(AtomicU64::new(0)), watch::Sender::new(0));
    let over = CancellationToken::new();
    let readers = tokio::spawn(at_once(6, {
        let (rig, done, hits, over) = (rig.clone(), done.clone(), hits.clone(), over.clone());
        move |reader| {
            let (rig, done, hits, over) = (rig.clone(), done.clone(), hits.clone(), over.clone());
            let paths = [
                "/api/customers?$count=true&$top=1",
                "/odata/Customer?$count=true&$top=1",
                "/free/companies(824820a2-508c-ed11-aada-0000000000a1)/customers?$count=true&$top=1",
            ];
            async move {
                for path in paths.iter().cycle() {
                    let before = done.load(Ordering::SeqCst);
                    let (count, is_hit) = count(&rig, path).await;
                    assert!(count >= at_first + before, "reader {reader}, {path}: {count} of {at_first} and {before}");
                    hits.send_modify(|hits| *hits += usize::from(is_hit));
                    if over.is_cancelled() {
                        return;
                    }
                }
            }
        }
    }));
    for _ in 0..ROUNDS {
        // Something is kept, and given again, before the next changes.
        let so_far = *hits.borrow();
        within(hits.subscribe().wait_for(|hits| *hits > so_far + 10)).await.unwrap();
        let writers = at_once(WRITERS, |writer| {
            let (rig, done) = (rig.clone(), done.clone());
            async move {
                for number in 0..CHANGES {
                    let call = match (writer + number) % 4 {
                        0 => call(Method::POST, "/plain/customers", &[JSON], r#"{"displayName":"New"}"#),
                        1 => soap("/soap/Page/Customer", "<Create><Customer><Name>New</Name></Customer></Create>"),
                        2 => batch("/api/$batch", &[("POST", "customers"), ("GET", "customers?$top=1")]),
                        _ => call(Method::POST, "/byid/Customer", &[JSON], r#"{"Name":"New"}"#),
                    };
                    let response = call.send(&rig).await;
                    assert!(response.status.is_success(), "{response:?}");
                    done.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        within(writers).await;
    }
    over.cancel();
    within(readers).await.unwrap();
    let all = at_first + (WRITERS * ROUNDS * CHANGES) as u64;
    assert_eq!(business_central.customers(CRONUS), Some(all as usize));
    assert_eq!(count(&rig, "/api/customers?$count=true&$top=1").await.0, all);
}
