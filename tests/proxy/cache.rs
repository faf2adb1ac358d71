//! The read cache of a route: what it answers with what was kept, what it asks for anew, and what it tells of that.

use std::time::Duration;

use bcproxy::simulator::{Framing, Script, Times};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::process::Process;
use crate::rig::{ClientResponse, HeldClock, Plan, Rig, send, shared};
use crate::status::AdminRig;
use crate::wire::Wire;

/// The surfaces of one connector, with a cache of five seconds.
const ROUTES: &str = "routes:
  - { path: /api, to: api/v2.0, cache: 5s }
  - { path: /odata, to: odata, cache: 5s }
  - { path: /soap, to: soap, cache: 5s }
  - { path: /plain, to: api/v2.0 }
";

async fn rig() -> Rig {
    Plan::default().top(ROUTES).start().await
}

/// What the cache says of an answer.
fn said(response: &ClientResponse) -> &str {
    response.headers["cache-status"].to_str().unwrap()
}

const HIT: &str = "bcproxy; hit; ttl=5";
const STORED: &str = "bcproxy; fwd=miss; stored; ttl=5";

async fn get(rig: &Rig, path: &str, headers: &[(&str, &str)]) -> ClientResponse {
    rig.send(Method::GET, path, headers, "").await
}

#[tokio::test]
async fn an_response_is_given_again_until_its_time_is_over() {
    let clock = HeldClock::new();
    let rig = rig().await;
    let first = rig.get("/api/customers").await;
    assert_eq!((first.status, said(&first)), (StatusCode::OK, STORED));
    assert!(!first.headers.contains_key("age"));
    clock.advance(Duration::from_secs(2)).await;
    let again = rig.get("/api/customers").await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!((said(&again), &again.headers["age"]), ("bcproxy; hit; ttl=2", &HeaderValue::from_static("2")));
    assert_ne!(again.headers["x-request-id"], first.headers["x-request-id"]);
    assert_eq!(rig.received().len(), 1);
    clock.advance(Duration::from_secs(3)).await;
    assert_eq!(said(&rig.get("/api/customers").await), STORED);
    assert_eq!(rig.received().len(), 2);
}

#[tokio::test]
async fn a_route_without_a_cache_asks_each_time_and_says_nothing_of_one() {
    let rig = rig().await;
    for asked in 1..3 {
        let response = rig.get("/plain/customers").await;
        assert!(!response.headers.contains_key("cache-status") && !response.headers.contains_key("age"));
        assert_eq!(rig.received().len(), asked);
    }
}

#[tokio::test]
async fn what_was_kept_fits_each_client() {
    let _clock = HeldClock::new();
    let rig = rig().await;
    let base = format!("http://{}/api/", rig.address());
    let first = get(&rig, "/api/customers", &[("accept-encoding", "gzip")]).await;
    assert_eq!(said(&first), STORED);
    let plain = rig.get("/api/customers").await;
    assert_eq!(said(&plain), HIT);
    assert!(plain.text().contains(&base), "{}", plain.text());
    // By another name, its addresses begin with that.
    let named = get(&rig, "/api/customers", &[("host", "oldserver:7047")]).await;
    assert_eq!(said(&named), HIT);
    assert_eq!(named.text(), plain.text().replace(&base, "http://oldserver:7047/api/"));
    // A client of HTTP/1.0 gets a length and the same bytes.
    let mut old = Wire::connect(rig.address()).await;
    old.send(format!("GET /api/customers HTTP/1.0\r\nHost: {}\r\n\r\n", rig.address())).await;
    let (head, body) = old.response().await;
    assert_eq!((head.header("cache-status"), body.as_slice()), (Some(HIT), &plain.body[..]));
    assert_eq!(rig.received().len(), 1);
}

