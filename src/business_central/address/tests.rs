//! The address grammar by example, and the laws of its round trips.

use super::path_grammar::API_ROOT_SETS;
use super::resource::Family;
use super::*;
use crate::business_central::{Company, SafePath, Surface};
use percent_encoding::percent_decode_str;
use proptest::prelude::*;

const BASE: &str = "/v2.0/contoso.com/Production";
const ID: &str = "824820a2-508c-ed11-aada-000d3a298ab3";
const OTHER_ID: &str = "824820a2-508c-ed11-aada-000d3a298ab4";

fn company() -> Company {
    Company { id: ID.parse().unwrap(), name: "Müller & Söhne's/Co".parse().unwrap(), display_name: String::new() }
}

fn environment() -> EnvironmentAddress {
    let url = "https://bc.example".parse().unwrap();
    EnvironmentAddress::new(&url, &"contoso.com".parse().unwrap(), &"Production".parse().unwrap())
}

fn build(to: &str, local: &str, company: Option<&Company>) -> Result<String, AddressError> {
    let (path, query) = match local.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (local, None),
    };
    let surface = to.parse().unwrap();
    let asked = LocalAddress { remainder: SafePath::check(path)?, query, company_headers: &[] };
    let built = Resource::from_local(&surface, asked, &environment())?.path_and_query(BASE, company)?;
    Ok(built.strip_prefix(BASE).unwrap().to_owned())
}

fn in_company(to: &str, local: &str) -> Result<String, AddressError> {
    build(to, local, Some(&company()))
}

#[test]
fn the_api_surface_adds_the_company_if_one_is_needed() {
    for (local, upstream) in [
        ("", "/api/v2.0"),
        ("/", "/api/v2.0"),
        ("/$metadata", "/api/v2.0/$metadata"),
        ("/companies", "/api/v2.0/companies?$filter=id%20eq%20ID"),
        ("/companies/$count", "/api/v2.0/companies/$count?$filter=id%20eq%20ID"),
        ("/companies?$top=1", "/api/v2.0/companies?$top=1&$filter=id%20eq%20ID"),
        (
            "/companies?$filter=name ne 'x'&$expand=customers",
            "/api/v2.0/companies?$filter=(name%20ne%20'x')%20and%20id%20eq%20ID&$expand=customers",
        ),
        ("/automationCompanies", "/api/v2.0/companies(ID)/automationCompanies?$filter=id%20eq%20ID"),
        (
            "/companies(ID)/automationCompanies/$count",
            "/api/v2.0/companies(ID)/automationCompanies/$count?$filter=id%20eq%20ID",
        ),
        ("/companies(ID)/companies?$top=1", "/api/v2.0/companies(ID)/companies?$top=1&$filter=id%20eq%20ID"),
        ("/automationCompanies(ID)", "/api/v2.0/companies(ID)/automationCompanies(ID)"),
        ("/subscriptions('x')", "/api/v2.0/subscriptions('x')"),
        ("/entityDefinitions", "/api/v2.0/entityDefinitions"),
        ("/customers", "/api/v2.0/companies(ID)/customers"),
        ("/customers/", "/api/v2.0/companies(ID)/customers"),
        ("//customers", "/api/v2.0/companies(ID)/customers"),
        ("/v2.0/customers", "/api/v2.0/companies(ID)/customers"),
        (
            "/customers?$filter=name%20eq%20'a%2Bb'&x=+",
            "/api/v2.0/companies(ID)/customers?$filter=name%20eq%20'a%2Bb'&x=+",
        ),
        ("/companies(ID)/customers", "/api/v2.0/companies(ID)/customers"),
        ("/Companies(id=ID)/customers", "/api/v2.0/companies(ID)/customers"),
        ("/companies(name='M%C3%BCller%20&%20S%C3%B6hne''s/Co')/customers", "/api/v2.0/companies(ID)/customers"),
        ("/customers?company=ID", "/api/v2.0/customers?company=ID"),
        ("/salesInvoices(1)/Microsoft.NAV.post", "/api/v2.0/companies(ID)/salesInvoices(1)/Microsoft.NAV.post"),
        ("/items('a%2Fb')", "/api/v2.0/companies(ID)/items('a%2Fb')"),
        ("/items('a/companies(x)/b')", "/api/v2.0/companies(ID)/items('a%2Fcompanies(x)%2Fb')"),
        ("/Müller|x", "/api/v2.0/companies(ID)/M%C3%BCller%7Cx"),
    ] {
        let (local, upstream) = (local.replace("ID", ID), upstream.replace("ID", ID));
        assert_eq!(in_company("api/v2.0", &local).as_deref(), Ok(upstream.as_str()), "{local}");
    }
    let custom = in_company("api/cronus/warehouse/v1.0", "/v1.0/bins").unwrap();
    assert_eq!(custom, format!("/api/cronus/warehouse/v1.0/companies({ID})/bins"));
}

