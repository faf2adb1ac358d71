//! The simulator, seen from outside: over real sockets and TLS, as a proxy sees it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bcproxy::simulator::{Break, Fault, Framing, Gate, Matcher, Outcome, Received, Script, Settings, Simulator, Times};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use reqwest::{Client, RequestBuilder, Response};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

const SCOPE: &str = "https://api.businesscentral.dynamics.com/.default";
const CUSTOMER_NAMESPACE: &str = "urn:microsoft-dynamics-schemas/page/customer";

/// A simulator and a client that trusts it.
struct World {
    simulator: Simulator,
    client: Client,
}

impl World {
    async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let simulator = Simulator::start(settings).await.unwrap();
        let client = client_for(&simulator);
        Self { simulator, client }
    }

    fn token_request(&self, form: &[(&str, &str)]) -> RequestBuilder {
        let settings = self.simulator.settings();
        let url = format!("{}/{}/oauth2/v2.0/token", self.simulator.authority(), settings.tenant_id);
        self.client.post(url).form(form)
    }

    async fn token(&self) -> String {
        let settings = self.simulator.settings();
        let client_id = settings.client_id.to_string();
        let answer = self.token_request(&form(&client_id, &settings.client_secret)).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// The environment's address.
    fn root(&self) -> String {
        let settings = self.simulator.settings();
        format!("{}/v2.0/{}/{}", self.simulator.base_url(), settings.tenant_id, settings.environment)
    }

    /// The address of the first company's customers.
    fn customers(&self) -> String {
        format!("{}/api/v2.0/companies({})/customers", self.root(), self.simulator.settings().companies[0].id)
    }

    async fn get(&self, url: &str) -> Response {
        self.client.get(url).bearer_auth(self.token().await).send().await.unwrap()
    }

    async fn get_json(&self, url: &str) -> Value {
        let response = self.get(url).await;
        assert_eq!(response.status(), StatusCode::OK, "{url}");
        response.json().await.unwrap()
    }

    async fn soap(&self, service: &str, body: &str) -> Response {
        let url = format!("{}/WS/CRONUS%20International%20Ltd./{service}", self.root());
        let body = format!(
            "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>{body}</s:Body></s:Envelope>"
        );
        let request = self.client.post(url).bearer_auth(self.token().await);
        request.header("content-type", "text/xml; charset=utf-8").body(body).send().await.unwrap()
    }

    async fn soap_result(&self, service: &str, body: &str) -> String {
        let response = self.soap(service, body).await;
        assert_eq!(response.status(), StatusCode::OK, "{body}");
        response.text().await.unwrap()
    }

    async fn wait_for(&self, predicate: impl FnMut(&[Received]) -> bool) {
        let waiting = self.simulator.wait_for(predicate);
        tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("the event never came");
    }
}

fn client_for(simulator: &Simulator) -> Client {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(simulator.ca_pem().as_bytes()).unwrap()).unwrap();
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let redirects = reqwest::redirect::Policy::none();
    Client::builder().tls_backend_preconfigured(tls).no_proxy().redirect(redirects).build().unwrap()
}

fn form<'a>(client_id: &'a str, secret: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", secret), ("scope", SCOPE)]
}

/// The text of the first element of this name.
fn xml_text(xml: &str, name: &str) -> String {
    let document = roxmltree::Document::parse(xml).unwrap();
    let element = document.descendants().find(|node| node.tag_name().name() == name);
    element.and_then(|node| node.text()).unwrap_or_default().to_owned()
}

fn count(xml: &str, element: &str) -> usize {
    xml.matches(&format!("<{element}>")).count()
}

