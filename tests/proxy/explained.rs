//! `bcproxy explain` tells of a request what then really happens to it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use bcproxy::simulator::Received;
use hyper::HeaderMap;
use serde_json::{Value, json};

use crate::batch_bad::gzip;
use crate::process::Process;
use crate::rig::{ClientResponse, Plan, Prepared, Rig, SOAP_ECHO};
use crate::users::{KEY, PASSWORD, basic, write_users};
use crate::wire::Wire;

const JSON: &str = "Content-Type: application/json";
const XML: &str = "Content-Type: text/xml; charset=utf-8";
/// The first message of an NTLM handshake.
const TYPE_1: &str = "Authorization: NTLM TlRMTVNTUAABAAAABoIIAAAAAAAAAAAAAAAAAAAAAAA=";
const NAME: &str = "CRONUS%20International%20Ltd.";

/// Every surface, a partner's API, a route of its own rules and one without a company.
const ROUTES: &str = "routes:
  - { path: /api, to: api/v2.0 }
  - { path: /warehouse, to: api/cronus/warehouse/v1.0 }
  - { path: /odata, to: odata }
  - { path: /soap, to: soap }
  - { path: /nav, to: nav }
  - { path: /all, to: environment }
  - { path: /read, to: api/v2.0, methods: [GET] }
  - { path: /ruled, to: api/v2.0, if_match: \"*\", headers: { request: { set: { Accept-Language: de-DE }, remove: [X-Debug] }, response: { set: { X-From: bcproxy }, remove: [OData-Version] } } }
  - { path: /elsewhere, to: odata, allow_from: [192.0.2.0/24] }
  - { path: /free, to: odata, connector: free }
";

/// A request, in the words of both sides.
struct Asked<'a> {
    method: &'a str,
    target: &'a [u8],
    headers: &'a [&'a str],
    body: Vec<u8>,
}

fn asked<'a>(method: &'a str, target: &'a (impl AsRef<[u8]> + ?Sized), headers: &'a [&'a str]) -> Asked<'a> {
    Asked { method, target: target.as_ref(), headers, body: Vec::new() }
}

impl Asked<'_> {
    fn with(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// What the command tells.
    async fn explained(&self, rig: &Rig) -> Value {
        let host = format!("Host: {}", rig.address());
        let body = rig.folder.path().join("body");
        std::fs::write(&body, &self.body).unwrap();
        let mut arguments: Vec<&OsStr> =
            ["explain", "--output", "json", "--body", "body", self.method].map(OsStr::new).to_vec();
        arguments.push(OsStr::from_bytes(self.target));
        let always = [host.as_str(), "Connection: close"];
        for header in always.iter().chain(self.headers) {
            arguments.extend([OsStr::new("-H"), OsStr::new(header)]);
        }
        let ended = Process::start(&arguments, rig.folder.path()).end().await;
        assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""), "{ended:?}");
        serde_json::from_str(&ended.output).unwrap()
    }

    /// What then happens.
    async fn sent(&self, rig: &Rig) -> ClientResponse {
        let mut request = [self.method.as_bytes(), b" ", self.target, b" HTTP/1.1\r\n"].concat();
        let (host, length) = (format!("Host: {}", rig.address()), format!("Content-Length: {}", self.body.len()));
        for header in [host.as_str(), "Connection: close", &length].iter().chain(self.headers) {
            request.extend_from_slice(format!("{header}\r\n").as_bytes());
        }
        let mut client = Wire::connect(rig.address()).await;
        client.send([request.as_slice(), b"\r\n", &self.body].concat()).await;
        let (head, body) = client.response().await;
        ClientResponse { status: head.status(), headers: head.headers(), body: body.into() }
    }

    fn headers(&self, rig: &Rig) -> BTreeMap<String, String> {
        let lines = [format!("Host: {}", rig.address()), "Connection: close".to_owned()];
        let lines = lines.into_iter().chain(self.headers.iter().map(ToString::to_string));
        lines
            .map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())).unwrap())
            .collect()
    }
}

