//! A record whose fields hold addresses of Business Central reads back as it was stored, while every link around it is
//! local. What a client reads and writes back must not change the books.

use hyper::Method;
use serde_json::{Value, json};

use crate::rig::{ClientResponse, Plan, Rig};

const ROUTES: &str = "routes:
  - { path: /api, to: api/v2.0 }
  - { path: /odata, to: odata }
  - { path: /soap, to: soap }
  - { path: /nav, to: nav }
  - { path: /, to: nav }
  - { path: /all, to: environment }";

const JSON: (&str, &str) = ("content-type", "application/json");

/// What is stored: name and web site, each an address that would be turned if it were a link.
struct Stored {
    id: String,
    number: String,
    name: String,
    website: String,
}

impl Stored {
    async fn new(rig: &Rig) -> Self {
        let settings = rig.simulator.settings();
        let name = "https://api.businesscentral.dynamics.com/v2.0/Production/ODataV4/Customer('1')".to_owned();
        let website = format!(
            "{}/v2.0/{}/Production/api/v2.0/companies({})/customers?$top=1",
            rig.simulator.base_url(),
            settings.tenant_id,
            settings.companies[0].id
        );
        let body = json!({"displayName": name, "website": website}).to_string();
        let headers = [JSON, ("if-match", "*")];
        let customers = rig.get("/api/customers?$filter=number%20eq%20'10020'").await.json();
        let id = customers["value"][0]["id"].as_str().unwrap().to_owned();
        let changed = rig.send(Method::PATCH, &format!("/api/customers({id})"), &headers, body).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        Self { id, number: "10020".to_owned(), name, website }
    }

    /// Finds the record in an answer and compares it; looks at everything around it.
    fn compare(&self, rig: &Rig, told: &Value, what: &str) {
        let mut records = Vec::new();
        collect(told, &mut |object| {
            let number = object.get("number").or(object.get("No"));
            records.extend((number == Some(&json!(self.number))).then(|| object.clone()));
        });
        assert_eq!(records.len(), 1, "{what}");
        let record = &records[0];
        assert_eq!(record.get("displayName").or(record.get("Name")), Some(&json!(self.name)), "{what}");
        assert_eq!(record.get("website").or(record.get("Home_Page")), Some(&json!(self.website)), "{what}");

        let origin = format!("http://{}/", rig.address());
        let mut links = 0;
        collect(told, &mut |object| {
            for (name, value) in object.iter().filter(|(name, _)| name.contains('@')) {
                let Some(link) = value.as_str().filter(|value| value.contains("://")) else { continue };
                assert!(link.starts_with(&origin), "{what}: {name} is {link}");
                links += 1;
            }
        });
        assert!(links > 0, "{what}");
    }
}

/// Shows every object, at any depth.
fn collect(value: &Value, see: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            see(members);
            members.values().for_each(|value| collect(value, see));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, see)),
        _ => {}
    }
}

async fn rig(escape_slashes: bool) -> Rig {
    let plan = Plan::default().top(ROUTES).settings(|settings| {
        settings.customers = 2_000;
        settings.page_size = 2_000;
        settings.escape_slashes = escape_slashes;
    });
    plan.start().await
}

async fn read(rig: &Rig, path: &str, accept: &str) -> ClientResponse {
    let response = rig.send(Method::GET, path, &[("accept", accept)], "").await;
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    response
}

#[tokio::test]
async fn it_reads_back_unchanged_on_every_surface_alone_and_among_two_thousand_and_in_a_batch() {
    for (escape_slashes, surfaces) in [(false, 7), (true, 1)] {
        let rig = rig(escape_slashes).await;
        let stored = Stored::new(&rig).await;
        let company = rig.simulator.settings().companies[0].id;
        let (api, odata) = (format!("customers({})", stored.id), format!("Customer('{}')", stored.number));
        let named = "Company('CRONUS%20International%20Ltd.')";
        for (root, alone, page) in [
            ("/api/", api.clone(), "customers".to_owned()),
            ("/odata/", odata.clone(), "Customer".to_owned()),
            ("/nav/BC140/ODataV4/", format!("{named}/{odata}"), format!("{named}/Customer")),
            ("/v2.0/Production/ODataV4/", format!("{named}/{odata}"), format!("{named}/Customer")),
            ("/BC/api/v2.0/", format!("companies({company})/{api}"), format!("companies({company})/customers")),
            ("/all/api/v2.0/", format!("companies({company})/{api}"), format!("companies({company})/customers")),
            ("/all/ODataV4/", format!("{named}/{odata}"), format!("{named}/Customer")),
        ]
        .into_iter()
        .take(surfaces)
        {
            for (path, accept, count) in [
                (&alone, "application/json", None),
                (&alone, "application/json;odata.metadata=full", None),
                (&page, "application/json", Some(2_000)),
            ] {
                let response = read(&rig, &format!("{root}{path}"), accept).await.json();
                assert_eq!(response["value"].as_array().map(Vec::len), count);
                stored.compare(&rig, &response, &format!("{root}{path} {accept}"));
            }
            // The environment's own batch is not looked into on its way out, but its answer is on its way back.
            let get = |id: &str, url: &str| json!({"id": id, "method": "GET", "url": url});
            let batch = json!({"requests": [get("1", &alone), get("2", &page)]}).to_string();
            let response = rig.post_json(&format!("{root}$batch"), &batch).await.json();
            for (part, what) in [(0, &alone), (1, &page)] {
                let part = &response["responses"][part];
                assert_eq!(part["status"], 200, "{root}$batch {what}");
                stored.compare(&rig, &part["body"], &format!("{root}$batch {what}"));
            }
        }
    }
}

#[tokio::test]
async fn it_reads_back_unchanged_by_soap() {
    let rig = rig(false).await;
    let stored = Stored::new(&rig).await;
    for path in [
        "/soap/Page/Customer",
        "/nav/BC140/WS/CRONUS International Ltd./Page/Customer",
        "/all/WS/CRONUS%20International%20Ltd./Page/Customer",
    ] {
        let path = path.replace(' ', "%20");
        for (call, count) in
            [("<Read><No>10020</No></Read>", 1), ("<ReadMultiple><setSize>2000</setSize></ReadMultiple>", 2_000)]
        {
            let call = call.replacen('>', " xmlns=\"urn:microsoft-dynamics-schemas/page/customer\">", 1);
            let body = format!(
                "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{call}</s:Body></s:Envelope>"
            );
            let headers = [("content-type", "text/xml; charset=utf-8"), ("soapaction", "x")];
            let text = rig.send(Method::POST, &path, &headers, body).await.text();
            let document = roxmltree::Document::parse(&text).unwrap();
            let is_record = |node: &roxmltree::Node<'_, '_>| node.tag_name().name() == "Customer";
            let field = |record: roxmltree::Node<'_, '_>, name: &str| {
                let field = record.children().find(|field| field.tag_name().name() == name);
                field.and_then(|field| field.text()).unwrap_or_default().to_owned()
            };
            let records: Vec<_> = document.descendants().filter(is_record).collect();
            assert_eq!(records.len(), count, "{path}");
            let record = records.into_iter().find(|record| field(*record, "No") == stored.number).unwrap();
            assert_eq!(
                (field(record, "Name"), field(record, "Home_Page")),
                (stored.name.clone(), stored.website.clone()),
                "{path}"
            );
        }
        // The description of the same service, whose addresses are links.
        let wsdl = rig.get(&format!("{path}?wsdl")).await.text();
        assert!(wsdl.contains(&format!("http://{}/", rig.address())));
        assert!(!wsdl.contains(rig.simulator.base_url()), "{path}");
    }
}