#[tokio::test]
async fn a_token_request_must_be_right_in_every_part() {
    let world = World::new().await;
    let settings = world.simulator.settings().clone();
    let client_id = settings.client_id.to_string();
    let right = form(&client_id, &settings.client_secret);
    world.simulator.entra().expire_secret(settings.client_id, "old");

    for (parameter, value, error, code) in [
        ("grant_type", Some("password"), "unsupported_grant_type", 70003),
        ("grant_type", None, "invalid_request", 900144),
        ("client_id", Some("00000000-0000-0000-0000-000000000001"), "unauthorized_client", 700016),
        ("client_id", None, "invalid_request", 900144),
        ("client_secret", Some("wrong"), "invalid_client", 7000215),
        ("client_secret", Some("old"), "invalid_client", 7000222),
        ("client_secret", None, "invalid_client", 7000218),
        ("scope", Some("https://graph.microsoft.com/.default"), "invalid_scope", 70011),
        ("scope", Some("API.ReadWrite.All"), "invalid_scope", 1002012),
        ("scope", None, "invalid_request", 900144),
    ] {
        let mut form = right.clone();
        form.retain(|(name, _)| *name != parameter);
        form.extend(value.map(|value| (parameter, value)));
        let answer = world.token_request(&form).send().await.unwrap();
        assert!(answer.status().is_client_error());
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["error"], error, "{parameter} {value:?}");
        assert_eq!(answer["error_codes"], json!([code]), "{parameter} {value:?}");
        assert!(answer["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{code}: ")));
    }

    let authority = world.simulator.authority();
    for (tenant, code) in [("contoso.com", Some(90002)), ("CRONUS.onmicrosoft.com", None)] {
        let url = format!("{authority}/{tenant}/oauth2/v2.0/token");
        let answer = world.client.post(url).form(&right).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["error_codes"][0].as_u64(), code, "{tenant}");
        assert_eq!(answer["access_token"].is_string(), code.is_none());
    }
    let url = format!("{authority}/{}/oauth2/v2.0/token", settings.tenant_id);
    let answer: Value = world.client.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["error_codes"], json!([900561]));
    let answer: Value = world.client.post(&url).json(&right).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["error_codes"], json!([900144]));
    assert_eq!(world.simulator.token_requests(), 14);
}

#[tokio::test]
async fn tokens_are_unique_and_look_like_entras() {
    use base64::Engine;
    let world = World::new().await;
    world.simulator.entra().set_lifetime(Duration::from_secs(600), Some(Duration::from_secs(300)));
    let settings = world.simulator.settings();
    let client_id = settings.client_id.to_string();
    let answer = world.token_request(&form(&client_id, &settings.client_secret)).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!((&answer["expires_in"], &answer["refresh_in"]), (&json!(600), &json!(300)));
    let token = answer["access_token"].as_str().unwrap();
    assert_ne!(token, world.token().await);
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["tid"], settings.tenant_id.to_string());
    assert_eq!(claims["appid"], client_id);
    assert_eq!(claims["roles"], json!(["API.ReadWrite.All"]));
}