#[tokio::test]
async fn what_may_choose_the_response_is_told_apart_and_who_asks_is_not() {
    let _clock = HeldClock::new();
    let rig = rig().await;
    rig.get("/api/customers").await;
    let mut asked = 1;
    for other in [
        ("accept", "application/json;odata.metadata=full"),
        ("accept-language", "de-DE"),
        ("prefer", "odata.maxpagesize=3"),
        ("data-access-intent", "ReadOnly"),
        ("isolation", "snapshot"),
        ("x-unheard-of", "1"),
    ] {
        assert_eq!(said(&get(&rig, "/api/customers", &[other]).await), STORED, "{other:?}");
        assert_eq!(said(&get(&rig, "/api/customers", &[other]).await), HIT, "{other:?}");
        asked += 1;
    }
    for same in [
        ("user-agent", "another"),
        ("client-request-id", "mine"),
        ("authorization", "Basic dTpw"),
        ("cookie", "a=b"),
        ("accept-encoding", "gzip"),
        ("cache-control", "max-age=3"),
    ] {
        assert_eq!(said(&get(&rig, "/api/customers", &[same]).await), HIT, "{same:?}");
    }
    for other in ["/api/customers?$top=1", "/api/vendors", "/odata/Customer"] {
        assert_eq!(said(&rig.get(other).await), STORED, "{other}");
        asked += 1;
    }
    assert_eq!(rig.received().len(), asked);
}

#[tokio::test]
async fn a_client_may_ask_for_a_new_response() {
    let clock = HeldClock::new();
    let rig = rig().await;
    rig.get("/api/customers").await;
    for anew in [("cache-control", "no-cache"), ("cache-control", "max-age=0"), ("pragma", "no-cache")] {
        clock.advance(Duration::from_secs(1)).await;
        let response = get(&rig, "/api/customers", &[anew]).await;
        assert_eq!(said(&response), "bcproxy; fwd=request; stored; ttl=5", "{anew:?}");
        // The new answer is what the others get from now on.
        let next = rig.get("/api/customers").await;
        assert_eq!((said(&next), &next.headers["age"]), (HIT, &HeaderValue::from_static("0")), "{anew:?}");
    }
    assert_eq!(rig.received().len(), 4);
    assert_eq!(said(&get(&rig, "/api/customers", &[("cache-control", "no-store")]).await), "bcproxy; fwd=request");
    clock.advance(Duration::from_secs(2)).await;
    assert_eq!(said(&get(&rig, "/api/customers", &[("cache-control", "max-age=1")]).await), STORED);
    assert_eq!(rig.received().len(), 6);
}

#[tokio::test]
async fn a_client_that_has_the_response_is_told_so() {
    let _clock = HeldClock::new();
    let rig = rig().await;
    let version = "W/\"JzQ0O0E9Jw==\"";
    let json = HeaderValue::from_static("application/json");
    let response = Script::response(StatusCode::OK).header(header::CONTENT_TYPE, json).send("{\"no\":1}");
    rig.script(Times::Next(1), response.header(header::ETAG, HeaderValue::from_static(version)));
    // Although it knows this version, all of the answer is asked for: others may need it.
    let known = [("if-none-match", version)];
    let first = get(&rig, "/api/items", &known).await;
    assert_eq!((first.status, &first.headers["etag"]), (StatusCode::NOT_MODIFIED, &HeaderValue::from_static(version)));
    assert!(first.body.is_empty() && !first.headers.contains_key("content-type"));
    assert!(!rig.received()[0].headers.contains_key("if-none-match"));
    assert_eq!(get(&rig, "/api/items", &known).await.status, StatusCode::NOT_MODIFIED);
    let other = get(&rig, "/api/items", &[("if-none-match", "\"other\"")]).await;
    assert_eq!((other.status, other.text()), (StatusCode::OK, "{\"no\":1}".to_owned()));
    assert_eq!(rig.received().len(), 1);
}

#[tokio::test]
async fn what_is_not_the_whole_response_to_a_get_is_not_kept() {
    let _clock = HeldClock::new();
    let rig = rig().await;
    let item = rig.get("/plain/items").await.json()["value"][0]["id"].as_str().unwrap().to_owned();
    let picture = format!("/api/items({item})/picture/pictureContent");
    let upload = format!("/plain/items({item})/picture/pictureContent");
    let headers = [("content-type", "image/png"), ("if-match", "*")];
    assert_eq!(rig.send(Method::PATCH, &upload, &headers, "x").await.status, 204);
    let before = rig.received().len();
    for (method, path, headers, status) in [
        (Method::HEAD, "/api/customers", &[][..], "bcproxy; fwd=method"),
        (Method::GET, "/api/customers", &[("range", "bytes=0-9")], "bcproxy; fwd=bypass; detail=range"),
        (Method::GET, &picture, &[], "bcproxy; fwd=bypass; detail=media"),
    ] {
        for _ in 0..2 {
            let response = rig.send(method.clone(), path, headers, "").await;
            assert_eq!(said(&response), status, "{method} {path}");
        }
    }
    let with_body = rig.send(Method::GET, "/api/customers", &[], "x").await;
    assert_eq!(said(&with_body), "bcproxy; fwd=bypass; detail=body");
    assert_eq!(rig.received().len(), before + 7);
}

