//! Whatever address a client writes: what is sent for it stays in the route's company, and leads back to itself.
#![no_main]

use bcproxy::business_central::address::{Asked, EnvironmentAddress, Resource};
use bcproxy::business_central::{Company, SafePath, Surface};
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;

const ID: &str = "824820a2-508c-ed11-aada-000d3a298ab3";
const NAME: &str = "Müller & Söhne's/Co";
const BASE: &str = "/v2.0/contoso.com/Production";

/// The fuzzer would hardly ever write these of its own accord.
const WORDS: [&str; 48] = [
    "/",
    "?",
    "&",
    "=",
    "'",
    "''",
    "(",
    ")",
    "%27",
    "%2F",
    "%5C",
    "\\",
    "%252F",
    "..",
    ".",
    "%00",
    "#",
    "+",
    "%20",
    "companies",
    "Companies",
    "automationCompanies",
    "Company",
    "company",
    "%63ompany",
    "tenant",
    "aid",
    "$skiptoken",
    "$filter",
    "$batch",
    "$metadata",
    "$count",
    "$ref",
    "WS",
    "Page",
    "Codeunit",
    "Services",
    "SystemService",
    "ODataV4",
    "OData",
    "api",
    "v2.0",
    "contoso.com",
    "Production",
    "id=",
    "name=",
    ID,
    "M%C3%BCller%20%26%20S%C3%B6hne''s%2FCo",
];

fuzz_target!(|input: (u8, bool, Vec<(u8, &str)>, Vec<&str>)| {
    let (surface, is_confined, pieces, headers) = input;
    let target: String =
        pieces.iter().flat_map(|(word, text)| [WORDS[usize::from(*word) % WORDS.len()], *text]).collect();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target.as_str(), None),
    };
    let to = ["api/v2.0", "api/microsoft/automation/v2.0", "odata", "soap", "nav", "environment"];
    let surface: Surface = to[usize::from(surface) % to.len()].parse().expect("a surface");
    let environment = EnvironmentAddress::new(
        &"https://bc.example".parse().expect("an address"),
        &"contoso.com".parse().expect("a tenant"),
        &"Production".parse().expect("an environment"),
    );
    let company =
        Company { id: ID.parse().expect("an id"), name: NAME.parse().expect("a name"), display_name: String::new() };
    let company = (is_confined && surface != Surface::Environment).then_some(&company);

    let path = format!("/{path}");
    let Ok(remainder) = SafePath::check(&path) else { return };
    let headers: Vec<String> = headers.into_iter().map(str::to_owned).collect();
    let asked = Asked { remainder, query, company_headers: &headers };
    let Ok(resource) = Resource::understand(&surface, asked, &environment) else { return };
    let _ = (resource.local_root(&surface), resource.in_batch(company), resource.subscription(), resource.is_media());
    let Ok(sent) = resource.path_and_query(BASE, company) else { return };
    assert!(sent.bytes().all(|byte| byte.is_ascii_graphic()), "{target} is sent as {sent}");
    if company.is_some() {
        stays(&sent, &target);
    }

    let below = sent.strip_prefix(BASE).expect("its environment");
    let (path, query) = below.split_once('?').map_or((below, None), |(path, query)| (path, Some(query)));
    let recognised = environment.recognise(&format!("https://bc.example{BASE}{path}"), query);
    let recognised = recognised.unwrap_or_else(|| panic!("{target} is sent as {sent}, which nobody knows"));
    if surface != Surface::Environment {
        recognised.judge(company).unwrap_or_else(|error| panic!("{target} is sent as {sent}: {error}"));
    }
    let Some(local) = recognised.local(&surface, company, Some(&resource)) else { return };
    let asked = Asked { remainder: SafePath::check(&local).expect("a local path"), query, company_headers: &[] };
    let again = Resource::understand(&surface, asked, &environment).expect("a local address");
    // A list is kept to the company by a condition, which is then there twice; on `nav` a name may be an old one; what is sent to an
    // environment is as raw as it came, and the way back is not.
    if !recognised.lists_companies() && !matches!(surface, Surface::Nav | Surface::Environment) {
        assert_eq!(again.path_and_query(BASE, company).as_deref(), Ok(sent.as_str()), "{target} by {local}");
    }
});

/// Reads an address as plainly as a server could, and finds no other company in it.
fn stays(sent: &str, target: &str) {
    let (path, query) = sent.split_once('?').map_or((sent, ""), |(path, query)| (path, query));
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let is_own = |name: &str| name.eq_ignore_ascii_case(ID) || name == NAME;
    let mut segments = path.strip_prefix(BASE).expect("its environment").split('/').map(decoded).skip(1);
    let family = segments.next().unwrap_or_default();
    let rest: Vec<String> = segments.collect();
    for segment in &rest {
        assert!(segment != ".." && segment != ".", "{target} is sent as {sent}");
        let lower = segment.to_lowercase();
        let key = ["companies(", "automationcompanies(", "company("]
            .iter()
            .find_map(|set| lower.strip_prefix(set).map(|_| set.len()));
        let Some(key) = key.filter(|_| family != "WS").and_then(|from| segment.get(from..)?.strip_suffix(')')) else {
            continue;
        };
        let value = key.split_once('=').map_or(key, |(_, value)| value).trim();
        let name = value
            .strip_prefix('\'')
            .and_then(|value| value.strip_suffix('\''))
            .map_or(value.to_owned(), |name| name.replace("''", "'"));
        assert!(is_own(&name), "{target} is sent as {sent}");
    }
    if family == "WS" {
        let is_service = rest.first().is_some_and(|first| first.eq_ignore_ascii_case("SystemService"));
        assert!(is_service || rest.first().is_some_and(|name| is_own(name)), "{target} is sent as {sent}");
    }
    let parameters: Vec<(String, String)> = query
        .split('&')
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .map(|(key, value)| (decoded(key).trim().to_lowercase(), decoded(&value.replace('+', " "))))
        .collect();
    let has = |wanted: &str| parameters.iter().any(|(key, _)| key == wanted);
    assert!(!has("tenant") || has("aid") || has("$skiptoken"), "{target} is sent as {sent}");
    for (_, value) in parameters.iter().filter(|(key, _)| key == "company") {
        let name = value
            .strip_prefix('\'')
            .and_then(|value| value.strip_suffix('\''))
            .map_or(value.clone(), |name| name.replace("''", "'"));
        assert!(is_own(&name), "{target} is sent as {sent}");
    }
}