#[test]
fn the_odata_surface_writes_the_name_with_doubled_apostrophes() {
    let name = "Company('M%C3%BCller%20%26%20S%C3%B6hne%27%27s%2FCo')";
    for (local, upstream) in [
        ("", "/ODataV4"),
        ("/$metadata", "/ODataV4/$metadata"),
        ("/Company", "/ODataV4/Company?$filter=Name%20eq%20%27M%C3%BCller%20%26%20S%C3%B6hne%27%27s%2FCo%27"),
        ("/Chart_of_Accounts", "/ODataV4/NAME/Chart_of_Accounts"),
        ("/company(Id=ID)/X", "/ODataV4/NAME/X"),
        ("/Company('M%C3%BCller & S%C3%B6hne''s/Co')/X", "/ODataV4/NAME/X"),
        (
            "/Tools_Post?company='m%C3%BCller+%26+s%C3%B6hne''s/co'&x=1",
            "/ODataV4/Tools_Post?company=%27M%C3%BCller%20%26%20S%C3%B6hne%27%27s%2FCo%27&x=1",
        ),
        ("/Company('M%C3%BCLLER & S%C3%B6hne''s/Co')/X", "/ODataV4/NAME/X"),
        (
            "/Tools_Post?company='M%C3%BCller+%26+S%C3%B6hne''s/Co'",
            "/ODataV4/Tools_Post?company='M%C3%BCller+%26+S%C3%B6hne''s/Co'",
        ),
    ] {
        let (local, upstream) = (local.replace("ID", ID), upstream.replace("NAME", name));
        assert_eq!(in_company("odata", &local).as_deref(), Ok(upstream.as_str()), "{local}");
    }
}

#[test]
fn the_soap_surface_puts_the_name_first() {
    let name = "M%C3%BCller%20%26%20S%C3%B6hne%27s%2FCo";
    for (local, upstream) in [
        ("/Page/Customer", "/WS/NAME/Page/Customer"),
        ("/page/Customer?wsdl", "/WS/NAME/page/Customer?wsdl"),
        ("/Codeunit/Tools", "/WS/NAME/Codeunit/Tools"),
        ("/Services", "/WS/NAME/Services"),
        ("/Page/Customer?company=NAME", "/WS/NAME/Page/Customer?company=NAME"),
        ("/SystemService", "/WS/SystemService"),
        ("/NAME/SystemService", "/WS/SystemService"),
        ("/NAME/Page/Customer", "/WS/NAME/Page/Customer"),
        ("/NAME/Services", "/WS/NAME/Services"),
    ] {
        let (local, upstream) = (local.replace("NAME", name), upstream.replace("NAME", name));
        assert_eq!(in_company("soap", &local).as_deref(), Ok(upstream.as_str()), "{local}");
    }
    assert_eq!(in_company("soap", "/Customer"), Err(AddressError::NotSoap));
    assert_eq!(in_company("soap", ""), Err(AddressError::NotSoap));
}

