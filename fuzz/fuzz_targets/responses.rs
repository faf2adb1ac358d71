//! Whatever is in a response: no token is taken that HTTP can't carry, and no error repeats a description. The next
//! page is one of the same list.
#![no_main]

mod words;

use std::sync::Arc;
use std::time::Duration;

use bcproxy::business_central::address::{EnvironmentAddress, SubscriptionKind};
use bcproxy::business_central::companies::CompanyPages;
use bcproxy::business_central::metadata::ActionImports;
use bcproxy::business_central::subscriptions::SubscriptionFilter;
use bcproxy::business_central::{Company, error_code};
use bcproxy::entra::{Claims, ClaimsChallenge, TokenResponse};
use hyper::header::HeaderValue;
use libfuzzer_sys::fuzz_target;
use words::spelled_out;

/// What a description may repeat.
const SECRET: &str = "hunter2-S3cr3t~Value";
const BASE: &str = "https://bc.example/v2.0/contoso.com/Production";
const ID: &str = "824820a2-508c-ed11-aada-000d3a298ab3";

const WORDS: [&str; 52] = [
    "{\"token_type\":\"Bearer\",\"access_token\":\"",
    "e30.eyJyb2xlcyI6WyJBUEkuUmVhZFdyaXRlLkFsbCJdfQ.c2ln",
    "\"access_token\":",
    "\"token_type\":",
    "\"expires_in\":",
    "\"expires_on\":",
    "\"refresh_in\":",
    "3599",
    "\"3599\"",
    "1e308",
    "-1",
    "\"nan\"",
    "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: hunter2-S3cr3t~Value\",",
    "\"error_codes\":[",
    "7000215",
    "\"error\":",
    "\"error_description\":",
    "\"invalid_grant\"",
    "\"correlation_id\":",
    "\"3f2504e0-4f89-41d3-9a0c-0305e82c3301\"",
    SECRET,
    "{\"value\":[",
    "{\"@odata.nextLink\":\"",
    "https://bc.example/v2.0/contoso.com/Production/api/v2.0/companies?$skiptoken=1",
    "https://evil.example/?",
    "\"@odata.nextLink\":",
    "\"id\":\"824820a2-508c-ed11-aada-000d3a298ab3\"",
    "\"name\":",
    "\"displayName\":",
    "\"CRONUS\"",
    "{\"subscriptionId\":\"1\",\"resource\":\"",
    "\"resource\":",
    "api/v2.0/companies(824820a2-508c-ed11-aada-000d3a298ab3)/items",
    "\"companyName\":",
    "\"companyId\":",
    "{\"error\":{\"code\":\"",
    "Bearer error=\"insufficient_claims\", claims=\"",
    "eyJhY2Nlc3NfdG9rZW4iOnt9fQ==",
    "<ActionImport Name=\"",
    "\\u0000",
    "\\n",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "?",
    "]}",
];

fuzz_target!(|input: (u16, bool, &[u8])| {
    let (status, is_event, input) = input;
    let body = spelled_out(input, &WORDS);
    check_token_response(status, &body);
    check_company_list(&body);
    check_subscriptions(is_event, &body);
    let _ = error_code(&body);
    ActionImports::default().push(&body);
    if let Some(challenge) = HeaderValue::from_bytes(&body).ok().and_then(|it| ClaimsChallenge::from_values([&it])) {
        assert!(challenge.as_str().starts_with('{') && !challenge.as_str().contains(['\r', '\n']));
    }
    let _ = std::str::from_utf8(&body).ok().and_then(Claims::parse);
});

fn check_token_response(status: u16, body: &[u8]) {
    let Ok(response) = hyper::Response::builder().status(status).body(body.to_vec()) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let read = runtime.block_on(TokenResponse::read(response.into()));
    let response = read.expect("a body in memory can be read");
    match response.grant() {
        Ok(grant) => {
            assert!(grant.authorization.is_sensitive());
            assert!((Duration::from_secs(1)..=Duration::from_secs(48 * 3600)).contains(&grant.lifetime));
            assert!(grant.refresh_in.is_none_or(|refresh| refresh < grant.lifetime));
        }
        Err(problem) => assert!(!problem.contains(SECRET)),
    }
    match response.entra_error() {
        Ok(error) => assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}"),
        Err(problem) => assert!(!problem.contains(SECRET)),
    }
}

fn check_company_list(body: &[u8]) {
    let mut pages = CompanyPages::of(BASE);
    let mut pages_read = 0;
    while let Some(url) = pages.next_url() {
        let below = url.strip_prefix(BASE).and_then(|path| path.strip_prefix("/api/v2.0/companies"));
        assert!(below.is_some_and(|query| query.is_empty() || query.starts_with('?')), "{url}");
        if pages.add(body).is_err() {
            break;
        }
        pages_read += 1;
        assert!(pages_read < 1000, "a list that goes on forever is read to its end");
    }
}

fn check_subscriptions(is_event: bool, body: &[u8]) {
    let environment = EnvironmentAddress::new(
        &"https://bc.example".parse().expect("an address"),
        &"contoso.com".parse().expect("a tenant"),
        &"Production".parse().expect("an environment"),
    );
    let company = Company {
        id: ID.parse().expect("an id"),
        name: "CRONUS".parse().expect("a name"),
        display_name: String::new(),
    };
    let kind = if is_event { SubscriptionKind::Event } else { SubscriptionKind::Webhook };
    let filter = SubscriptionFilter { kind, companies: &[Arc::new(company)], environment: &environment };
    if let Some(list) = filter.filter_list(body) {
        assert_eq!(filter.filter_list(list.as_bytes()).as_ref(), Some(&list));
    }
}
