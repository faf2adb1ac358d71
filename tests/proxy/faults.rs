//! Faults on the way to Business Central: what the client sees, how often the request was sent and carried out. No
//! change is ever carried out twice.

use bcproxy::simulator::{Break, Latch, Matcher, Script, Times};
use futures_util::future::join_all;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

use crate::rig::{ClientResponse, Plan, Rig};
use crate::wire::Wire;

/// The requests of a legacy program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Get,
    Post,
    Patch,
    SoapRead,
    SoapWrite,
    /// A change whose body waits on disk.
    Upload,
}

use Asked::{Get, Patch, Post, SoapRead, SoapWrite, Upload};

const ALL: [Asked; 6] = [Get, Post, Patch, SoapRead, SoapWrite, Upload];

/// What became of a request: the status its client sees, how often it reached Business Central, and how often it
/// changed something.
type Fate = (u16, usize, u64);

impl Asked {
    fn matcher(self) -> Matcher {
        match self {
            Get => Matcher::any().path_ending("/customers").method(Method::GET),
            Post => Matcher::any().path_ending("/customers").method(Method::POST),
            Patch => Matcher::any().path_containing("/customers(").method(Method::PATCH),
            SoapRead | SoapWrite => Matcher::any().path_ending("/Page/Customer"),
            Upload => Matcher::any().path_ending("/pictureContent"),
        }
    }