#[test]
fn a_routes_company_cannot_be_left() {
    for (to, local) in [
        ("api/v2.0", format!("/companies({OTHER_ID})/customers")),
        ("api/v2.0", format!("/COMPANIES({OTHER_ID})")),
        ("api/v2.0", format!("/companies%28{OTHER_ID}%29/customers")),
        ("api/v2.0", "/customers?company=Other".to_owned()),
        ("api/v2.0", "/customers?%63ompany=Other".to_owned()),
        ("api/v2.0", format!("/customers?company={ID}&Company=Other")),
        ("api/v2.0", format!("/automationCompanies({OTHER_ID})")),
        ("api/v2.0", "/automationCompanies()".to_owned()),
        ("api/v2.0", format!("/companies ({OTHER_ID})/customers")),
        ("api/v2.0", format!("/%09companies%20({OTHER_ID})/customers").replace("%09", "%20")),
        ("api/v2.0", format!("/companies({ID})/automationCompanies({OTHER_ID})/x")),
        ("odata", "/Company('Other')/X".to_owned()),
        ("odata", "/X?company='Other'".to_owned()),
        ("soap", "/Other/Page/Customer".to_owned()),
        ("soap", "/Other/SystemService".to_owned()),
        ("soap", "/Page/Customer?company=Other".to_owned()),
    ] {
        let rejected = in_company(to, &local);
        assert!(matches!(rejected, Err(AddressError::OtherCompany { .. })), "{local}: {rejected:?}");
    }
    let surface = Surface::OData;
    let asked =
        LocalAddress { remainder: SafePath::check("/X").unwrap(), query: None, company_headers: &["Other".to_owned()] };
    let rejected =
        Resource::from_local(&surface, asked, &environment()).unwrap().path_and_query(BASE, Some(&company()));
    assert!(matches!(rejected, Err(AddressError::OtherCompany { .. })));
}

#[test]
fn an_address_after_a_list_of_companies_is_rejected() {
    for (to, local) in [
        ("api/v2.0", "/companies/x".to_owned()),
        ("api/v2.0", "/companies/$count/x".to_owned()),
        ("api/v2.0", format!("/companies({ID})/AutomationCompanies/Microsoft.NAV.x")),
        ("odata", "/Company/$value".to_owned()),
    ] {
        let rejected = in_company(to, &local);
        assert!(matches!(rejected, Err(AddressError::BelowCompanyList { .. })), "{local}: {rejected:?}");
        assert_ne!(build(to, &local, None), rejected);
    }
}

#[test]
fn an_address_that_needs_a_company_is_not_built_without_one() {
    for (to, local) in [("api/v2.0", "/customers"), ("odata", "/X"), ("soap", "/Page/X"), ("soap", "/Services")] {
        assert_eq!(build(to, local, None), Err(AddressError::NoCompany), "{to}{local}");
    }
    for (to, local) in [("api/v2.0", "/customers?company="), ("soap", "/Page/X?company=A")] {
        assert_eq!(build(to, local, None), Err(AddressError::NoCompany), "{to}{local}");
    }
    let named = |to, local: &str| build(to, local, None).unwrap();
    assert_eq!(
        named("api/v2.0", &format!("/companies({ID})/customers")),
        format!("/api/v2.0/companies({ID})/customers")
    );
    assert_eq!(named("api/v2.0", "/companies(name='A')/x"), "/api/v2.0/companies(name='A')/x");
    assert_eq!(named("odata", "/Company('A B')/X"), "/ODataV4/Company('A%20B')/X");
    assert_eq!(named("odata", "/X?company='A'"), "/ODataV4/X?company='A'");
    assert_eq!(named("soap", "/A%20B/Page/X"), "/WS/A%20B/Page/X");
    assert!(matches!(build("odata", "/Company('A')/X?company=B", None), Err(AddressError::TwoCompanies { .. })));
}

#[test]
fn a_tenant_is_accepted_in_a_next_link_only() {
    assert_eq!(in_company("odata", "/X?tenant=default"), Err(AddressError::Tenant));
    assert!(in_company("odata", "/X?tenant=msft1a&aid=FIN&$skiptoken=1").is_ok());
}

#[test]
fn the_environment_surface_is_unconfined() {
    assert_eq!(build("environment", "/api/x/y/z/$batch?company=A", None).unwrap(), "/api/x/y/z/$batch?company=A");
    assert_eq!(build("environment", "", None).unwrap(), "");
}

