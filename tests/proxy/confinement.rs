//! Ways out of the route's company: none of the spellings of another one is sent, wherever it stands.

use serde_json::{Value, json};

use crate::batch;
use crate::rig::Rig;

/// Where the key of a company may seem to end. No place for these in a name or key that is honest.
const ENDS: [&str; 24] = [
    "x",
    "%78",
    ";x=1",
    "%3Bx=1",
    "(x",
    "(x)",
    "()",
    "%28x",
    ")",
    "%29",
    "%20",
    "%20x",
    "%C2%A0",
    "%E2%80%8B",
    "%3F",
    "%3Fx=1",
    "%23",
    "%26",
    ",x",
    ":",
    "''",
    "%27%27",
    "%2520",
    ".x",
];

/// What may stand between the name of a set and its key.
const MIDDLES: [&str; 10] = ["%20", "%C2%A0", "%E2%80%8B", ";x=1", "%3B", "%25", ".", "%3F", "''", "%26"];

/// Other ways to write the name of a set.
fn names(set: &str) -> Vec<String> {
    let initial = format!("%{:02X}", set.as_bytes()[0]);
    let rest = &set[1..];
    vec![
        set.to_owned(),
        set.to_uppercase(),
        format!("{initial}{rest}"),
        format!("%20{set}"),
        format!("%E2%80%8B{set}"),
        format!("NAV.{set}"),
        set.replace("ie", "%C4%B1e"),
        set.replace("an", "a%E2%80%8Bn"),
    ]
}

/// Segments that may name the other company.
fn segments(set: &str, keys: &[String]) -> Vec<String> {
    let mut segments: Vec<String> = Vec::new();
    let plain = format!("{set}({})", keys[0]);
    segments.extend(ENDS.iter().map(|end| format!("{plain}{end}")));
    segments.extend(MIDDLES.iter().map(|middle| format!("{set}{middle}({})", keys[0])));
    segments.extend(keys.iter().map(|key| format!("{set}({key})")));
    segments.extend(names(set).into_iter().map(|name| format!("{name}({})", keys[0])));
    segments.push(format!("{set}%28{}%29", keys[0]));
    segments.push(format!("{set}%2528{}%2529", keys[0]));
    segments.push(format!("'{plain}'"));
    segments
}

fn api_segments(rig: &Rig) -> Vec<String> {
    let other = rig.simulator.settings().companies[2].id;
    let keys = [
        other.to_string(),
        other.to_string().to_uppercase(),
        format!("%20{other}%20"),
        format!("id={other}"),
        format!("Id%3D{other}"),
        format!("{{{other}}}").replace('{', "%7B").replace('}', "%7D"),
        "name='My%20Company'".to_owned(),
        "'My%20Company'".to_owned(),
    ];
    segments("companies", &keys)
}

fn odata_segments() -> Vec<String> {
    segments("Company", &["'My%20Company'".to_owned(), "Name='My%20Company'".to_owned()])
}