#[tokio::test]
async fn entras_faults_come_and_go() {
    let world = World::new().await;
    let entra = world.simulator.entra();
    let settings = world.simulator.settings();
    let client_id = settings.client_id.to_string();
    let request = || world.token_request(&form(&client_id, &settings.client_secret)).send();

    entra.fail(Fault::unavailable(Some(7)), Times::Next(2));
    for _ in 0..2 {
        let answer = request().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()["retry-after"], "7");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"], "temporarily_unavailable");
    }
    assert_eq!(request().await.unwrap().status(), StatusCode::OK);

    entra.fail(Fault::Html(StatusCode::OK), Times::Always);
    assert!(request().await.unwrap().text().await.unwrap().starts_with("<!DOCTYPE html>"));

    entra.fail(Fault::Unreachable, Times::Always);
    assert!(request().await.is_err());
    let stranger = client_for(&world.simulator);
    assert!(stranger.get(world.simulator.authority()).send().await.is_err());
    assert!(entra.refused_connections() > 0);

    let gate = Gate::closed();
    entra.fail(Fault::Held(gate.clone()), Times::Next(1));
    let before = world.simulator.token_requests();
    let release = async {
        entra.wait_for_token_requests(before + 1).await;
        gate.open();
    };
    let (answer, ()) = tokio::join!(request(), release);
    assert_eq!(answer.unwrap().status(), StatusCode::OK);

    entra.replace_secrets(settings.client_id, "new");
    assert_eq!(request().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn only_a_current_token_of_this_tenant_with_the_role_is_accepted() {
    let world = World::new().await;
    let url = world.customers();
    let status = |request: RequestBuilder| async { request.send().await.unwrap().status() };

    let answer = world.client.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    assert!(answer.headers().contains_key("set-cookie"));
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["error"]["code"], "Authentication_InvalidCredentials");
    assert!(answer["error"]["message"].as_str().unwrap().contains("  CorrelationId:  "));

    let token = world.token().await;
    assert_eq!(status(world.client.get(&url).bearer_auth("made up")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(world.client.get(&url).bearer_auth(&token)).await, StatusCode::OK);
    let elsewhere = url.replace(&world.simulator.settings().tenant_id.to_string(), "contoso.com");
    assert_eq!(status(world.client.get(elsewhere).bearer_auth(&token)).await, StatusCode::UNAUTHORIZED);

    world.simulator.revoke_tokens();
    assert_eq!(status(world.client.get(&url).bearer_auth(&token)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(world.get(&url).await.status(), StatusCode::OK);

    world.simulator.entra().set_roles(&[]);
    assert_eq!(world.get(&url).await.status(), StatusCode::UNAUTHORIZED);
    world.simulator.entra().set_roles(&["API.ReadWrite.All"]);
    world.simulator.entra().set_lifetime(Duration::ZERO, None);
    assert_eq!(world.get(&url).await.status(), StatusCode::UNAUTHORIZED);

    let accepted: Vec<bool> = world.simulator.received().iter().map(Received::token_accepted).collect();
    assert_eq!(accepted, [false, false, true, true, false, true, false, false]);
}

#[tokio::test]
async fn addresses_lead_where_they_should_or_nowhere() {
    let world = World::new().await;
    let root = world.root();
    let id = world.simulator.settings().companies[1].id;
    let name = "M%C3%BCller%20%26%20S%C3%B6hne%27%27s%20Gro%C3%9Fhandel";
    for (path, status, code) in [
        ("/api/v2.0", 200, ""),
        ("/api/v2.0/companies", 200, ""),
        (&format!("/api/v2.0/companies({id})/items?$top=1"), 200, ""),
        (&format!("/api/v2.0/vendors?company={id}"), 200, ""),
        ("/api/v2.0/companies(00000000-0000-0000-0000-000000000000)/items", 404, "Internal_CompanyNotFound"),
        (&format!("/api/v2.0/companies({id})/unknown"), 404, "BadRequest_ResourceNotFound"),
        (&format!("/api/v2.0/companies({id})/items(x)"), 404, "BadRequest_NotFound"),
        (&format!("/api/v2.0/companies({id})/items?$filter=x"), 400, "BadRequest"),
        (&format!("/api/cronus/warehouse/v1.0/companies({id})/bins"), 200, ""),
        ("/ODataV4", 200, ""),
        ("/ODataV4/Company", 200, ""),
        (&format!("/ODataV4/Company('{name}')/Customer('10000')"), 200, ""),
        (&format!("/ODataV4/Company(Id={id})/Customers"), 200, ""),
        (&format!("/ODataV4/Item?company='{name}'"), 200, ""),
        ("/ODataV4/Company('m%C3%BCller')/Customer", 404, "Internal_CompanyNotFound"),
        ("/WS/Services", 200, ""),
        ("/elsewhere", 404, "BadRequest_ResourceNotFound"),
    ] {
        let response = world.get(&format!("{root}{path}")).await;
        assert_eq!(response.status(), status, "{path}");
        if status != 200 {
            assert_eq!(response.json::<Value>().await.unwrap()["error"]["code"], code, "{path}");
        }
    }
    let elsewhere = root.replace("/Production", "/Sandbox") + "/api/v2.0/companies";
    let response = world.get(&elsewhere).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let expected = json!({"error": {"code": "NoEnvironment", "message": "Environment does not exist."}});
    assert_eq!(response.json::<Value>().await.unwrap(), expected);
    let without_tenant = format!("{}/v2.0/production/api/v2.0/companies", world.simulator.base_url());
    let companies = world.get_json(&without_tenant).await;
    let context = format!("{}/v2.0/production/api/v2.0/$metadata#companies", world.simulator.base_url());
    assert_eq!(companies["@odata.context"], context);
    assert_eq!(companies["value"][1]["name"], "Müller & Söhne's Großhandel");
}

#[tokio::test]
async fn a_request_that_names_no_company_lands_in_the_default_one() {
    let world = World::new().await;
    let url = format!("{}/api/v2.0/customers", world.root());
    let request = world.client.post(&url).bearer_auth(world.token().await).json(&json!({"displayName": "Lost"}));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(world.simulator.business_central().customers("My Company"), Some(51));

    let strict = World::with(Settings { default_company: None, ..Settings::default() }).await;
    let response = strict.get(&format!("{}/api/v2.0/customers", strict.root())).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.json::<Value>().await.unwrap()["error"]["code"], "Internal_CompanyNotFound");
}

#[tokio::test]
async fn paging_visits_every_customer_once() {
    let world = World::new().await;
    let odata = format!("{}/ODataV4/Company('CRONUS%20International%20Ltd.')/Customers", world.root());
    for (start, number, expected, pages) in [
        (world.customers(), "number", 50, 3),
        (format!("{}?$top=45&$skip=1&$select=number", world.customers()), "number", 45, 3),
        (format!("{}?$orderby=city%20desc,number&$filter=balance%20ge%20125", world.customers()), "number", 40, 2),
        (odata, "No", 50, 3),
    ] {
        let (mut seen, mut visited) = (BTreeSet::new(), 0);
        let mut next = Some(start.clone());
        while let Some(url) = next {
            let page = world.get_json(&url).await;
            for customer in page["value"].as_array().unwrap() {
                assert!(seen.insert(customer[number].as_str().unwrap().to_owned()));
            }
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
            if let Some(link) = &next {
                assert!(link.contains("aid=FIN&$skiptoken="), "{link}");
                assert!(link.starts_with(&world.root()), "{link}");
            }
            visited += 1;
        }
        assert_eq!((seen.len(), visited), (expected, pages), "{start}");
    }
    let token = world.token().await;
    let request = world.client.get(world.customers()).bearer_auth(token).header("prefer", "odata.maxpagesize=100");
    let page: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(page["value"].as_array().unwrap().len(), 50);
    let counted = world.get_json(&format!("{}?$count=true&$top=1", world.customers())).await;
    assert_eq!((&counted["@odata.count"], &counted["@odata.nextLink"]), (&json!(50), &Value::Null));
}

#[tokio::test]
async fn writes_follow_the_rules_of_concurrency() {
    let world = World::new().await;
    let token = world.token().await;
    let send = |method: Method, url: &str, tag: Option<&str>, body: Value| {
        let mut request = world.client.request(method, url).bearer_auth(&token).json(&body);
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        async { request.send().await.unwrap() }
    };
    let customer = json!({"displayName": "Ødegård & Co", "website": "https://x.example"});
    let created = send(Method::POST, &world.customers(), None, customer).await;
    assert_eq!(created.status(), StatusCode::CREATED);
    let location = created.headers()["location"].to_str().unwrap().to_owned();
    let created: Value = created.json().await.unwrap();
    let (etag, number) = (created["@odata.etag"].as_str().unwrap(), created["number"].as_str().unwrap());
    assert!(etag.starts_with("W/\"JzQ0O"), "{etag}");
    assert_eq!(world.get_json(&location).await["displayName"], "Ødegård & Co");

    let change = json!({"city": "Oslo"});
    for (tag, status) in [
        (None, StatusCode::PRECONDITION_FAILED),
        (Some("nonsense"), StatusCode::PRECONDITION_FAILED),
        (Some("W/\"JzQ0O29sZCc=\""), StatusCode::CONFLICT),
        (Some(etag), StatusCode::OK),
        (Some(etag), StatusCode::CONFLICT),
        (Some("*"), StatusCode::OK),
    ] {
        assert_eq!(send(Method::PATCH, &location, tag, change.clone()).await.status(), status, "{tag:?}");
    }
    for (body, status) in [
        (json!({"colour": "red"}), StatusCode::BAD_REQUEST),
        (json!({"city": 7}), StatusCode::BAD_REQUEST),
        (json!({"balance": 7}), StatusCode::BAD_REQUEST),
        (json!({"number": "10000"}), StatusCode::BAD_REQUEST),
        (json!({"city": "x".repeat(31)}), StatusCode::BAD_REQUEST),
        (json!([]), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(send(Method::PATCH, &location, Some("*"), body.clone()).await.status(), status, "{body}");
    }
    let plain =
        world.client.post(world.customers()).bearer_auth(&token).header("content-type", "text/plain").body("{}");
    assert_eq!(plain.send().await.unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(send(Method::PUT, &location, None, json!({})).await.status(), StatusCode::METHOD_NOT_ALLOWED);

    let same = format!("{}/ODataV4/Company('CRONUS%20International%20Ltd.')/Customer('{number}')", world.root());
    assert_eq!(world.get_json(&same).await["City"], "Oslo");
    assert_eq!(send(Method::DELETE, &same, Some("*"), json!({})).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(world.get(&location).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(world.simulator.business_central().writes(), 4);
}

#[tokio::test]
async fn data_may_hold_addresses_and_awkward_names() {
    let world = World::new().await;
    for company in &world.simulator.settings().companies {
        let url = format!("{}/api/v2.0/companies({})/customers", world.root(), company.id);
        let customers = world.get_json(&url).await;
        assert_eq!(customers["value"][1]["website"], url);
        assert_eq!(customers["value"][2]["displayName"], "Größe <M> & \"Söhne\" Åse's");
    }
}

#[tokio::test]
async fn orders_have_lines() {
    let world = World::new().await;
    let orders = world.customers().replace("/customers", "/salesOrders");
    let order = world.get_json(&orders).await["value"][1]["id"].as_str().unwrap().to_owned();
    let lines = format!("{orders}({order})/salesOrderLines");
    let page = world.get_json(&lines).await;
    assert_eq!(page["value"].as_array().unwrap().len(), 2);
    assert!(page["value"].as_array().unwrap().iter().all(|line| line["documentId"] == order));
}

#[tokio::test]
async fn a_page_can_be_read_and_written_over_soap() {
    let world = World::new().await;
    let page =
        |operation: &str, inner: &str| format!("<{operation} xmlns='{CUSTOMER_NAMESPACE}'>{inner}</{operation}>");
    let call = async |operation: &str, inner: &str| world.soap_result("Page/Customer", &page(operation, inner)).await;

    let found = call("Read", "<No>10020</No>").await;
    assert_eq!(xml_text(&found, "Name"), "Größe <M> & \"Söhne\" Åse's");
    assert_eq!(count(&call("Read", "<No>none</No>").await, "Customer"), 0);

    let filter = "<filter><Field>No</Field><Criteria>10100..10190</Criteria></filter>";
    let first = call("ReadMultiple", &format!("{filter}<bookmarkKey/><setSize>7</setSize>")).await;
    assert_eq!(count(&first, "Customer"), 7);
    let key = first.rsplit("<Key>").next().unwrap().split('<').next().unwrap();
    let rest = call("ReadMultiple", &format!("{filter}<bookmarkKey>{key}</bookmarkKey><setSize>7</setSize>")).await;
    assert_eq!(count(&rest, "Customer"), 3);
    assert_eq!(count(&call("ReadMultiple", "<setSize>0</setSize>").await, "Customer"), 50);

    let created =
        call("Create", "<Customer><Name>A &amp; B</Name><Credit_Limit_LCY>12.5</Credit_Limit_LCY></Customer>").await;
    let key = xml_text(&created, "Key");
    let update = format!("<Customer><Key>{key}</Key><City>Graz</City></Customer>");
    let updated = call("Update", &update).await;
    assert_eq!((xml_text(&updated, "Name"), xml_text(&updated, "City")), ("A & B".into(), "Graz".into()));
    assert!(call("IsUpdated", &format!("<Key>{key}</Key>")).await.contains(">true<"));

    let stale = world.soap("Page/Customer", &page("Update", &update)).await;
    assert_eq!(stale.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(stale.headers()["content-type"], "text/xml; charset=utf-8");
    assert_eq!(xml_text(&stale.text().await.unwrap(), "faultstring"), "Another user has already changed the record.");

    let key = xml_text(&updated, "Key");
    assert!(call("Delete", &format!("<Key>{key}</Key>")).await.contains(">true<"));
    assert_eq!(world.simulator.business_central().customers("CRONUS International Ltd."), Some(50));
    assert_eq!(world.simulator.business_central().writes(), 3);
}

#[tokio::test]
async fn what_is_no_soap_call_gives_a_fault() {
    let world = World::new().await;
    let unknown = world.soap("Page/Customer", &format!("<Explode xmlns='{CUSTOMER_NAMESPACE}'/>")).await;
    assert_eq!(unknown.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let url = format!("{}/WS/CRONUS%20International%20Ltd./Page/Customer", world.root());
    let empty = world.client.post(url).bearer_auth(world.token().await).send().await.unwrap();
    assert_eq!(empty.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(empty.text().await.unwrap().contains("<faultcode"));
    let misspelt = world.get(&format!("{}/WS/CRONUS/Page/Customer", world.root())).await;
    assert_eq!(misspelt.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn codeunit_methods_are_counted() {
    let world = World::new().await;
    let tools = "xmlns='urn:microsoft-dynamics-schemas/codeunit/Tools'";
    let echo = format!("<Echo {tools}><text>ä &lt; &#x1F600;</text></Echo>");
    assert_eq!(xml_text(&world.soap_result("Codeunit/Tools", &echo).await, "return_value"), "ä < 😀");
    let post = format!("<PostOrder {tools}><no>S-ORD101001</no></PostOrder>");
    for _ in 0..2 {
        world.soap_result("Codeunit/Tools", &post).await;
    }
    let unknown = format!("<PostOrder {tools}><no>none</no></PostOrder>");
    assert_eq!(world.soap("Codeunit/Tools", &unknown).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(world.simulator.business_central().codeunit_calls("PostOrder"), 2);
}

#[tokio::test]
async fn descriptions_hold_absolute_addresses() {
    let world = World::new().await;
    let root = world.root();
    let service = format!("{root}/WS/M%C3%BCller%20%26%20S%C3%B6hne%27s%20Gro%C3%9Fhandel/Page/Customer");
    let wsdl = world.get(&format!("{service}?wsdl")).await.text().await.unwrap();
    assert!(wsdl.contains(&format!("<soap:address location=\"{service}\"/>")), "{wsdl}");
    let discovery = world.get(&format!("{root}/WS/CRONUS%20International%20Ltd./Services")).await.text().await.unwrap();
    assert!(discovery.contains(&format!("ref=\"{root}/WS/CRONUS International Ltd./Codeunit/Tools\"")), "{discovery}");
    let url = format!("{root}/WS/SystemService");
    let body = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body>\
                <Companies xmlns='urn:microsoft-dynamics-schemas/nav/system/'/></e:Body></e:Envelope>";
    let request = world.client.post(url).bearer_auth(world.token().await).header("content-type", "text/xml").body(body);
    let companies = request.send().await.unwrap().text().await.unwrap();
    assert_eq!(count(&companies, "return_value"), 3);
}

#[tokio::test]
async fn a_cut_answer_looks_cut_in_every_framing() {
    let world = World::new().await;
    for framing in [Framing::ContentLength, Framing::Chunked, Framing::Close] {
        for script in [Script::answer(StatusCode::OK).framing(framing).send("begun").cut()] {
            world.simulator.business_central().script(Matcher::any(), Times::Next(1), script);
            let mut response = world.get(&world.customers()).await;
            assert_eq!(response.chunk().await.unwrap().unwrap(), "begun", "{framing:?}");
            assert!(response.chunk().await.is_err(), "{framing:?}");
        }
        let whole = Script::answer(StatusCode::OK).framing(framing).send("who").send("le");
        world.simulator.business_central().script(Matcher::any(), Times::Next(1), whole);
        assert_eq!(world.get(&world.customers()).await.text().await.unwrap(), "whole", "{framing:?}");
    }
    let outcomes: Vec<Outcome> = world.simulator.received().iter().map(|received| received.outcome).collect();
    assert_eq!(outcomes, [Outcome::Broken, Outcome::Answered].repeat(3));
}

#[tokio::test]
async fn large_answers_stream() {
    let world = World::new().await;
    let script = Script::answer(StatusCode::OK).framing(Framing::Chunked).fill(64 << 20);
    world.simulator.business_central().script(Matcher::any(), Times::Always, script);
    let mut response = world.get(&world.customers()).await;
    let mut length = 0_u64;
    while let Some(chunk) = response.chunk().await.unwrap() {
        assert_eq!(u64::from(chunk[0] - b'a'), length % 26);
        length += chunk.len() as u64;
    }
    assert_eq!(length, 64 << 20);
}

#[tokio::test]
async fn uploads_are_counted_to_their_end_and_kept_in_part() {
    let world = World::new().await;
    let script = Script::answer(StatusCode::NO_CONTENT);
    world.simulator.business_central().script(Matcher::any().method(Method::PUT), Times::Always, script);
    let request = world.client.put(world.customers()).bearer_auth(world.token().await).body(vec![b'x'; 5 << 20]);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let received = world.simulator.received().remove(0);
    assert_eq!((received.body_length, received.body.len(), received.complete), (5 << 20, 1 << 20, true));
}

#[tokio::test]
async fn scripts_are_used_up_and_matched_strictly() {
    let world = World::new().await;
    let business_central = world.simulator.business_central();
    let busy = Script::busy(StatusCode::TOO_MANY_REQUESTS, Some(3));
    business_central.script(Matcher::any().method(Method::GET).path_ending("/customers"), Times::Next(2), busy);
    let url = world.customers();
    assert_eq!(world.client.get(&url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(world.get(&url.replace("customers", "items")).await.status(), StatusCode::OK);
    for _ in 0..2 {
        let response = world.get(&url).await;
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()["retry-after"], "3");
    }
    assert_eq!(world.get(&url).await.status(), StatusCode::OK);

    let elsewhere = HeaderValue::from_static("https://elsewhere.example/");
    business_central.script(Matcher::any().even_without_token(), Times::Always, Script::redirect(elsewhere));
    assert_eq!(world.client.get(&url).send().await.unwrap().status(), StatusCode::FOUND);
    business_central.clear_scripts();
    business_central.script(Matcher::any(), Times::Next(1), Script::unauthorized());
    assert_eq!(world.get(&url).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn answers_wait_at_gates() {
    let world = World::new().await;
    let (head, body) = (Gate::closed(), Gate::closed());
    let script =
        Script::answer(StatusCode::OK).framing(Framing::Chunked).send("a").hold(&body).send("b").hold_head(&head);
    world.simulator.business_central().script(Matcher::any(), Times::Next(1), script);
    let url = world.customers();
    let arrival = async {
        world.wait_for(|received| received.iter().any(|request| request.complete)).await;
        assert_eq!(world.simulator.received()[0].status, None);
        head.open();
    };
    let (mut response, ()) = tokio::join!(world.get(&url), arrival);
    assert_eq!(response.chunk().await.unwrap().unwrap(), "a");
    body.open();
    assert_eq!(response.text().await.unwrap(), "b");
}

#[tokio::test]
async fn a_reset_comes_before_or_after_the_request_took_effect() {
    let world = World::new().await;
    let business_central = world.simulator.business_central();
    let create = async || {
        let request = world.client.post(world.customers()).bearer_auth(world.token().await);
        request.json(&json!({"displayName": "x"})).send().await
    };
    business_central.script(Matcher::any(), Times::Next(1), Script::reset());
    assert!(create().await.is_err());
    assert_eq!(business_central.writes(), 0);
    business_central.script(Matcher::any(), Times::Next(1), Script::ordinary().instead_of_answer(Break::Reset));
    assert!(create().await.is_err());
    assert_eq!(business_central.writes(), 1);
}

#[tokio::test]
async fn a_request_that_is_cut_changes_nothing() {
    use tokio::io::AsyncWriteExt;
    let world = World::new().await;
    let token = world.token().await;
    let url = reqwest::Url::parse(&world.customers()).unwrap();
    let mut stream = raw_connection(&world.simulator).await;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"displayName\":\"x\"}}",
        url.path()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    world.wait_for(|received| received.iter().any(|request| request.body_length == 19)).await;
    drop(stream);
    world.wait_for(|received| received.iter().any(|request| request.outcome == Outcome::Broken)).await;
    let received = world.simulator.received().remove(0);
    assert!(!received.complete);
    assert_eq!(&received.body[..], b"{\"displayName\":\"x\"}");
    assert_eq!(world.simulator.business_central().writes(), 0);
}

#[tokio::test]
async fn an_early_answer_does_not_wait_for_the_request_and_trailers_follow_the_body() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let world = World::new().await;
    let script = Script::answer(StatusCode::PAYLOAD_TOO_LARGE)
        .send("no")
        .trailer(HeaderName::from_static("x-check"), HeaderValue::from_static("sum"))
        .leave_request_unread();
    world.simulator.business_central().script(Matcher::any().even_without_token(), Times::Next(1), script);
    let mut stream = raw_connection(&world.simulator).await;
    let head = "POST /x HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nContent-Length: 100\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let (mut answer, mut piece) = (String::new(), [0; 4096]);
    while !answer.ends_with("x-check: sum\r\n\r\n") {
        let length = stream.read(&mut piece).await.unwrap();
        assert_ne!(length, 0, "{answer}");
        answer.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_thousand_clients_are_served_at_once_and_stopping_frees_the_ports() {
    let world = World::new().await;
    let gate = Gate::closed();
    world.simulator.business_central().script(Matcher::any(), Times::Always, Script::ordinary().hold_head(&gate));
    let token = world.token().await;
    let url = format!("{}?$top=1", world.customers());
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let request = world.client.get(&url).bearer_auth(&token);
        requests.spawn(async move { request.send().await.map(|response| response.status()) });
    }
    world.wait_for(|received| received.iter().filter(|request| request.complete).count() == 1000).await;
    gate.open();
    while let Some(status) = requests.join_next().await {
        assert_eq!(status.unwrap().unwrap(), StatusCode::OK);
    }
    let connections: BTreeSet<u64> = world.simulator.received().iter().map(|request| request.connection).collect();
    assert_eq!(connections.len(), 1000);

    let port = world.simulator.base_url().rsplit(':').next().unwrap().parse().unwrap();
    world.simulator.stop().await;
    let again = Simulator::start(Settings { business_central_port: Some(port), ..Settings::default() }).await;
    assert!(again.is_ok());
}

/// A bare TLS connection to Business Central.
async fn raw_connection(simulator: &Simulator) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(simulator.ca_pem().as_bytes()).unwrap()).unwrap();
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let address = simulator.base_url().trim_start_matches("https://").replace("localhost", "127.0.0.1");
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(tls));
    connector.connect("localhost".try_into().unwrap(), socket).await.unwrap()
}
