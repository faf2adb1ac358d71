//! Neither the secret nor a token is ever logged, at any level, by us or by a library. No client ever sees one.
//!
//! A crate of its own: what is logged is a matter of the whole process.

#[path = "common/connect_proxy.rs"]
mod connect_proxy;
#[path = "common/rig.rs"]
mod rig;

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bcproxy::simulator::{Fault, Matcher, Script, Times};
use connect_proxy::{Conduct, ConnectProxy};
use hyper::header::HeaderName;
use hyper::{Method, StatusCode};
use rig::{ClientResponse, HeldClock, Plan, Rig};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// Random enough that no piece of it is found by chance.
const SECRET: &str = "Qw7~xK2pVz9.LmR4tYb8-NcH3sDf6gJ1";

/// Everything that was logged.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What must not be seen: every piece of eight characters of the secret and of the random part of every token.
#[derive(Default)]
struct Forbidden(HashSet<[u8; 8]>);

impl Forbidden {
    fn add(&mut self, text: &str) {
        self.0.extend(pieces(text.as_bytes()));
    }

    fn assert_absent(&self, text: &[u8], location: &str) {
        if let Some(found) = pieces(text).find(|piece| self.0.contains(piece)) {
            let found = String::from_utf8_lossy(&found).into_owned();
            let text = String::from_utf8_lossy(text);
            let line = text.lines().find(|line| line.contains(&found)).unwrap_or(&text);
            panic!("{location} holds {found}: {line}");
        }
    }
}

fn pieces(bytes: &[u8]) -> impl Iterator<Item = [u8; 8]> + '_ {
    bytes.windows(8).map(|piece| piece.try_into().unwrap())
}

fn as_bytes(response: &ClientResponse) -> Vec<u8> {
    format!("{:?}\n{:?}\n{}", response.status, response.headers, String::from_utf8_lossy(&response.body)).into_bytes()
}

#[tokio::test]
async fn no_secret_and_no_token_is_ever_logged_or_shown_to_a_client() {
    let captured = Captured::default();
    let writer = captured.clone();
    // `init` also takes over what libraries write through the `log` crate.
    tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(move || writer.clone()).finish().init();

    let (mut forbidden, mut responses) = (Forbidden::default(), Vec::new());
    forbidden.add(SECRET);

    let plan = || Plan::default().settings(|settings| settings.client_secret = SECRET.to_owned());
    let rig = plan().start().await;
    serve_and_be_rejected(&rig, &mut responses).await;
    go_out_through_a_proxy(&mut forbidden, &mut responses).await;
    let clock = HeldClock::new();
    let failing = plan().impatient().start().await;
    meet_entras_errors(&failing, &clock, &mut responses).await;
    let received = [rig.simulator.received(), failing.simulator.received()].concat();
    let tokens: HashSet<String> = received
        .iter()
        .filter_map(|received| Some(received.headers.get("authorization")?.to_str().unwrap().to_owned()))
        .collect();
    assert!(tokens.len() >= 3, "{} tokens", tokens.len());
    for token in &tokens {
        forbidden.add(token.rsplit('.').next().unwrap());
    }

    // The same secret, but Entra knows another.
    let wrong = plan()
        .start_after(|simulator| simulator.entra().replace_secrets(simulator.settings().client_id, "another"))
        .await;
    responses.push(wrong.get("/api/customers").await);
    responses.push(wrong.call_soap("/soap/Codeunit/Tools").await);
    wrong.simulator.entra().expire_secret(wrong.simulator.settings().client_id, SECRET);
    clock.advance(Duration::from_secs(20)).await;
    responses.push(wrong.get("/api/customers").await);
    assert!(responses.iter().any(|response| response.text().contains("AADSTS7000215")));
    drop((rig, failing, wrong));

    for response in &responses {
        forbidden.assert_absent(&as_bytes(response), "an answer");
    }
    let log = captured.0.lock().unwrap().clone();
    forbidden.assert_absent(&log, "the log");
    let log = String::from_utf8(log).unwrap();
    for expected in ["token received", "AADSTS7000215", "rustls", "hyper_util", "bcproxy::access"] {
        assert!(log.contains(expected), "the log was not captured: {expected} is missing");
    }
    assert!(!log.contains("geheim"), "a query's values stay out of the log");
}