#[test]
fn a_batch_is_valid_at_the_root_only() {
    assert_eq!(in_company("api/v2.0", "/$batch").unwrap(), "/api/v2.0/$batch");
    assert_eq!(in_company("api/v2.0", "/v2.0/%24batch").unwrap(), "/api/v2.0/$batch");
    assert_eq!(in_company("odata", "/$BATCH").unwrap(), "/ODataV4/$batch");
    assert_eq!(in_company("nav", "/BC/ODataV4/$batch").unwrap(), "/ODataV4/$batch");
    assert_eq!(in_company("odata", "/Company('x')/$batch"), Err(AddressError::MisplacedBatch));
    assert_eq!(in_company("api/v2.0", "/$batch/x"), Err(AddressError::MisplacedBatch));
}

#[test]
fn on_premises_addresses_lead_to_the_same_resources_online() {
    let name = "M%C3%BCller%20%26%20S%C3%B6hne%27s%2FCo";
    let literal = "Company('M%C3%BCller%20%26%20S%C3%B6hne%27%27s%2FCo')";
    for (local, upstream) in [
        ("/BC140/WS/NAME/Page/Customer", "/WS/NAME/Page/Customer"),
        ("/BC140/ws/NAME/page/Customer?wsdl", "/WS/NAME/page/Customer?wsdl"),
        ("/BC140/WS/Codeunit/Tools?tenant=default", "/WS/NAME/Codeunit/Tools"),
        ("/BC140/WS/NAME/Services", "/WS/NAME/Services"),
        ("/BC140/WS/SystemService", "/WS/SystemService"),
        ("/BC140/WS/NAME/SystemService", "/WS/SystemService"),
        ("/WS/NAME/Page/Customer", "/WS/NAME/Page/Customer"),
        ("/NAV/ODataV4/LITERAL/Customer('1')", "/ODataV4/LITERAL/Customer('1')"),
        ("/NAV/ODataV4/Customer?tenant=x&$top=1", "/ODataV4/LITERAL/Customer?$top=1"),
        (
            "/NAV/ODataV4/Customer?tenant=x&aid=FIN&$skiptoken=1",
            "/ODataV4/LITERAL/Customer?tenant=x&aid=FIN&$skiptoken=1",
        ),
        ("/BC/api/v2.0/customers", "/api/v2.0/companies(ID)/customers"),
        // A quote in the instance's name does not pair with later ones.
        ("/O'Neil/api/v2.0/customers('1')", "/api/v2.0/companies(ID)/customers('1')"),
        ("/BC/api/cronus/warehouse/v1.0/companies(ID)/bins", "/api/cronus/warehouse/v1.0/companies(ID)/bins"),
        ("/v2.0/contoso.com/production/ODataV4/LITERAL/X", "/ODataV4/LITERAL/X"),
        ("/v2.0/Production/WS/NAME/Page/X", "/WS/NAME/Page/X"),
        ("/v2.0/Production/api/v2.0/companies", "/api/v2.0/companies?$filter=id%20eq%20ID"),
        ("/v1.0/api/beta/companies(ID)/items", "/api/beta/companies(ID)/items"),
        ("/v1.0/contoso.com/api/v1.0/companies(ID)/items", "/api/v1.0/companies(ID)/items"),
    ] {
        let fill = |text: &str| text.replace("NAME", name).replace("LITERAL", literal).replace("ID", ID);
        assert_eq!(in_company("nav", &fill(local)).as_deref(), Ok(fill(upstream).as_str()), "{local}");
    }
}

#[test]
fn an_unbound_action_takes_its_company_from_the_query() {
    let surface = Surface::OData;
    let resource = |local| {
        let asked =
            LocalAddress { remainder: SafePath::check(local).unwrap(), query: Some("x=1"), company_headers: &[] };
        Resource::from_local(&surface, asked, &environment()).unwrap()
    };
    let mut action = resource("/Tools_Echo");
    assert_eq!(action.unbound_action(), Some("Tools_Echo"));
    action.become_unbound_action(&company());
    let built = action.path_and_query("", Some(&company())).unwrap();
    assert_eq!(built, "/ODataV4/Tools_Echo?x=1&company=M%C3%BCller%20%26%20S%C3%B6hne%27s%2FCo");
    for local in ["/Customer", "/Sales_Order('1')", "/Company('X')/Tools_Echo", "/Tools_Echo/x"] {
        assert_eq!(resource(local).unbound_action(), None, "{local}");
    }
}