    async fn send(self, rig: &Rig, customer: &str, item: &str) -> ClientResponse {
        let json = ("content-type", "application/json");
        let xml = [("content-type", "text/xml; charset=utf-8"), ("soapaction", "\"\"")];
        match self {
            Get => rig.get("/api/customers").await,
            Post => rig.post_json("/api/customers", r#"{"displayName":"Once Ltd."}"#).await,
            Patch => {
                let path = format!("/api/customers({customer})");
                let headers = [json, ("if-match", "*")];
                rig.send(Method::PATCH, &path, &headers, r#"{"displayName":"Changed Ltd."}"#).await
            }
            SoapRead => {
                let call = page("<Read><No>10000</No></Read>");
                rig.send(Method::POST, "/soap/Page/Customer", &xml, call).await
            }
            SoapWrite => {
                let call = page("<Create><Customer><Name>Once Ltd.</Name></Customer></Create>");
                rig.send(Method::POST, "/soap/Page/Customer", &xml, call).await
            }
            Upload => {
                let path = format!("/api/items({item})/picture/pictureContent");
                let headers = [("content-type", "image/png"), ("if-match", "*")];
                rig.send(Method::PATCH, &path, &headers, vec![b'x'; 2 << 20]).await
            }
        }
    }

    /// The status of its answer when nothing goes wrong.
    fn success(self) -> u16 {
        match self {
            Post => 201,
            Upload => 204,
            _ => 200,
        }
    }

    fn changes(self) -> u64 {
        u64::from(!matches!(self, Get | SoapRead))
    }

    /// Sent so often, and answered as if nothing had happened.
    fn done_after(self, times: usize) -> Fate {
        (self.success(), times, self.changes())
    }

    /// Sent once; what it changed, if it was carried out, is not known to its client.
    fn failed(self, status: u16, is_carried_out: bool) -> Fate {
        (status, 1, if is_carried_out { self.changes() } else { 0 })
    }

    fn only_reads(self) -> bool {
        matches!(self, Get | SoapRead)
    }
}

fn page(operation: &str) -> String {
    let operation = operation.replacen('>', " xmlns=\"urn:microsoft-dynamics-schemas/page/customer\">", 1);
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{operation}</s:Body></s:Envelope>"
    )
}

/// Sends each request into the trouble `prepare` makes for it and compares what became of it.
async fn check(
    known_error: &str,
    plan: impl Fn() -> Plan,
    prepare: impl AsyncFn(&Rig, Asked),
    fate: impl Fn(Asked) -> Fate,
) {
    let cases = ALL.into_iter().map(async |asked| {
        let rig = plan().start().await;
        let first = async |set| rig.get(set).await.json()["value"][0]["id"].as_str().unwrap().to_owned();
        let (customer, item) = (first("/api/customers").await, first("/api/items").await);
        let before = rig.received().len();
        prepare(&rig, asked).await;
        let response = asked.send(&rig, &customer, &item).await;
        let is_ours = response.headers.get("proxy-status").is_some_and(|it| it.to_str().unwrap().contains("; error="));
        let status = if is_ours { response.rejection().status } else { response.status.as_u16() };
        let became = (status, rig.received().len() - before, rig.simulator.business_central().writes());
        assert_eq!(became, fate(asked), "{known_error}, {asked:?}: {}", String::from_utf8_lossy(&response.body));
        // The proxy is as it was.
        rig.simulator.business_central().clear_scripts();
        assert_eq!(rig.get("/api/customers?$top=1").await.status, 200, "after {known_error}, {asked:?}");
    });
    join_all(cases).await;
}

/// The same, for a first answer that goes by a script.
async fn check_script(known_error: &str, script: Script, fate: impl Fn(Asked) -> Fate) {
    let prepare = async |rig: &Rig, asked: Asked| {
        rig.simulator.business_central().script(asked.matcher(), Times::Next(1), script.clone());
    };
    check(known_error, Plan::default, prepare, fate).await;
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_response() {
    for how in [Break::Reset, Break::Cut] {
        for is_carried_out in [false, true] {
            let script = if is_carried_out { Script::ordinary() } else { Script::response(StatusCode::OK) };
            check_script("no answer", script.break_before_response(how), |asked| match asked.only_reads() {
                true => asked.done_after(2),
                false => asked.failed(502, is_carried_out),
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_of_the_response() {
    check_script("a cut answer", Script::ordinary().cut_after(10), |asked| match asked {
        Get | SoapRead => asked.done_after(2),
        // Its answer has no body.
        Upload => asked.done_after(1),
        Post | Patch | SoapWrite => asked.failed(502, true),
    })
    .await;
}

#[tokio::test]
async fn a_pooled_connection_that_has_ended() {
    let close = async |rig: &Rig, _| rig.simulator.close_connections().await;
    check("a stale connection", Plan::default, close, |asked| asked.done_after(1)).await;
}

#[tokio::test]
async fn no_connection_to_be_had_at_first() {
    let reject = async |rig: &Rig, _| {
        rig.simulator.close_connections().await;
        rig.simulator.business_central().reject_connections(Times::Next(2));
    };
    check("refused connections", Plan::default, reject, |asked| asked.done_after(1)).await;
    let reject_all = async |rig: &Rig, _| {
        rig.simulator.close_connections().await;
        // The first attempt and three more.
        rig.simulator.business_central().reject_connections(Times::Next(4));
    };
    check("no connections", Plan::default, reject_all, |_| (502, 0, 0)).await;
}

#[tokio::test]
async fn a_token_that_is_rejected() {
    check_script("a 401", Script::unauthorized(), |asked| asked.done_after(2)).await;
    let always = async |rig: &Rig, asked: Asked| {
        rig.simulator.business_central().script(asked.matcher(), Times::Always, Script::unauthorized());
    };
    check("401s", Plan::default, always, |_| (502, 2, 0)).await;
}

#[tokio::test]
async fn an_application_that_asks_too_much() {
    for retry_after in [None, Some(1)] {
        let busy = Script::busy(StatusCode::TOO_MANY_REQUESTS, retry_after);
        check_script("a 429", busy, |asked| asked.done_after(2)).await;
    }
}

#[tokio::test]
async fn a_service_that_is_not_available() {
    let busy = |retry_after| Script::busy(StatusCode::SERVICE_UNAVAILABLE, retry_after);
    let only_reads = |asked: Asked| match asked.only_reads() {
        true => asked.done_after(2),
        false => asked.failed(503, false),
    };
    check_script("a 503 that says too little", busy(None), only_reads).await;
    let odd = Script::error(StatusCode::SERVICE_UNAVAILABLE, "Internal_ServerError", "Try again.");
    let odd = odd.header(hyper::header::RETRY_AFTER, hyper::header::HeaderValue::from_static("1"));
    check_script("a 503 for another reason", odd, only_reads).await;
    check_script("a 503 that began nothing", busy(Some(1)), |asked| asked.done_after(2)).await;
    check_script("a 502", Script::response(StatusCode::BAD_GATEWAY), |asked| match asked.only_reads() {
        true => asked.done_after(2),
        false => asked.failed(502, false),
    })
    .await;
}

#[tokio::test]
async fn a_request_that_took_too_long() {
    for status in [StatusCode::GATEWAY_TIMEOUT, StatusCode::REQUEST_TIMEOUT] {
        let script = Script::response(status).header(hyper::header::RETRY_AFTER, 1.into());
        check_script("too late", script, |asked| asked.failed(status.as_u16(), false)).await;
    }
    let latch = Latch::closed();
    let hold = async |rig: &Rig, asked: Asked| {
        rig.simulator.business_central().script(asked.matcher(), Times::Next(1), Script::ordinary().hold_head(&latch));
    };
    let impatient = || Plan::default().connector("timeouts: { head: 1s }");
    check("no answer in time", impatient, hold, |asked| asked.failed(504, true)).await;
}

/// A response whose head has this many lines of this length.
fn with_lines(lines: usize, length: usize) -> Script {
    let value = HeaderValue::from_bytes(&vec![b'x'; length]).unwrap();
    (0..lines).fold(Script::response(StatusCode::OK).send("{}"), |script, number| {
        script.header(HeaderName::try_from(format!("x-line-{number}")).unwrap(), value.clone())
    })
}

#[tokio::test]
async fn a_response_with_many_header_lines_passes_and_too_many_are_told() {
    let rig = Rig::new().await;
    for (lines, length) in [(150, 20), (128, 1000)] {
        rig.script(Times::Next(1), with_lines(lines, length));
        // Raw, because the client of the tests takes no more than a hundred lines.
        let mut client = Wire::connect(rig.address()).await;
        client.send("GET /api/items HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let (head, body) = client.response().await;
        assert!(head.status() == StatusCode::OK && body == b"{}", "{lines} of {length}");
        assert_eq!(head.headers().keys().filter(|name| name.as_str().starts_with("x-line-")).count(), lines);
    }
    for (lines, length) in [(300, 20), (200, 1500)] {
        rig.script(Times::Next(1), with_lines(lines, length));
        let rejection = rig.get("/api/items").await.rejection();
        assert_eq!((rejection.status, rejection.code.as_str()), (502, "Proxy_ResponseBroken"), "{lines} of {length}");
        let message = rejection.message;
        assert!(message.contains("a head that is too large (256 lines and 128 KiB at most)"), "{message}");
    }
}

#[tokio::test]
async fn a_switch_of_protocols_that_nobody_asked_for_reaches_no_client() {
    let rig = Rig::new().await;
    assert_eq!(rig.get("/api/items").await.status, 200);
    rig.script(Times::Next(1), Script::response(StatusCode::SWITCHING_PROTOCOLS));
    let rejection = rig.get("/api/items").await.rejection();
    assert_eq!((rejection.status, rejection.code.as_str()), (502, "Proxy_ResponseBroken"));
    assert!(rejection.message.contains("switches protocols"), "{}", rejection.message);
    assert_eq!(rig.get("/api/items").await.status, 200);
    let connections: Vec<u64> = rig.received().iter().map(|received| received.connection).collect();
    let [before, switched, after] = connections.as_slice() else { panic!("{connections:?}") };
    assert!(before == switched && after != switched, "{connections:?}");
}