/// One GET of exactly this target, and its status.
async fn get(rig: &Rig, target: &str) -> String {
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let (response, _) = rig.raw(request).await;
    response.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[track_caller]
fn assert_rejected(rig: &Rig, status: &str, what: &str) {
    // A SOAP fault is always sent with 500.
    let is_fault = status == "500" && (what.contains("/soap/") || what.contains("/WS/"));
    assert!(is_fault || matches!(status, "400" | "403" | "404"), "{what}: {status}");
    assert!(rig.received().is_empty(), "{what} was sent as {}", rig.received()[0].target);
}

#[tokio::test]
async fn no_spelling_of_another_company_in_a_path_is_sent() {
    let rig = Rig::new().await;
    let own = rig.simulator.settings().companies[0].id;
    let mut tried = 0;
    for segment in api_segments(&rig) {
        for target in [
            format!("/api/{segment}/customers"),
            format!("/api/v2.0/{segment}"),
            format!("/api/{segment}/customers?company={own}"),
            format!("/api/companies({own})/{segment}/customers"),
            format!("/nav/BC140/api/v2.0/{segment}/customers"),
        ] {
            assert_rejected(&rig, &get(&rig, &target).await, &target);
            tried += 1;
        }
    }
    for segment in odata_segments() {
        for target in [
            format!("/odata/{segment}/Customer"),
            format!("/odata/{segment}/Customer?company=CRONUS%20International%20Ltd."),
            format!("/nav/BC140/ODataV4/{segment}/Customer"),
            format!("/BC140/ODataV4/{segment}/Customer"),
        ] {
            assert_rejected(&rig, &get(&rig, &target).await, &target);
            tried += 1;
        }
    }
    for end in ENDS.iter().chain(&["", "%2F"]) {
        for target in
            [format!("/soap/My%20Company{end}/Page/Customer"), format!("/nav/BC140/WS/My%20Company{end}/Page/Customer")]
        {
            assert_rejected(&rig, &get(&rig, &target).await, &target);
            tried += 1;
        }
    }
    assert!(tried >= 400, "{tried}");
}

#[tokio::test]
async fn no_spelling_of_another_company_in_a_query_is_sent() {
    let rig = Rig::new().await;
    let settings = rig.simulator.settings();
    let (other, own) = (settings.companies[2].id, settings.companies[0].id);
    let encoded = |text: &str| text.replace('%', "%25").replace('&', "%26");
    let mut targets: Vec<String> = Vec::new();
    for segment in api_segments(&rig) {
        targets.push(format!("/api/items(1)/picture/$ref?$id={}/items(1)", encoded(&segment)));
        targets.push(format!("/api/items(1)/picture/$ref?x=1&%24ID={}", encoded(&segment)));
    }
    for name in ["company", "Company", "%63ompany", "company%20", "+company"] {
        for value in [other.to_string(), "My%20Company".to_owned(), "'My+Company'".to_owned(), format!("{own};{other}")]
        {
            targets.push(format!("/api/customers?{name}={value}"));
            targets.push(format!("/api/customers?company={own}&{name}={value}"));
        }
    }
    for id in [
        format!("{}/v2.0/Production/api/v2.0/companies({other})/items(1)", rig.simulator.base_url()),
        format!("{}/v2.0/Sandbox/api/v2.0/companies({own})/items(1)", rig.simulator.base_url()),
        format!("items(1)?$id=companies({other})/items(1)"),
        format!("items(1)%3F$id=companies({other})/items(1)"),
        format!("../../companies({other})/items(1)"),
        format!("companies({own})/items(1)?company={other}"),
    ] {
        targets
            .extend(["$id", "id", "%24id"].map(|name| format!("/api/items(1)/picture/$ref?{name}={}", encoded(&id))));
    }
    for root in ["$root", "%24root", "$ROOT"] {
        targets.push(format!("/api/customers?$filter=id%20eq%20{root}/companies({other})/customers(1)/id"));
        targets.push(format!("/odata/Customer?$orderby={root}/Company('My%20Company')/Customer/No"));
    }
    assert!(targets.len() >= 100, "{}", targets.len());
    for target in targets {
        assert_rejected(&rig, &get(&rig, &target).await, &target);
    }
}

/// Addresses outside the route's company or environment.
fn outside(rig: &Rig) -> Vec<String> {
    let settings = rig.simulator.settings();
    let (tenant, own, base, host) =
        (settings.tenant_id, settings.companies[0].id, rig.simulator.base_url(), rig.address());
    let mut outside: Vec<String> = Vec::new();
    for segment in api_segments(rig) {
        outside.push(format!("{segment}/customers(1)"));
        outside.push(format!("http://{host}/api/{segment}/customers(1)"));
        outside.push(format!("{base}/v2.0/{tenant}/Production/api/v2.0/{segment}/customers(1)"));
        outside.push(format!("customers(1)/$ref?$id={}", segment.replace('%', "%25")));
    }
    let rest = format!("api/v2.0/companies({own})/customers(1)");
    let authority = base.strip_prefix("https://").unwrap();
    for server in [
        base.to_owned(),
        base.to_uppercase(),
        base.replace("https", "http"),
        format!("//{authority}"),
        format!("https://x@{authority}"),
        "https://api.businesscentral.dynamics.com".to_owned(),
        "https://api.businesscentral.dynamics.com.".to_owned(),
        "http://API.businesscentral.dynamics.com:80".to_owned(),
        "https:\\\\api.businesscentral.dynamics.com".to_owned(),
        " https://api.businesscentral.dynamics.com".to_owned(),
    ] {
        outside.push(format!("{server}/v2.0/{tenant}/Sandbox/{rest}"));
        outside.push(format!("{server}/v2.0/Sandbox/{rest}"));
        outside.push(format!("{server}/v2.0/fabrikam.com/Production/{rest}"));
        outside.push(format!("{server}/v2.0/5d2c1f6e-0b7a-4c39-9e84-71a3c0de0fff/Production/{rest}"));
        outside.push(format!("{server}/v1.0/fabrikam.com/{rest}"));
    }
    outside.push(format!("/v2.0/fabrikam.com/Production/{rest}"));
    outside.push(format!("/v2.0/Sandbox/{rest}"));
    outside.push(format!("{base}/v2.0;x/Production/{rest}"));
    outside
}

#[tokio::test]
async fn no_spelling_of_another_company_in_a_body_or_batch_is_sent() {
    let rig = Rig::new().await;
    let outside = outside(&rig);
    assert!(outside.len() >= 250, "{}", outside.len());
    for address in outside {
        for body in
            [json!({"x@odata.bind": address}), json!({"x@odata.bind": [address]}), json!({"@odata.id": address})]
        {
            let response = rig.post_json("/api/salesOrders", &body.to_string()).await;
            assert_rejected(&rig, response.status.as_str(), &body.to_string());
        }
        let requests: [Value; 2] = [
            json!([{"id": "1", "method": "GET", "url": address}]),
            json!([{"id": "1", "method": "POST", "url": "salesOrders", "body": {"x@odata.bind": address}}]),
        ];
        for requests in requests {
            let status = batch::rejection(&rig, "/api/$batch", requests.clone()).await.status;
            assert_rejected(&rig, &status.to_string(), &requests.to_string());
        }
    }
}

#[tokio::test]
async fn honest_spellings_of_the_own_company_still_pass() {
    let rig = Rig::new().await;
    let settings = rig.simulator.settings();
    let (tenant, own, base, host) =
        (settings.tenant_id, settings.companies[0].id, rig.simulator.base_url(), rig.address());
    let literal = "CRONUS%20International%20Ltd.";
    for (target, sent) in [
        (format!("/api/companies({own})/customers"), "api"),
        (format!("/api/Companies(id={own})/customers"), "api"),
        (format!("/api/%63ompanies%28{own}%29/customers"), "api"),
        (format!("/api/companies(name='{literal}')/customers"), "api"),
        (format!("/api/companies%20(%20{own}%20)%20/customers"), "api"),
        ("/api/companyInformation".to_owned(), "api"),
        ("/api/items('a;b(c%2Fd')".to_owned(), "api"),
        ("/api/items(number='O''Neil%20(1)')/picture".to_owned(), "api"),
        ("/api/salesOrders(1)/Microsoft.NAV.shipAndInvoice".to_owned(), "api"),
        ("/api/contacts(1)/$ref?$id=customers(1)".to_owned(), "api"),
        (
            format!("/api/contacts(1)/$ref?$id={base}/v2.0/{tenant}/Production/api/v2.0/companies({own})/customers(1)"),
            "api",
        ),
        (format!("/odata/Company('{literal}')/Customer"), "ODataV4"),
        ("/odata/Sales_Order(Document_Type='Order',No='1')".to_owned(), "ODataV4"),
        ("/odata/Customer('A%20(B)')/Name".to_owned(), "ODataV4"),
        ("/odata/Company_Sizes".to_owned(), "ODataV4"),
        (format!("/soap/{literal}/Page/Customer"), "WS"),
        (format!("/nav/BC140/WS/{literal}/Page/Customer"), "WS"),
        (format!("/nav/v2.0/{tenant}/Production/api/v2.0/companies({own})/customers"), "api"),
    ] {
        let before = rig.received().len();
        get(&rig, &target).await;
        let received = rig.received();
        assert_eq!(received.len(), before + 1, "{target}");
        let sent_to = received.last().unwrap().target.clone();
        assert!(sent_to.contains(&format!("/Production/{sent}/")), "{target}: {sent_to}");
        assert!(sent_to.contains(&own.to_string()) || sent_to.contains(literal), "{target}: {sent_to}");
    }
    for address in [
        "customers(1)".to_owned(),
        "customers('a:b')".to_owned(),
        format!("companies({own})/customers(1)"),
        format!("http://{host}/api/companies({own})/customers(1)"),
        format!("{base}/v2.0/{tenant}/Production/api/v2.0/companies({own})/customers(1)"),
        format!("{base}/v2.0/production/api/v2.0/companies({own})/customers(1)"),
        "https://elsewhere.example/customers(1)".to_owned(),
    ] {
        let before = rig.received().len();
        rig.post_json("/api/salesOrders", &json!({"x@odata.bind": address}).to_string()).await;
        assert_eq!(rig.received().len(), before + 1, "{address}");
    }
}