#[tokio::test]
async fn errors_and_responses_for_one_are_not_kept() {
    let _clock = HeldClock::new();
    let rig = rig().await;
    let ok = || Script::response(StatusCode::OK).send("{}");
    let with = |name: HeaderName, value| ok().header(name, HeaderValue::from_static(value));
    let error = |status| Script::error(status, "BadRequest", "No.");
    for (number, (script, status)) in [
        (error(StatusCode::NOT_FOUND), "bcproxy; fwd=miss"),
        (error(StatusCode::INTERNAL_SERVER_ERROR), "bcproxy; fwd=miss"),
        (Script::response(StatusCode::NO_CONTENT), "bcproxy; fwd=miss"),
        (with(header::CACHE_CONTROL, "no-store"), "bcproxy; fwd=miss"),
        (with(header::SET_COOKIE, "session=1"), "bcproxy; fwd=miss"),
        (with(header::VARY, "User-Agent"), "bcproxy; fwd=miss"),
        (ok().framing(Framing::Chunked).fill(2 << 20), "bcproxy; fwd=miss"),
    ]
    .into_iter()
    .enumerate()
    {
        rig.script(Times::Next(2), script);
        let path = format!("/api/items?$skip={number}");
        assert_eq!(said(&rig.get(&path).await), status, "{number}");
        let again = said(&rig.get(&path).await).to_owned();
        // That it is no good for sharing is remembered for a while.
        assert!([status, "bcproxy; fwd=bypass; detail=response"].contains(&again.as_str()), "{number}: {again}");
        assert_eq!(rig.received().len(), 2 * (number + 1));
    }
}

#[tokio::test]
async fn an_response_that_breaks_off_is_neither_kept_nor_taken_for_whole() {
    let rig = Plan::default().top(ROUTES).connector("limits: { wait: 1ms }").start().await;
    rig.script(Times::Next(1), Script::response(StatusCode::OK).send("begun").cut());
    let response = rig.get("/api/items").await;
    assert_eq!(response.rejection().code, "Proxy_ResponseBroken");
    assert_eq!(said(&rig.get("/api/items").await), STORED);
}

#[tokio::test]
async fn a_client_without_access_gets_no_cached_response() {
    let _clock = HeldClock::new();
    let routes = "routes:
  - { path: /api, to: api/v2.0, cache: 5s, methods: [GET] }
  - { path: /far, to: api/v2.0, cache: 5s, allow_from: [192.0.2.1] }
";
    let rig = Plan::default().top(routes).start().await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    assert_eq!(rig.get("/far/customers").await.status, 403);
    let page = [("origin", "http://evil.example")];
    assert_eq!(get(&rig, "/api/customers", &page).await.status, 403);
    assert_eq!(get(&rig, "/api/customers", &[("host", "stranger.example")]).await.status, 421);
    let other = &rig.simulator.settings().companies[2].id;
    assert_eq!(rig.get(&format!("/api/companies({other})/customers")).await.status, 403);
    let posted = rig.post_json("/api/customers", "{}").await;
    assert_eq!(posted.status, 405);
    // What was refused changed nothing.
    assert_eq!(said(&rig.get("/api/customers").await), HIT);
    assert_eq!(rig.received().len(), 1);
}

#[tokio::test]
async fn a_reload_keeps_the_responses_of_routes_that_stay_as_they_are() {
    let _clock = HeldClock::new();
    let prepared = Plan::default().top(ROUTES).prepare().await;
    let text = std::fs::read_to_string(&prepared.file).unwrap();
    let mut rig = prepared.start().await;
    let mut reload = async |text: &str| {
        let file = rig.folder.path().join("proxy.yaml");
        std::fs::write(&file, text).unwrap();
        let config = bcproxy::config::Config::load(&file).unwrap().config;
        rig.proxy.reload(&config).await.unwrap();
        rig.address()
    };
    let address = reload(&text).await;
    let get = async |path: &str| send(address, Method::GET, path, &[], "").await;
    get("/api/customers").await;
    get("/odata/Customer").await;
    reload(&text.replace("to: odata, cache: 5s", "to: odata, cache: 6s")).await;
    assert_eq!(said(&get("/api/customers").await), HIT);
    assert_eq!(said(&get("/odata/Customer").await), "bcproxy; fwd=miss; stored; ttl=6");
}

