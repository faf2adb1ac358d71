//! The requests that are measured.

use bytes::Bytes;
use hyper::{Method, StatusCode};

use crate::proxy::Setup;
use crate::responses::BATCH_PARTS;

/// A request, how often it is sent, and how.
pub struct Row {
    pub name: &'static str,
    pub method: Method,
    pub path: &'static str,
    /// Besides those that every client sends.
    pub headers: &'static [(&'static str, &'static str)],
    pub body: Bytes,
    /// What it has to be answered with.
    pub status: StatusCode,
    pub tls: bool,
    pub setup: Setup,
    /// In each round.
    pub requests: usize,
}

/// A small GET to the standard API.
pub const SMALL: &str = "/api/customers?$top=1";

/// All rows.
pub fn all() -> Vec<Row> {
    vec![
        get("small GET, api", SMALL),
        Row { tls: true, ..get("small GET, api, TLS", SMALL) },
        Row { setup: Setup::Logged, ..get("small GET, api, logged", SMALL) },
        // So many that one in a hundred is traced.
        Row { setup: Setup::Exported, requests: 1000, ..get("small GET, api, exported", SMALL) },
        get("small GET, custom api", "/warehouse/shipments?$top=1"),
        get("small GET, odata", "/odata/Customers?$top=1"),
        get("small GET, nav", "/nav/BC140/ODataV4/Company('CRONUS%20International%20Ltd.')/Customers?$top=1"),
        get(
            "small GET, environment",
            "/environment/api/v2.0/companies(824820a2-508c-ed11-aada-0000000000a1)/customers?$top=1",
        ),
        post("SOAP POST", "/soap/Page/Customer", SOAP_HEADERS, SOAP_READ.into()),
        get("cache hit", "/cached/customers?$top=1"),
        Row { status: StatusCode::NOT_FOUND, ..get("rejected, no route", "/elsewhere/customers?$top=1") },
        post("batch of 20", "/api/$batch", JSON, batch().into()),
        Row {
            status: StatusCode::CREATED,
            requests: 10,
            ..post("POST 64 KiB", "/api/salesOrders", JSON, sales_order().into())
        },
        page("page of 2,000 links", "/api/items"),
        page("page of 2,000 links, chunked", "/api/generalLedgerEntries"),
        page("page of 2,000 links, gzip", "/api/salesInvoices"),
        Row { setup: Setup::Watched, requests: 8, ..get("status page", "/") },
    ]
}

fn get(name: &'static str, path: &'static str) -> Row {
    Row {
        name,
        method: Method::GET,
        path,
        headers: &[],
        body: Bytes::new(),
        status: StatusCode::OK,
        tls: false,
        setup: Setup::Quiet,
        requests: 40,
    }
}

fn post(name: &'static str, path: &'static str, headers: &'static [(&'static str, &'static str)], body: Bytes) -> Row {
    Row { method: Method::POST, headers, body, ..get(name, path) }
}

fn page(name: &'static str, path: &'static str) -> Row {
    Row { requests: 8, ..get(name, path) }
}

fn batch() -> String {
    let parts: Vec<String> = (0..BATCH_PARTS)
        .map(|id| format!(r#"{{"id":"{id}","method":"GET","url":"customers?$top=1&$skip={id}"}}"#))
        .collect();
    format!(r#"{{"requests":[{}]}}"#, parts.join(","))
}

/// An order with as many lines as fit into 64 KiB.
fn sales_order() -> String {
    let mut order = r#"{"customerNumber":"10000","salesOrderLines":["#.to_owned();
    for number in 0.. {
        let line = format!(
            r#"{{"sequence":{number},"lineType":"Item","lineObjectNumber":"1896-S","description":"ATHENS Desk","quantity":1,"unitPrice":1000.8}}"#
        );
        if order.len() + line.len() + 3 > POST_BYTES {
            break;
        }
        let comma = if number > 0 { "," } else { "" };
        order.push_str(comma);
        order.push_str(&line);
    }
    order.push_str("]}");
    order
}

const POST_BYTES: usize = 64 * 1024;

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

const SOAP_HEADERS: &[(&str, &str)] = &[
    ("content-type", "text/xml; charset=utf-8"),
    ("soapaction", "\"urn:microsoft-dynamics-schemas/page/customer:Read\""),
];

const SOAP_READ: &str = r#"<?xml version="1.0" encoding="utf-8"?><Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><Read xmlns="urn:microsoft-dynamics-schemas/page/customer"><No>10000</No></Read></Body></Envelope>"#;