/// Checks an account of a request that is sent against what reached Business Central and what came back.
fn compare(rig: &Rig, asked: &Asked<'_>, account: &Value, sent: &Value, response: &ClientResponse) {
    let received: Received = rig.received().pop().unwrap();
    let known = |text: &Value| {
        let id = rig.simulator.settings().companies[0].id.to_string();
        text.as_str().unwrap().replace("{id of CRONUS International Ltd.}", &id)
    };
    assert_eq!(sent["method"], received.method.as_str());
    assert_eq!(known(&sent["url"]), format!("{}{}", rig.simulator.base_url(), received.target));

    let mut expected = asked.headers(rig);
    for name in sent["headers"]["removed"].as_array().unwrap() {
        assert!(expected.remove(name.as_str().unwrap()).is_some(), "{name}");
    }
    for change in ["added", "changed"] {
        for header in sent["headers"][change].as_array().unwrap() {
            let (name, value) = (header["name"].as_str().unwrap().to_owned(), header["value"].as_str().unwrap());
            let known = expected.insert(name, value.to_owned());
            assert_eq!(known.is_some(), change == "changed", "{header}");
        }
    }
    let id = response.headers["x-request-id"].to_str().unwrap();
    expected.values_mut().for_each(|value| *value = value.replace("{id of the request, as in X-Request-Id}", id));
    assert_eq!(
        expected["authorization"],
        "Bearer {token of connector cronus}".replace("cronus", account["route"]["connector"].as_str().unwrap())
    );
    let mut reached = plain(&received.headers);
    assert!(
        reached.insert("authorization".to_owned(), expected["authorization"].clone()).unwrap().starts_with("Bearer ")
    );
    assert_eq!(reached, expected, "{account:#}");

    match &sent["body"] {
        Value::Null => assert_eq!(received.body, asked.body),
        body => assert_eq!(known(body).as_bytes(), received.body),
    }

    let told = &sent["response"];
    let base = told["addresses_begin_with"].as_str().unwrap();
    // What an absolute target names, else the client's `Host`.
    let target = String::from_utf8_lossy(asked.target);
    let named = target.strip_prefix("http://").and_then(|rest| rest.split('/').next()).map(ToOwned::to_owned);
    assert_eq!(base, format!("http://{}", named.unwrap_or(rig.address().to_string())));
    let kind =
        response.headers.get("content-type").map_or("", |kind| kind.to_str().unwrap().split(';').next().unwrap());
    let is_rewritten = told["bodies"].as_array().unwrap().iter().any(|body| body["content_type"] == kind);
    let is_page = response.status.is_success() && kind == "application/json";
    assert_eq!(
        response.text().contains(&format!("@odata.context\":\"{base}/")),
        is_page && is_rewritten,
        "{}",
        response.text()
    );
    assert!(is_rewritten || !response.text().contains(base), "{kind}: {}", response.text());
    for name in told["removed"].as_array().unwrap() {
        assert!(!response.headers.contains_key(name.as_str().unwrap()), "{name}");
    }
    for header in told["set"].as_array().unwrap() {
        assert_eq!(response.headers[header["name"].as_str().unwrap()], header["value"].as_str().unwrap());
    }
}

/// Names and values, but for how long the body is.
fn plain(headers: &HeaderMap) -> BTreeMap<String, String> {
    let text = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    headers.iter().filter(|(name, _)| *name != "content-length").map(text).collect()
}

/// Checks an account against what then happens; `case` is the one that is true, of all it tells.
async fn check(rig: &Rig, asked: Asked<'_>, case: usize, cases: usize) -> Value {
    let before = rig.received().len();
    let account = asked.explained(rig).await;
    assert_eq!(rig.received().len(), before, "explaining sends nothing");
    assert_eq!(account["cases"].as_array().unwrap().len(), cases, "{account:#}");
    assert_eq!(account["cases"][0]["if"].is_null(), cases == 1, "{account:#}");
    let response = asked.sent(rig).await;
    let told = &account["cases"][case];
    if told["sent"].is_object() {
        compare(rig, &asked, &account, &told["sent"], &response);
    } else {
        let (told, rejection) = (&told["rejected"], response.rejection());
        let said = json!({"status": response.status.as_u16(), "meant": rejection.status, "code": rejection.code, "message": rejection.message});
        assert_eq!(*told, said, "{account:#}");
        assert!(rig.received().into_iter().skip(before).all(|received| received.target.ends_with("/$metadata")));
    }
    account
}

async fn rig() -> Rig {
    let free = ["company: -", "companies: { Alte Firma: My Company }"];
    Plan::default().another_connector("free", &free).top(&explained_routes()).start().await
}