#[test]
fn the_error_names_what_no_longer_exists_online() {
    let rejected = in_company("nav", "/NAV/OData/Company('X')/Customer").unwrap_err();
    assert_eq!(
        rejected,
        AddressError::ODataV3 { v3: "/NAV/OData".into(), v4: "/NAV/ODataV4/Company('X')/Customer".into() }
    );
    for local in ["/", "/favicon.ico", "/NAV/Foo/Bar", "/v2.0/Production", "/NAV/api/contoso", "/a/b/WS/X/Page/Y"] {
        assert_eq!(in_company("nav", local), Err(AddressError::NotNav), "{local}");
    }
    for local in ["/v2.0/Sandbox/ODataV4/X", "/v2.0/fabrikam.com/Production/ODataV4/X", "/v1.0/fabrikam.com/api/beta/x"]
    {
        assert!(matches!(in_company("nav", local), Err(AddressError::OtherTarget { .. })), "{local}");
    }
    assert!(matches!(in_company("nav", "/NAV/WS/Other/Page/X"), Err(AddressError::OtherCompany { .. })));
}

#[test]
fn a_second_company_further_down_is_rejected() {
    for (to, local) in [
        ("api/v2.0", format!("/customers(1)/companies({OTHER_ID})/items")),
        ("api/v2.0", format!("/companies({ID})/companies({OTHER_ID})/items")),
        ("odata", "/X/Company('Other')/Y".to_owned()),
        ("api/v2.0", format!("/companies/companies({OTHER_ID})")),
    ] {
        let rejected = in_company(to, &local);
        assert!(matches!(rejected, Err(AddressError::OtherCompany { .. })), "{local}: {rejected:?}");
    }
}

#[test]
fn a_batch_part_does_not_start_with_a_scheme() {
    let query = format!("company={ID}");
    let remainder = SafePath::check("/https:/evil.example/x('a:b')").unwrap();
    let asked = LocalAddress { remainder, query: Some(&query), company_headers: &[] };
    let part = Resource::from_local(&"api/v2.0".parse().unwrap(), asked, &environment()).unwrap();
    let written = format!("https%3A/evil.example/x('a:b')?company={ID}");
    assert_eq!(part.batch_part_url(Some(&company())), Ok(written));
}

fn recognized(below: &str) -> Resource {
    let (path, query) = match below.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (below, None),
    };
    environment().recognize(&format!("https://bc.example/v2.0/contoso.com/Production{path}"), query).unwrap()
}

#[test]
fn every_spelling_of_an_upstream_address_is_recognized() {
    let same = recognized("/api/v2.0/companies");
    for address in [
        "https://bc.example/v2.0/Production/api/v2.0/companies",
        "https://BC.example/V2.0/production/api/v2.0/companies",
        "https://bc.example:443/v2.0/72f988bf-86f1-41af-91ab-2d7cd011db47/PRODUCTION/api/v2.0/companies",
        "https://api.businesscentral.dynamics.com/v2.0/Production/api/v2.0/companies",
    ] {
        assert_eq!(environment().recognize(address, None), Some(same.clone()), "{address}");
    }
    for address in [
        "https://bc.example.evil/v2.0/Production/api/v2.0/companies",
        "https://bc.example/v2.0/Sandbox/api/v2.0/companies",
        "https://bc.example/v2.0/contoso.com/Sandbox/api/v2.0/companies",
        "https://bc.example/admin/v2.0/applications",
        "https://bc.example/v2.0/Production/../x",
        "http://bc.example/v2.0/Production/api/v2.0/companies",
        "https://bc.example:8443/v2.0/Production/api/v2.0/companies",
    ] {
        assert_eq!(environment().recognize(address, None), None, "{address}");
    }
}