#[tokio::test]
async fn an_response_from_the_cache_waits_for_no_turn() {
    let _clock = HeldClock::new();
    let plan = Plan::default().top(ROUTES).connector("limits: { concurrency: 1, queue: 1 }");
    let rig = shared(plan).await;
    rig.get("/api/customers").await;
    let latch = bcproxy::simulator::Latch::closed();
    rig.script(Times::Always, Script::response(StatusCode::OK).hold_head(&latch));
    let held = tokio::spawn({
        let rig = rig.clone();
        async move { rig.get("/plain/items").await.status }
    });
    rig.wait_for(|received| received.len() == 2).await;
    assert_eq!(said(&rig.get("/api/customers").await), HIT);
    latch.open();
    assert_eq!(held.await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn the_log_says_what_the_cache_did() {
    let routes = ROUTES.replace("5s", "24h");
    let prepared = Plan::default().top(&routes).top("log: { format: json }").prepare().await;
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    for _ in 0..2 {
        send(address, Method::GET, "/api/customers", &[], "").await;
    }
    send(address, Method::GET, "/api/customers", &[("range", "bytes=0-1")], "").await;
    send(address, Method::GET, "/plain/customers", &[], "").await;
    for (path, cache) in
        [("/api", Some("miss")), ("/api", Some("hit")), ("/api", Some("bypass")), ("/plain", None::<&str>)]
    {
        let line = process.log_line(|line| line["path"].is_string()).await;
        assert_eq!((line["route"].as_str(), line["cache"].as_str()), (Some(path), cache), "{line}");
    }
}

#[tokio::test]
async fn explain_tells_what_the_cache_does() {
    let prepared = Plan::default().top(ROUTES).prepare().await;
    for (request, told) in [
        (
            &["GET", "/api/customers"][..],
            Some("sent unless an identical request is under way, or was answered in the last 5 s"),
        ),
        (
            &["GET", "/api/customers", "-H", "Range: bytes=0-1"],
            Some("always sent, because it requests only a part (Range)"),
        ),
        (&["HEAD", "/api/customers"], Some("always sent, because it is not a GET")),
        (
            &["DELETE", "/api/customers(1)"],
            Some("always sent, because it may change data; removes the company's entries from the cache"),
        ),
        (&["GET", "/plain/customers"], None),
    ] {
        let arguments = [&["explain"], request].concat();
        let ended = Process::start(&arguments, prepared.folder.path()).end().await;
        let line = ended.output.lines().find_map(|line| line.strip_prefix("  cache    "));
        assert_eq!(line, told, "{ended:?}");
    }
}

#[tokio::test]
async fn the_hit_rate_of_each_route_is_shown() {
    let rig = rig().await;
    let admin = AdminRig::of(&rig).await;
    let metric =
        |route: &str, result: &str| format!("bcproxy_cache_requests_total{{route=\"{route}\",result=\"{result}\"}}");
    assert_eq!(admin.metric(&metric("/api", "hit")).await, Some(0.0));
    let page = admin.page().await;
    assert!(page.contains("Cache hits") && page.contains("0 of 0 reads"), "{page}");
    for _ in 0..4 {
        assert_eq!(rig.get("/api/customers").await.status, 200);
    }
    get(&rig, "/api/customers", &[("range", "bytes=0-1")]).await;
    rig.get("/plain/customers").await;
    for (result, count) in [("hit", 3.0), ("miss", 1.0), ("bypass", 1.0), ("coalesced", 0.0)] {
        admin.wait_for(&metric("/api", result), count).await;
        assert_eq!(admin.metric(&metric("/plain", result)).await, None, "it has no cache");
    }
    let json = admin.json().await;
    let cache = |path: &str| {
        let routes = json["routes"].as_array().unwrap();
        routes.iter().find(|route| route["path"] == path).unwrap()["cache"].clone()
    };
    let expected = serde_json::json!({ "hit": 3, "coalesced": 0, "miss": 1, "bypass": 1, "hit_rate": 0.75 });
    assert_eq!(cache("/api"), expected);
    assert_eq!((&cache("/plain"), &cache("/odata")["hit_rate"]), (&Value::Null, &Value::Null));
    assert!(admin.page().await.contains("75 % <small>3 of 4 reads</small>"), "{}", admin.page().await);

    let plain = Rig::new().await;
    assert!(!AdminRig::of(&plain).await.page().await.contains("Cache hits"));
}
