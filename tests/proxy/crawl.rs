//! No link in a response leads past the proxy, and every one can be followed. Data that looks like a link is unchanged.

use std::collections::{BTreeSet, VecDeque};

use bcproxy::simulator::TenantInLinks;
use hyper::{HeaderMap, Method, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use roxmltree::Document;
use serde_json::Value;

use crate::rig::{ClientResponse, Plan, Rig};

const MINIMAL: &str = "application/json";
const FULL: &str = "application/json;odata.metadata=full";

#[tokio::test]
async fn every_address_leads_through_the_proxy_and_on() {
    for (company, tenant_in_links, escape_slashes) in [
        ("CRONUS International Ltd.", TenantInLinks::AsRequested, false),
        ("Müller & Söhne's Großhandel", TenantInLinks::Never, true),
    ] {
        let plan = crawled(company).settings(|settings| {
            settings.tenant_in_links = tenant_in_links;
            settings.escape_slashes = escape_slashes;
        });
        let rig = plan.start().await;
        let mut crawl = Crawl::new(&rig);
        for root in roots(&rig, company) {
            crawl.expect(&root, MINIMAL, "a root");
            crawl.expect(&root, FULL, "a root");
        }
        let customers = [("/api/customers", r#"{"displayName":"new"}"#), ("/odata/Customer", r#"{"Name":"new"}"#)];
        for (path, body) in customers {
            for prefer in ["return=representation", "return=minimal"] {
                let headers = [("content-type", "application/json"), ("accept", FULL), ("prefer", prefer)];
                let response = rig.send(Method::POST, path, &headers, body).await;
                assert!(response.status.is_success() && response.headers.contains_key("location"), "{response:?}");
                crawl.read(path, FULL, &response);
            }
        }
        let release = "/odata/SalesOrder('S-ORD101001')/NAV.Release";
        let response = rig.post_json(release, "{}").await;
        assert_eq!(response.status, StatusCode::NO_CONTENT);
        crawl.read(release, FULL, &response);

        crawl.follow_all().await;
        assert!(crawl.dead_ends.is_empty(), "{:#?}", crawl.dead_ends);
        for reached in ["pictureContent", "pdfDocumentContent", "$metadata", "$skiptoken", "$ref", "?xsd=xsd1"] {
            assert!(crawl.known.iter().any(|(target, _)| target.contains(reached)), "{reached}");
        }
    }
}

#[tokio::test]
async fn data_that_holds_an_address_of_business_central_arrives_as_it_is() {
    let plan = Plan::default().settings(|settings| {
        settings.customers = 2_000;
        settings.page_size = 2_000;
    });
    let rig = plan.start().await;
    let filter = "$filter=number%20eq%20'10030'";
    for path in ["/api/customers", &format!("/api/customers?{filter}"), "/odata/Customer", "/odata/Customer('10010')"] {
        for accept in [MINIMAL, FULL] {
            let response = rig.send(Method::GET, path, &[("accept", accept)], "").await.json();
            let sent: Value = serde_json::from_slice(&rig.past_the_proxy().await).unwrap();
            let data = without_links(sent);
            assert!(data.to_string().contains(authority(&rig)), "{path}");
            assert!(without_links(response) == data, "{path}");
        }
    }
    assert_eq!(rig.get("/api/customers").await.json()["value"].as_array().unwrap().len(), 2_000);

    for (name, parameters) in [("Read", "<No>10030</No>"), ("ReadMultiple", "<setSize>2000</setSize>")] {
        let call = format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
             <{name} xmlns=\"urn:microsoft-dynamics-schemas/page/customer\">{parameters}</{name}></s:Body></s:Envelope>"
        );
        let headers = [("content-type", "text/xml; charset=utf-8"), ("soapaction", name)];
        let response = rig.send(Method::POST, "/soap/Page/Customer", &headers, call).await;
        assert_eq!(response.status, 200);
        assert!(response.text().contains(authority(&rig)));
        assert_eq!(response.body, rig.past_the_proxy().await, "{name}");
    }
}

/// A few customers on small pages, one of them with every trap the simulator knows, and an API of a partner.
fn crawled(company: &str) -> Plan {
    let routes = "routes:
  - { path: /api, to: api/v2.0 }
  - { path: /warehouse, to: api/cronus/warehouse/v1.0 }
  - { path: /odata, to: odata }
  - { path: /soap, to: soap }
  - { path: /nav, to: nav }
  - { path: /, to: nav }";
    Plan::default().connector(&format!("company: \"{company}\"")).top(routes).settings(|settings| {
        settings.customers = 5;
        settings.page_size = 3;
    })
}

/// Where a program may begin, on every surface.
fn roots(rig: &Rig, company: &str) -> Vec<String> {
    let segment = utf8_percent_encode(company, NON_ALPHANUMERIC).to_string();
    let literal = segment.replace("%27", "%27%27");
    let known = rig.simulator.settings().companies.iter().find(|known| known.name == company).unwrap();
    let mut roots: Vec<String> = [
        "/api",
        "/api/companies",
        "/api/customers",
        "/api/items?$expand=picture",
        "/api/salesOrders?$expand=salesOrderLines($top=1),pdfDocument",
        "/api/customers/$ref",
        "/warehouse",
        "/warehouse/bins",
        "/odata",
        "/odata/Company",
        "/odata/Customer",
        "/odata/Customer?$top=2&$orderby=Name",
        "/soap/Services",
        "/soap/SystemService",
        "/soap/Page/Customer?wsdl",
        "/soap/Codeunit/Tools?wsdl",
        "/nav/BC/WS/Services",
        "/nav/BC/ODataV4",
        "/nav/BC/api/v2.0",
        "/BC/WS/Services",
    ]
    .map(str::to_owned)
    .to_vec();
    roots.extend([
        format!("/nav/BC/WS/{segment}/Services"),
        format!("/nav/BC/WS/{segment}/Page/Customer?wsdl"),
        format!("/nav/BC/WS/{segment}/Codeunit/Tools?wsdl"),
        format!("/nav/BC/ODataV4/Company('{literal}')/Customer"),
        format!("/nav/BC/ODataV4/Customer?company={segment}"),
        format!("/nav/BC/api/v2.0/companies({})/items", known.id),
        format!("/nav/BC/api/cronus/warehouse/v1.0/companies({})/bins", known.id),
        format!("/v2.0/Production/ODataV4/Company('{literal}')/Item"),
    ]);
    roots
}

/// What a program that follows every address has seen.
struct Crawl<'a> {
    rig: &'a Rig,

    origin: String,
    /// Targets, and the media type they were asked for in.
    known: BTreeSet<(String, &'static str)>,
    waiting: VecDeque<(String, &'static str, String)>,
    /// Addresses that were no use: what they answered, and where they stood.
    dead_ends: Vec<String>,
}

impl<'a> Crawl<'a> {
    fn new(rig: &'a Rig) -> Self {
        let origin = format!("http://{}", rig.address());
        Self { rig, origin, known: BTreeSet::new(), waiting: VecDeque::new(), dead_ends: Vec::new() }
    }

    fn expect(&mut self, target: &str, accept: &'static str, found_in: &str) {
        if self.known.insert((target.to_owned(), accept)) {
            self.waiting.push_back((target.to_owned(), accept, found_in.to_owned()));
        }
    }

    async fn follow_all(&mut self) {
        while let Some((target, accept, found_in)) = self.waiting.pop_front() {
            assert!(self.known.len() < 10_000, "it has no end");
            let response = self.rig.send(Method::GET, &target, &[("accept", accept)], "").await;
            if response.status != StatusCode::OK {
                self.dead_ends.push(format!("{} {target} in {found_in}", response.status));
            }
            self.read(&target, accept, &response);
        }
    }

    /// Notes every address an answer gives to be followed.
    fn read(&mut self, found_in: &str, accept: &'static str, response: &ClientResponse) {
        let mut addresses = in_headers(&response.headers);
        let kind = response.headers.get("content-type").map_or("", |kind| kind.to_str().unwrap());
        if kind.starts_with("application/json") {
            in_json(&response.json(), &mut addresses);
        } else if kind.contains("xml") {
            // Descriptions hold no data: no address of Business Central may stand anywhere.
            assert!(!response.text().contains(authority(self.rig)), "{found_in}: {}", response.text());
            in_description(&response.text(), &mut addresses);
        } else if !response.body.is_empty() {
            // The address in a picture or document is data.
            let authority = authority(self.rig).as_bytes();
            assert!(response.body.windows(authority.len()).any(|bytes| bytes == authority), "{found_in}");
        }
        for address in addresses {
            let target = address.strip_prefix(&self.origin);
            let target = target.unwrap_or_else(|| panic!("{address} in {found_in} leads past the proxy"));
            let target = target.split('#').next().unwrap();
            // As every client does with an address that is not fit to be sent.
            self.expect(&utf8_percent_encode(target, UNFIT).to_string(), accept, found_in);
        }
    }
}

const UNFIT: &AsciiSet = &CONTROLS.add(b' ');

fn in_headers(headers: &HeaderMap) -> Vec<String> {
    let values = ["location", "content-location", "odata-entityid"].iter().flat_map(|name| headers.get_all(*name));
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}

/// Every annotation that is an address, at any depth, and the entity sets a service document names.
fn in_json(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name.contains('@') && text.contains("://") => found.push(text.clone()),
                    Value::String(_) => {}
                    value => in_json(value, found),
                }
            }
            let root =
                members.get("@odata.context").and_then(Value::as_str).and_then(|it| it.strip_suffix("$metadata"));
            let sets = members.get("value").and_then(Value::as_array).into_iter().flatten();
            let sets = sets.filter_map(|set| set.get("url").and_then(Value::as_str));
            found.extend(root.into_iter().flat_map(|root| sets.clone().map(move |set| format!("{root}{set}"))));
        }
        Value::Array(values) => values.iter().for_each(|value| in_json(value, found)),
        _ => {}
    }
}

/// The addresses in WSDL, XML Schema and discovery documents.
fn in_description(text: &str, found: &mut Vec<String>) {
    let document = Document::parse(text).unwrap();
    let attributes = document.descendants().flat_map(|node| node.attributes());
    let addresses = attributes.filter(|attribute| ["location", "schemaLocation", "ref"].contains(&attribute.name()));
    found.extend(addresses.map(|attribute| attribute.value().to_owned()));
}

/// An answer with nothing in it but data.
fn without_links(mut response: Value) -> Value {
    match &mut response {
        Value::Object(members) => {
            members.retain(|name, _| !name.contains('@'));
            members.values_mut().for_each(|value| *value = without_links(value.take()));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| *value = without_links(value.take())),
        _ => {}
    }
    response
}

/// Host and port of Business Central.
fn authority(rig: &Rig) -> &str {
    rig.simulator.base_url().trim_start_matches("https://")
}