#[test]
fn the_default_port_in_base_url_makes_no_difference() {
    let at = |base: &str| {
        let tenant = "contoso.com".parse().unwrap();
        EnvironmentAddress::new(&base.parse().unwrap(), &tenant, &"Production".parse().unwrap())
    };
    for host in ["bc.example", "[fd00::1]"] {
        let base = format!("https://{host}");
        let (without, with) = (at(&base), at(&format!("{base}:443")));
        assert_eq!((with.url(), with.origin()), (without.url(), base.as_str()));
        assert!(with.authorities().eq(without.authorities()));
        for port in ["", ":443"] {
            let address = format!("{base}{port}/v2.0/Production/WS/X/Page/Y");
            assert!(with.recognize(&address, None).is_some(), "{address}");
            assert_eq!(with.recognize(&address, None), without.recognize(&address, None));
        }
    }
}

#[test]
fn an_upstream_address_gets_the_spelling_of_the_routes_clients() {
    let name = "M%C3%BCller%20%26%20S%C3%B6hne%27s%2FCo";
    let literal = "Company('M%C3%BCller%20%26%20S%C3%B6hne%27%27s%2FCo')";
    for (upstream, to, local) in [
        ("/api/v2.0/companies(ID)/customers(1)", "api/v2.0", Some("/customers(1)")),
        ("/api/v2.0/companies(ID)", "api/v2.0", Some("/companies(ID)")),
        ("/api/v2.0/companies(ID)/subscriptions", "api/v2.0", Some("/companies(ID)/subscriptions")),
        ("/api/v2.0/$metadata", "api/v2.0", Some("/$metadata")),
        ("/api/v2.0", "api/v2.0", Some("")),
        ("/api/v2.0/$batch", "api/v2.0", Some("/$batch")),
        ("/api/v2.0/companies(OTHER)/customers", "api/v2.0", None),
        ("/api/v2.0/customers", "api/v2.0", None),
        ("/api/v2.0/customers?company=ID", "api/v2.0", Some("/customers")),
        ("/api/cronus/warehouse/v1.0/companies(ID)/bins", "api/v2.0", None),
        ("/ODataV4/LITERAL/Customer", "odata", Some("/Customer")),
        ("/ODataV4/Company(Id=ID)/Customer", "odata", Some("/Customer")),
        ("/ODataV4/LITERAL/$metadata", "odata", Some("/LITERAL/$metadata")),
        ("/ODataV4/Company", "odata", Some("/Company")),
        ("/ODataV4/LITERAL/Customer", "api/v2.0", None),
        ("/WS/NAME/Page/Customer", "soap", Some("/Page/Customer")),
        ("/WS/NAME/Services", "soap", Some("/Services")),
        ("/WS/SystemService", "soap", Some("/SystemService")),
        ("/WS/NAME/SystemService", "soap", Some("/SystemService")),
        // Without the company, `Page` would be read as one.
        ("/WS/NAME/Page/Services", "soap", Some("/NAME/Page/Services")),
        ("/WS/NAME/Page/Page/X", "soap", Some("/NAME/Page/Page/X")),
        ("/api/v8media/erp/v1.0/companies(ID)/films", "api/v8media/erp/v1.0", Some("/films")),
        ("/WS/NAME/Page/Customer", "nav", Some("/BC/WS/NAME/Page/Customer")),
        ("/WS/NAME/Page/Customer", "environment", Some("/WS/NAME/Page/Customer")),
        ("/anything/else", "environment", Some("/anything/else")),
    ] {
        let fill = |text: &str| {
            text.replace("NAME", name).replace("LITERAL", literal).replace("OTHER", OTHER_ID).replace("ID", ID)
        };
        let written = recognized(&fill(upstream)).to_local(&to.parse().unwrap(), Some(&company()), None);
        assert_eq!(written, local.map(fill), "{upstream} on {to}");
    }
}