/// Through an outbound proxy that takes its password, and one that does not.
async fn go_out_through_a_proxy(forbidden: &mut Forbidden, responses: &mut Vec<ClientResponse>) {
    const PASSWORD: &str = "Zq5~eT8wKd0.YuB3nXr6-VjA9mLs2HgP";
    let authorization = format!("Basic {}", STANDARD.encode(format!("svc:{PASSWORD}")));
    forbidden.add(PASSWORD);
    forbidden.add(authorization.trim_start_matches("Basic "));
    let proxy = ConnectProxy::start().await;
    proxy.conduct(Conduct::ConnectFor(authorization));
    let line = format!("outbound_proxy: {{ url: {}, user: svc, password: {{ file: proxy.txt }} }}", proxy.url());
    let prepared = Plan::default().far().connector(&line).prepare().await;
    std::fs::write(prepared.folder.path().join("proxy.txt"), PASSWORD).unwrap();
    let rig = prepared.start().await;
    responses.push(rig.get("/api/customers").await);
    assert_eq!(responses.last().unwrap().status, 200);
    proxy.conduct(Conduct::ConnectFor("another".to_owned()));
    proxy.close_connections().await;
    responses.push(rig.get("/api/customers").await);
    assert_eq!(responses.last().unwrap().status, 502);
}

async fn serve_and_be_rejected(rig: &Rig, responses: &mut Vec<ClientResponse>) {
    let business_central = rig.simulator.business_central();
    responses.push(rig.get("/api/customers?$filter=displayName%20eq%20'geheim'").await);
    responses.push(rig.post_json("/api/customers", r#"{"displayName":"x"}"#).await);
    responses.push(rig.call_soap("/soap/Codeunit/Tools").await);
    responses.push(rig.get("/odata/Customer").await);
    rig.simulator.revoke_tokens();
    responses.push(rig.get("/api/customers").await);
    rig.simulator.revoke_tokens();
    responses.push(rig.send(Method::POST, "/api/customers", &[], vec![b'x'; 2 << 20]).await);
    responses.push(rig.get("/api/customers").await);

    business_central.script(Matcher::any().path_containing("/ODataV4/"), Times::Always, Script::unauthorized());
    responses.push(rig.get("/odata/Customer").await);
    responses.push(rig.get("/api/../x").await);
    responses.push(rig.get("/nowhere").await);
    rig.simulator.close_connections().await;
    business_central.reject_connections(Times::Always);
    responses.push(rig.get("/api/customers").await);
    business_central.reject_connections(Times::Next(0));

    // A redirect is passed on, never followed.
    let elsewhere = Script::redirect("https://elsewhere.example/".parse().unwrap());
    business_central.script(Matcher::any().path_ending("/items"), Times::Next(1), elsewhere);
    responses.push(rig.get("/api/items").await);
    assert_eq!(responses.last().unwrap().status, 302);
    let with_token = rig.simulator.received().pop().unwrap().headers["authorization"].clone();
    let echo = Script::response(StatusCode::OK).header(HeaderName::from_static("www-authenticate"), with_token);
    business_central.script(Matcher::any().path_ending("/items"), Times::Next(1), echo);
    responses.push(rig.get("/api/items").await);
    assert_eq!(responses.last().unwrap().status, 200);
}

async fn meet_entras_errors(rig: &Rig, clock: &HeldClock, responses: &mut Vec<ClientResponse>) {
    let entra = rig.simulator.entra();
    for fault in [Fault::unavailable(Some(5)), Fault::Html(StatusCode::OK), Fault::Unreachable] {
        entra.fail(fault, Times::Always);
        clock.advance(Duration::from_secs(3600)).await;
        responses.push(rig.get("/api/customers").await);
        let rejected = responses.last().unwrap();
        assert_eq!(rejected.status, 503, "{}", rejected.text());
        entra.recover();
        clock.advance(Duration::from_secs(rejected.retry_after())).await;
        responses.push(rig.get("/api/customers").await);
        assert_eq!(responses.last().unwrap().status, 200);
    }
}
