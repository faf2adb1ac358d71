//! Out through a web proxy: everything goes through its tunnel, and whatever it does wrong is named with what to do.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use hyper::StatusCode;

use crate::connect_proxy::{Conduct, ConnectProxy, unauthorized};
use crate::process::{Process, message};
use crate::rig::{ClientResponse, Plan, Rig, send, within};

const LOGIN: &str = "login.simulator.test";
const API: &str = "api.simulator.test";

fn through(proxy: &ConnectProxy) -> Plan {
    Plan::default().far().connector(&format!("outbound_proxy: {}", proxy.url()))
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

async fn change(rig: &Rig) -> ClientResponse {
    rig.post_json("/api/customers", r#"{"displayName":"Once Ltd."}"#).await
}

/// After some failures the proxy is left alone for a second, and what it did last is told meanwhile.
async fn change_until(rig: &Rig, is_expected: impl Fn(&ClientResponse) -> bool) {
    within(async {
        while !is_expected(&change(rig).await) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn tokens_look_ups_and_requests_all_go_through_it_and_its_tunnels_are_used_again() {
    let proxy = ConnectProxy::start().await;
    let rig = through(&proxy).start().await;
    for _ in 0..10 {
        assert_eq!(rig.get("/api/customers?$top=1").await.status, 200);
        assert_eq!(change(&rig).await.status, 201);
        assert_eq!(rig.call_soap("/soap/Codeunit/Tools").await.status, 200);
    }
    // One for the token, one for the look-up, one for all requests.
    assert_eq!(proxy.asked(), [LOGIN, API, API]);

    let page = rig.get("/api/customers").await.text();
    assert!(page.contains(&format!("http://{}/api/", rig.address())), "{page}");
    assert!(!page.contains("simulator.test"), "{page}");
}

#[tokio::test]
async fn a_tunnel_that_ended_while_it_was_idle_costs_nobody_anything() {
    let proxy = ConnectProxy::start().await;
    let rig = through(&proxy).start().await;
    for _ in 0..3 {
        assert_eq!(change(&rig).await.status, 201);
        proxy.close_connections().await;
    }
    assert_eq!(rig.received().len(), 3, "each was sent once");
    assert_eq!(proxy.asked().len(), 5);
}

#[tokio::test]
async fn a_password_is_read_anew_for_each_connection() {
    let proxy = ConnectProxy::start().await;
    proxy.conduct(Conduct::ConnectFor(basic("CONTOSO\\svc", "first")));
    let url = proxy.url();
    let line = format!("outbound_proxy: {{ url: {url}, user: 'CONTOSO\\svc', password: {{ file: proxy.txt }} }}");
    let prepared = Plan::default().far().connector(&line).prepare().await;
    let password = prepared.folder.path().join("proxy.txt");
    std::fs::write(&password, "first\n").unwrap();
    let rig = prepared.start().await;
    assert_eq!(change(&rig).await.status, 201);

    proxy.conduct(Conduct::ConnectFor(basic("CONTOSO\\svc", "second")));
    proxy.close_connections().await;
    let rejection = change(&rig).await.rejection();
    assert_eq!((rejection.status, rejection.code.as_str()), (502, "Proxy_Unreachable"));
    assert!(rejection.message.contains("rejects the user name and password in `outbound_proxy`: correct them"));

    std::fs::remove_file(&password).unwrap();
    change_until(&rig, |response| {
        response.status == 502
            && response.rejection().message.contains("the password of the outbound proxy can't be read from the file")
    })
    .await;

    std::fs::write(&password, "second").unwrap();
    change_until(&rig, |response| response.status == 201).await;
}

#[tokio::test]
async fn a_changed_password_takes_effect_with_the_next_token() {
    let proxy = ConnectProxy::start().await;
    let url = proxy.url();
    let line = format!("outbound_proxy: {{ url: {url}, user: 'CONTOSO\\svc', password: {{ file: proxy.txt }} }}");
    let prepared = Plan::default().far().connector(&line).prepare().await;
    let password = prepared.folder.path().join("proxy.txt");
    let change_password = |value: &str| {
        std::fs::write(&password, format!("{value}\n")).unwrap();
        proxy.conduct(Conduct::ConnectFor(basic("CONTOSO\\svc", value)));
    };
    change_password("first:@/%ä");
    let rig = prepared.start().await;
    assert_eq!(change(&rig).await.status, 201);

    change_password("second");
    proxy.close_connections().await;
    rig.simulator.revoke_tokens();
    assert_eq!(change(&rig).await.status, 201);
    assert_eq!(rig.simulator.token_requests(), 2);
}

/// What a proxy does, and what is said then.
fn misconducts(proxy: &ConnectProxy) -> [(Conduct, String, String); 9] {
    let address = proxy.address;
    let response = |response: &str| Conduct::ClientResponse(response.to_owned());
    let ask = "ask the administrator of the outbound proxy to allow this machine to reach HOST".to_owned();
    let responses = |status: &str| format!("the outbound proxy {address} answered {status} to CONNECT HOST");
    let rejected = || format!("the outbound proxy {address} answered 407 Proxy Authentication Required");
    let check = format!("check `outbound_proxy`, and that this machine may connect to {address}");
    let none = |how: &str| format!("the server at {address} is not an outbound proxy: {how}");
    [
        (
            Conduct::ClientResponse(unauthorized("Basic realm=\"hunter2\"")),
            rejected(),
            format!("outbound_proxy: {{ url: http://{address}, user: NAME, password: {{ env: PROXY_PASSWORD }} }}"),
        ),
        (
            Conduct::ClientResponse(unauthorized("NTLM\r\nProxy-Authenticate: Negotiate")),
            rejected(),
            "the outbound proxy offers NTLM and Negotiate, but bcproxy supports only Basic".to_owned(),
        ),
        (
            response("HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nhunter2"),
            responses("403 Forbidden"),
            ask.clone(),
        ),
        (
            response("HTTP/1.1 502 Bad Gateway\r\n\r\n"),
            responses("502 Bad Gateway"),
            "the outbound proxy can't reach HOST".to_owned(),
        ),
        (
            response("HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n"),
            none("no outbound proxy responds like this"),
            check.clone(),
        ),
        (response("SSH-2.0-hunter2\r\n"), none("it does not speak HTTP"), check.clone()),
        (response("HTTP/1.1 200 OK\r\n\r\nhunter2"), none("no outbound proxy responds like this"), check.clone()),
        (Conduct::Close, format!("the outbound proxy {address} closed the connection without a response"), check),
        (
            Conduct::Hang,
            format!("no connection through the outbound proxy {address} within 1 s"),
            "ask the administrator of the outbound proxy whether this machine may reach HOST".to_owned(),
        ),
    ]
}

#[tokio::test]
async fn whatever_it_does_wrong_is_named_with_what_to_do_and_nothing_is_sent() {
    let proxy = ConnectProxy::start().await;
    for (conduct, what, fix) in misconducts(&proxy) {
        let case = format!("{conduct:?}");
        proxy.conduct(Conduct::Connect);
        let rig = through(&proxy).connector("timeouts: { connect: 1s }").start().await;
        assert_eq!(change(&rig).await.status, 201, "{case}");

        proxy.conduct(conduct);
        proxy.close_connections().await;
        let rejection = change(&rig).await.rejection();
        assert_eq!(
            (rejection.status, rejection.code.as_str()),
            (502, "Proxy_Unreachable"),
            "{case}: {}",
            rejection.message
        );
        let host = rig.simulator.base_url().replace("https://localhost", API);
        for part in [&what, &fix, "see step 3 of the set-up guide (Connection)"] {
            let part = part.replace("HOST", &host);
            assert!(rejection.message.contains(&part), "{case}: {part}\n{}", rejection.message);
        }
        assert!(!rejection.message.contains("hunter2"), "{}", rejection.message);
        assert_eq!(rig.received().len(), 1, "{case}: nothing was sent");

        proxy.conduct(Conduct::Connect);
        change_until(&rig, |response| response.status == 201).await;
        assert_eq!(rig.received().len(), 2, "{case}: it is tried again");
    }
}

#[tokio::test]
async fn where_the_token_fails_at_it_the_client_is_told_the_same() {
    let proxy = ConnectProxy::start().await;
    for (conduct, what, fix) in misconducts(&proxy) {
        let case = format!("{conduct:?}");
        proxy.conduct(conduct);
        let rig = through(&proxy).connector("timeouts: { connect: 1s }").start().await;
        let rejection = rig.get("/api/customers").await.rejection();
        assert_eq!((rejection.status, rejection.code.as_str()), (503, "Proxy_NoToken"), "{case}");
        let host = rig.simulator.authority().replace("https://localhost", LOGIN);
        for part in [what, fix] {
            let part = part.replace("HOST", &host);
            assert!(rejection.message.contains(&part), "{case}: {part}\n{}", rejection.message);
        }
        assert_eq!(rig.simulator.token_requests(), 0, "{case}");
    }
}

#[tokio::test]
async fn one_that_is_not_there_is_not_tried_by_every_request() {
    let proxy = ConnectProxy::start().await;
    let rig = through(&proxy).start().await;
    assert_eq!(rig.get("/api/customers?$top=1").await.status, 200);
    let before = proxy.asked().len();
    proxy.conduct(Conduct::Close);
    proxy.close_connections().await;
    for _ in 0..10 {
        let responses = join_all((0..20).map(|_| rig.get("/api/customers?$top=1"))).await;
        assert!(responses.iter().all(|response| response.status == 502));
    }
    let tried = proxy.asked().len() - before;
    assert!(tried < 100, "{tried} attempts for 200 requests");

    let address = proxy.address;
    drop(proxy);
    let message = rig.get("/api/customers?$top=1").await.rejection().message;
    assert!(message.contains(&format!("the outbound proxy {address}")), "{message}");
}

#[tokio::test]
async fn the_environments_proxy_is_taken_unless_the_file_says_otherwise() {
    let proxy = ConnectProxy::start().await;
    proxy.conduct(Conduct::ConnectFor(basic("svc", "hunter2@")));
    let url = format!("http://svc:hunter2%40@{}", proxy.address);
    let prepared = Plan::default().far().prepare().await;
    let mut bcproxy = Process::run_with(&prepared.file, &[("HTTPS_PROXY", &url)]);
    let address = bcproxy.address().await;
    let response = send(address, hyper::Method::GET, "/api/customers?$top=1", &[], "").await;
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(proxy.asked(), [LOGIN, API, API]);

    // A password that is wrong by now is named by its variable, and shown to nobody.
    proxy.conduct(Conduct::ConnectFor(basic("svc", "another")));
    proxy.close_connections().await;
    let rejected = send(address, hyper::Method::GET, "/api/customers?$top=1", &[], "").await;
    let message = rejected.rejection().message;
    assert!(message.contains("the user name and password in the environment variable HTTPS_PROXY"), "{message}");
    bcproxy.stop().await;
    let ended = bcproxy.end().await;
    for text in [&message, &ended.errors, &ended.output] {
        assert!(!text.contains("hunter2"), "{text}");
    }

    // Three ways to do without it: the name can't be looked up here then.
    let asked = proxy.asked().len();
    let off = Plan::default().far().connector("outbound_proxy: off").prepare().await;
    for (prepared, variables) in [
        (&off, [("HTTPS_PROXY", url.as_str()), ("NO_PROXY", "")]),
        (&prepared, [("ALL_PROXY", url.as_str()), ("no_proxy", "other.test, .simulator.test")]),
        (&prepared, [("HTTPS_PROXY", ""), ("NO_PROXY", "")]),
    ] {
        let mut bcproxy = Process::run_with(&prepared.file, &variables);
        let address = bcproxy.address().await;
        let response = send(address, hyper::Method::GET, "/api/customers", &[], "").await;
        assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
        let said = response.rejection().message;
        assert!(said.contains("can't be looked up") && !said.contains("proxy 127"), "{said}");
    }
    assert_eq!(proxy.asked().len(), asked);
}

#[tokio::test]
async fn an_environment_that_names_no_usable_proxy_is_a_mistake_that_is_shown_without_its_value() {
    let prepared = Plan::default().far().prepare().await;
    let socks = [("ALL_PROXY", "socks5://svc:hunter2@proxy.corp:1080")];
    let ended = Process::run_with(&prepared.file, &socks).end().await;
    assert_eq!(ended.code, Some(2));
    for part in ["the outbound proxy in ALL_PROXY, which is invalid", "http://host:port", "set `outbound_proxy` here"] {
        assert!(ended.errors.contains(part), "{}", ended.errors);
    }
    assert!(!ended.errors.contains("hunter2"), "{}", ended.errors);
    // Whoever says it in the file needs no environment.
    let off = Plan::default().connector("outbound_proxy: off").prepare().await;
    let mut bcproxy = Process::run_with(&off.file, &socks);
    let token = bcproxy.log_line(|line| message(line) == "token received").await;
    assert!(token.is_object());
}