#[test]
fn links_repeat_the_spelling_of_a_nav_client() {
    let surface = Surface::Nav;
    let asked = LocalAddress {
        remainder: SafePath::check("/DynamicsNAV100/WS/Old%20Name/Page/Customer").unwrap(),
        query: None,
        company_headers: &[],
    };
    let mut asked = Resource::from_local(&surface, asked, &environment()).unwrap();
    assert_eq!(asked.nav_company(), Some("Old Name"));
    asked.translate_company(&company());
    let upstream = asked.path_and_query("", Some(&company())).unwrap();
    assert_eq!(upstream, "/WS/M%C3%BCller%20%26%20S%C3%B6hne%27s%2FCo/Page/Customer");
    let written = recognized(&upstream).to_local(&surface, Some(&company()), Some(&asked)).unwrap();
    assert_eq!(written, "/DynamicsNAV100/WS/Old%20Name/Page/Customer");
    let other =
        recognized("/ODataV4/Company('Fabrikam')/X").to_local(&surface, Some(&company()), Some(&asked)).unwrap();
    assert_eq!(other, "/DynamicsNAV100/ODataV4/Company('Fabrikam')/X");
}

fn any_name() -> impl Strategy<Value = String> {
    "[a-zA-ZäöüßÅ0-9 .,'&+%/()#?=-]{1,30}"
        .prop_filter("no dot segment", |name| !name.split('/').any(|piece| matches!(piece, "." | "..")))
}

proptest! {
    #[test]
    fn every_built_address_stays_in_the_company(local in "/[a-zA-Z0-9()'=$%./?&{}-]{0,60}") {
        if let Ok(built) = in_company("api/v2.0", &local) {
            let root_sets = built.strip_prefix("/api/v2.0").unwrap();
            let in_company = root_sets.starts_with(&format!("/companies({ID})"));
            let set = root_sets.trim_start_matches('/').split(['/', '?', '(']).next().unwrap().to_ascii_lowercase();
            let set = percent_decode_str(&set).decode_utf8_lossy().to_ascii_lowercase();
            let is_root = set.is_empty() || API_ROOT_SETS.iter().any(|root| root.eq_ignore_ascii_case(&set));
            prop_assert!(in_company || is_root || built.contains(&format!("company={ID}")), "{}", built);
            let whole = format!("https://h{BASE}{built}");
            prop_assert!(hyper::Uri::try_from(whole).is_ok());
        }
    }

    #[test]
    fn upstream_to_local_and_back_is_the_same_resource(
        name in any_name(),
        rest in prop::sample::select(vec![
            "", "/Customer", "/Customer('a%2Fb''c')", "/subscriptions", "/$metadata", "/companies", "/Page/X", "/v2.0/x", "/Company",
            "/companies(824820a2-508c-ed11-aada-000d3a298ab3)/x",
        ]),
        to in prop::sample::select(vec!["api/v2.0", "odata", "soap", "nav", "environment"]),
        family in prop::sample::select(vec![0, 1, 2]),
        confined in any::<bool>(),
    ) {
        let company = Company { name: name.parse().unwrap(), ..company() };
        let mut upstream = String::new();
        match family {
            0 => { upstream += "/api/v2.0/companies("; upstream += ID; upstream += ")"; }
            1 => { upstream += "/ODataV4"; super::upstream::push_named(&mut upstream, &Family::OData, &name); }
            _ => { upstream += "/WS"; super::upstream::push_named(&mut upstream, &Family::Soap, &name); }
        }
        upstream += rest;
        let surface: Surface = to.parse().unwrap();
        let resource = recognized(&upstream);
        let company = confined.then_some(&company);
        if let Some(local) = resource.to_local(&surface, company, None) {
            let asked = LocalAddress { remainder: SafePath::check(&local).unwrap(), query: None, company_headers: &[] };
            let back = Resource::from_local(&surface, asked, &environment()).unwrap();
            let unconfined = surface == Surface::Environment;
            let company = company.filter(|_| !unconfined);
            let built = back.path_and_query("", company);
            if !unconfined {
                prop_assert_eq!(&built, &resource.path_and_query("", company), "{} via {}", upstream, local);
            }
            // The local address is canonical: it maps back to itself.
            if let Ok(built) = built {
                let again = recognized(&built).to_local(&surface, company, None);
                prop_assert_eq!(again.as_deref(), Some(local.as_str()));
            }
        }
    }
}