fn explained_routes() -> String {
    // With two connectors a route has to say which.
    ROUTES
        .lines()
        .map(|line| match line.strip_suffix(" }") {
            Some(route) if !route.contains("connector:") => format!("{route}, connector: cronus }}\n"),
            _ => format!("{line}\n"),
        })
        .collect()
}

#[tokio::test]
async fn what_is_told_of_a_request_that_is_sent_happens() {
    let rig = rig().await;
    let id = rig.simulator.settings().companies[0].id;
    let upstream = |account: &Value| account["cases"][0]["sent"]["url"].as_str().unwrap().to_owned();
    let soap = [XML, "SOAPAction: \"urn:microsoft-dynamics-schemas/codeunit/Tools:Echo\""];
    let own = [
        "Authorization: Basic dTpw",
        "Cookie: a=b",
        "Prefer: odata.maxpagesize=2",
        "X-Forwarded-For: 1.2.3.4",
        "Via: 1.0 old",
    ];
    let compressed = [JSON, "Content-Encoding: gzip"];
    for (asked, end) in [
        (
            asked("GET", "/api/customers?$top=1", &own),
            "/api/v2.0/companies({id of CRONUS International Ltd.})/customers?$top=1",
        ),
        (
            asked("GET", "/api/companies", &[]),
            "/api/v2.0/companies?$filter=id%20eq%20{id of CRONUS International Ltd.}",
        ),
        (asked("GET", "/api/$metadata", &[]), "/api/v2.0/$metadata"),
        (
            asked("POST", "/api/salesOrders", &[JSON])
                .with(format!(r#"{{"x@odata.bind":"http://{}/api/customers(1)"}}"#, rig.address())),
            "/salesOrders",
        ),
        (
            asked("POST", "/api/$batch", &[JSON])
                .with(r#"{"requests":[{"ID":"1","method":"GET","url":"/api/customers?$top=1"}]}"#),
            "/api/v2.0/$batch",
        ),
        (
            asked("POST", "/api/$batch", &compressed)
                .with(gzip(br#"{"requests":[{"id":"1","method":"GET","url":"items"}]}"#)),
            "/api/v2.0/$batch",
        ),
        (
            asked("GET", "/warehouse/bins", &[]),
            "/api/cronus/warehouse/v1.0/companies({id of CRONUS International Ltd.})/bins",
        ),
        (
            asked("GET", "/odata/Customer?$filter=Name eq 'a+b'", &["Range: bytes=0-1"]),
            "')/Customer?$filter=Name%20eq%20'a+b'",
        ),
        (
            asked("GET", b"/odata/Customer?$filter=Name eq 'Gr\xF6\xDFe #1'", &[]),
            "Name%20eq%20'Gr%C3%B6%C3%9Fe%20%231'",
        ),
        (asked("GET", "/soap/Page/Customer?wsdl", &[]), "/WS/CRONUS%20International%20Ltd./Page/Customer?wsdl"),
        (
            asked("POST", "/soap/Codeunit/Tools", &soap).with(SOAP_ECHO),
            "/WS/CRONUS%20International%20Ltd./Codeunit/Tools",
        ),
        (
            asked("GET", "/nav/BC140/ODataV4/Company('cronus international ltd.')/Customer?tenant=x&$top=1", &[]),
            "')/Customer?$top=1",
        ),
        (
            asked("GET", "http://oldserver:7047/nav/BC140/WS/CRONUS International Ltd./Services", &[]),
            "/WS/CRONUS%20International%20Ltd./Services",
        ),
        (asked("GET", "/all/api/v2.0/companies?$top=1", &[]), "/Production/api/v2.0/companies?$top=1"),
        (
            asked("PATCH", "/ruled/customers(1)", &[JSON, "X-Debug: 1", "Accept-Language: fr"]).with("{}"),
            "/customers(1)",
        ),
        (
            asked("GET", "/free/Company('My Company')/Customer?$top=1", &[]),
            "/ODataV4/Company('My%20Company')/Customer?$top=1",
        ),
    ] {
        let account = check(&rig, asked, 0, 1).await;
        assert!(upstream(&account).ends_with(end), "{account:#}");
    }
    // Whether it is the route's company is not known without asking.
    let target = format!("/api/companies({id})/customers?$top=1");
    let account = check(&rig, asked("GET", &target, &[]), 0, 2).await;
    assert!(
        account["cases"][0]["if"].as_str().unwrap().contains("is the id of CRONUS International Ltd."),
        "{account:#}"
    );
    // Nor whether there is an action of this name.
    let account = check(&rig, asked("POST", "/odata/Tools_Echo", &[JSON]).with(r#"{"text":"x"}"#), 0, 2).await;
    assert!(upstream(&account).ends_with(&format!("/ODataV4/Tools_Echo?company={NAME}")), "{account:#}");
    check(&rig, asked("POST", "/odata/Chart_of_Accounts", &[JSON]).with("{}"), 1, 2).await;
    check(&rig, asked("GET", "/api/subscriptions", &[]), 0, 1).await;
    // Nor what a subscription is about, until it is looked at; there is none of this name.
    let account = asked("DELETE", "/api/subscriptions('x')", &["If-Match: *"]).explained(&rig).await;
    assert!(account["cases"][0]["sent"]["url"].as_str().unwrap().ends_with("/subscriptions('x')"), "{account:#}");
    assert_eq!(account["cases"][1]["if"], "the subscription is about another company");
    assert_eq!(account["cases"][1]["rejected"]["meant"], 403);
}

#[tokio::test]
async fn what_is_told_of_a_request_that_is_rejected_is_its_response() {
    let rig = rig().await;
    let other = rig.simulator.settings().companies[2].id;
    for (asked, meant) in [
        (asked("GET", "/api/customers/../companies", &[]), 400),
        (asked("GET", "/api/customers%zz", &[]), 400),
        (asked("GET", "/nowhere", &[]), 404),
        (asked("GET", "/unrouted/ODataV4/Company('X')/Y", &[]), 404),
        (asked("GET", "/odata/Company('My Company')/Customer", &[]), 403),
        (asked("GET", "/odata/Customer", &["Company: My Company"]), 403),
        (asked("GET", "/odata/Customer?tenant=x", &[]), 403),
        (asked("GET", "/soap/Customer", &[]), 404),
        (asked("POST", "/soap/Page/Customer", &[XML]), 400),
        (asked("GET", "/nav/BC140/OData/Customer", &[]), 501),
        (asked("GET", "/nav/v2.0/other.example/Production/ODataV4/Customer", &[]), 403),
        (asked("POST", "/nav/BC/WS/My Company/Page/Customer", &[XML]).with(SOAP_ECHO), 403),
        (asked("POST", "/read/customers", &[JSON]).with("{}"), 405),
        (asked("GET", "/read/customers", &["X-HTTP-Method: delete"]), 405),
        (asked("GET", "/elsewhere/Customer", &[]), 403),
        (asked("GET", "/free/Customer", &[]), 400),
        (asked("TRACE", "/api/customers", &[]), 405),
        (asked("GET", "/api/customers", &["Host: two"]), 400),
        (asked("GET", "http://evil.example/api/customers", &[]), 421),
        (asked("GET", "/api/customers", &["Origin: http://evil.example"]), 403),
        (asked("GET", "/api/customers", &["Sec-Fetch-Site: cross-site"]), 403),
        (asked("POST", "/soap/Codeunit/Tools", &[XML, "Origin: null"]).with(SOAP_ECHO), 403),
        (asked("GET", "/", &["Accept-Language: en", "Referer: http://evil.example/"]), 403),
        (asked("GET", "/api/customers", &["Authorization: NTLM eA=="]), 400),
        (asked("GET", "http://evil.example/api/customers", &[TYPE_1]), 421),
        (asked("GET", "/nowhere", &[TYPE_1]), 404),
        (asked("GET", "/elsewhere/Customer", &[TYPE_1]), 403),
        (asked("POST", "/api/$batch", &["Content-Type: multipart/mixed"]).with("x"), 415),
        (asked("POST", "/api/$batch", &[JSON]).with("{"), 400),
        (
            asked("POST", "/odata/$batch", &[JSON])
                .with(r#"{"requests":[{"id":"1","method":"GET","url":"Customer?company='My Company'"}]}"#),
            403,
        ),
        (asked("POST", "/api/salesOrders", &[JSON]).with(r#"{"x@odata.bind":"customers(1)?tenant=y"}"#), 403),
    ] {
        let account = check(&rig, asked, 0, 1).await;
        assert_eq!(account["cases"][0]["rejected"]["meant"], meant, "{account:#}");
        assert_eq!(account["notes"], json!([]), "what is refused needs no look-up to tell");
    }
    // Refused in the one case, and that is the one.
    let targets = [format!("/api/companies({other})/customers"), format!("/api/customers?company={other}")];
    for target in &targets {
        check(&rig, asked("GET", target, &[]), 1, 2).await;
    }
    let body =
        json!({"notificationUrl": "https://x.example", "resource": format!("/api/v2.0/companies({other})/customers")});
    check(&rig, asked("POST", "/api/subscriptions", &[JSON]).with(body.to_string()), 1, 2).await;
}

#[tokio::test]
async fn what_is_no_http_is_told_as_it_is_answered() {
    let rig = rig().await;
    for (method, target, header) in
        [("G@T", "/api", "A: b"), ("GET", "/api/\u{1}", "A: b"), ("POST", "/soap", "SOAPAction x: b")]
    {
        let headers = [header];
        let asked = asked(method, target, &headers);
        let account = asked.explained(&rig).await;
        let response = asked.sent(&rig).await;
        let rejected = &account["cases"][0]["rejected"];
        assert_eq!(
            (rejected["status"].as_u64(), &rejected["code"]),
            (Some(response.status.as_u16().into()), &json!("Proxy_Unreadable"))
        );
        assert!(response.text().contains(rejected["message"].as_str().unwrap()), "{account:#}");
    }
}

#[tokio::test]
async fn what_a_client_has_to_prove_is_told() {
    let prepared = Plan::default()
        .top(
            "users: users.txt
listen: { address: 127.0.0.1:0, client_auth: api_key }
clients: { till: { user: anna, read_only: true } }
routes:
  - { path: /api, to: api/v2.0 }
  - { path: /basic, to: api/v2.0, client_auth: [ basic, ntlm ] }
  - { path: /open, to: api/v2.0, client_auth: none }",
        )
        .prepare()
        .await;
    write_users(prepared.folder.path());
    let rig = prepared.start().await;
    let (key, password) = (format!("X-Api-Key: {KEY}"), format!("Authorization: {}", basic("Anna", PASSWORD)));
    check(&rig, asked("GET", "/api/customers", &[]), 0, 1).await;
    check(&rig, asked("GET", "/open/customers", &[&key]), 0, 1).await;
    let account = check(&rig, asked("GET", "/api/customers", &[&key]), 0, 1).await;
    assert_eq!(account["notes"][0], "The client must prove who it is. This assumes that its API key is right.");
    let account = check(&rig, asked("GET", "/basic/customers", &[&password]), 0, 1).await;
    assert!(account["notes"][1].as_str().unwrap().starts_with("The client is `till` of `clients`"), "{account:#}");
    check(&rig, asked("POST", "/basic/customers", &[&password, JSON]).with("{}"), 0, 1).await;
    let missing = asked("GET", "/basic/customers", &[]).explained(&rig).await;
    assert_eq!(missing["cases"][0]["rejected"]["status"], 401, "{missing:#}");
    let begins = asked("GET", "/basic/customers", &[TYPE_1]).explained(&rig).await;
    assert_eq!(begins["cases"][0]["challenged"]["scheme"], "NTLM", "{begins:#}");
}

#[tokio::test]
async fn a_handshake_is_told_as_one() {
    let rig = rig().await;
    let headers = ["Authorization: Negotiate TlRMTVNTUAABAAAA"];
    let account = asked("GET", "/api/customers", &headers).explained(&rig).await;
    assert_eq!(account["cases"][0]["challenged"], json!({"status": 401, "scheme": "Negotiate"}));
}

#[tokio::test]
async fn it_needs_no_secret_and_shows_none() {
    let Prepared { simulator: _simulator, folder, file } = Plan::default().prepare().await;
    std::fs::remove_file(folder.path().join("secret.txt")).unwrap();
    let credentials = "Authorization: Basic c2VjcmV0fnVzZXI=";
    for output in ["text", "json"] {
        let arguments = ["explain", "GET", "/api/customers", "-H", credentials, "--output", output];
        let ended = Process::start(&arguments, file.parent().unwrap()).end().await;
        assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""), "{ended:?}");
        assert!(ended.output.contains("/customers") && ended.output.contains("{token of connector cronus}"));
        assert!(!ended.output.contains("c2VjcmV0"), "{}", ended.output);
    }
}
