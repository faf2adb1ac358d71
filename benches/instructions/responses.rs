//! What Entra, Business Central and the collector respond, prepared once.

use std::io::Write;

use bytes::Bytes;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use crate::idle::Idle;
use crate::pieces::Pieces;

/// Responses by the end of the path that they belong to.
pub struct Responses(Vec<(&'static str, Prepared)>);

#[derive(Clone)]
struct Prepared {
    status: StatusCode,
    media_type: &'static str,
    is_gzip: bool,
    body: Bytes,
    is_chunked: bool,
}

impl Responses {
    pub fn new() -> Self {
        let page = Prepared::json(page());
        Self(vec![
            ("/token", Prepared::json(token())),
            // The collector has taken everything: an empty message.
            ("/v1/traces", Prepared { media_type: "application/x-protobuf", ..Prepared::json("") }),
            ("/companies", Prepared::json(companies())),
            ("/customers", Prepared::json(CUSTOMER)),
            ("/shipments", Prepared::json(SHIPMENTS)),
            ("/Customers", Prepared::json(ODATA_CUSTOMERS)),
            ("/Page/Customer", Prepared { media_type: "text/xml; charset=utf-8", ..Prepared::json(SOAP_CUSTOMER) }),
            ("/salesOrders", Prepared { status: StatusCode::CREATED, ..Prepared::json(CUSTOMER) }),
            ("/$batch", Prepared::json(batch())),
            ("/generalLedgerEntries", Prepared { is_chunked: true, ..page.clone() }),
            ("/salesInvoices", Prepared { is_gzip: true, body: gzip(&page.body), ..page.clone() }),
            ("/items", page),
        ])
    }

    /// The response to a request for this path; 404 if none is prepared.
    pub fn of(&self, path: &str, idle: Idle) -> Response<Pieces> {
        match self.0.iter().find(|(end, _)| path.ends_with(end)) {
            Some((_, prepared)) => prepared.response(idle),
            None => empty(StatusCode::NOT_FOUND),
        }
    }
}

impl Prepared {
    fn json(body: impl Into<Bytes>) -> Self {
        let media_type = "application/json; odata.metadata=minimal; odata.streaming=true";
        Self { status: StatusCode::OK, media_type, is_gzip: false, body: body.into(), is_chunked: false }
    }

    fn response(&self, idle: Idle) -> Response<Pieces> {
        let body = self.body.clone();
        let body = if self.is_chunked { Pieces::chunked(body, idle) } else { Pieces::new(body, idle) };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        if self.is_gzip {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// A response without a body.
pub fn empty(status: StatusCode) -> Response<Pieces> {
    let mut response = Response::new(Pieces::new(Bytes::new(), Idle::default()));
    *response.status_mut() = status;
    response
}

/// As long as Entra's.
fn token() -> String {
    format!(r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{}"}}"#, "t".repeat(1_400))
}

fn companies() -> String {
    format!(r#"{{"value":[{{"id":"{COMPANY_ID}","name":"{COMPANY}","displayName":"{COMPANY}"}}]}}"#)
}

/// An OData page of about one mebibyte with 2,000 links.
fn page() -> String {
    let records: Vec<String> = (0..LINKS).map(|number| {
        format!(r#"{{"@odata.etag":"W/\"JzIwOzEyMzQ1Njc4OTAxMjM0NTY3ODkw{number:06};\"","@odata.editLink":"{API}/companies({COMPANY_ID})/items(0d6b6c5e-2f5d-ee11-8df1-000d3a{number:06})","id":"0d6b6c5e-2f5d-ee11-8df1-000d3a{number:06}","number":"{number}","displayName":"ATHENS Desk","type":"Inventory","itemCategoryCode":"TABLE","blocked":false,"unitPrice":1000.8,"priceIncludesTax":false,"unitCost":780.7,"lastModifiedDateTime":"2024-05-13T09:41:07.123Z","note":"x"}}"#)
    }).collect();
    format!(r#"{{"@odata.context":"{API}/$metadata#items","value":[{}]}}"#, records.join(","))
}

/// The responses to the twenty parts of a batch.
fn batch() -> String {
    let parts: Vec<String> = (0..BATCH_PARTS)
        .map(|id| {
            format!(
                r#"{{"id":"{id}","status":200,"headers":{{"content-type":"application/json; odata.metadata=minimal"}},"body":{CUSTOMER}}}"#
            )
        })
        .collect();
    format!(r#"{{"responses":[{}]}}"#, parts.join(","))
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}

pub const COMPANY: &str = "CRONUS International Ltd.";
const COMPANY_ID: &str = "824820a2-508c-ed11-aada-0000000000a1";

/// Parts of the batch, in request and response.
pub const BATCH_PARTS: usize = 20;

const LINKS: usize = 2_000;

const API: &str = "https://api.businesscentral.dynamics.com/v2.0/Production/api/v2.0";

const CUSTOMER: &str = r#"{"@odata.context":"https://api.businesscentral.dynamics.com/v2.0/Production/api/v2.0/$metadata#companies(824820a2-508c-ed11-aada-0000000000a1)/customers/$entity","@odata.etag":"W/\"JzIwOzEyMzQ1Njc4OTAxMjM0NTY3ODkwMTswMDsn\"","id":"0d6b6c5e-2f5d-ee11-8df1-000d3a2a1c33","number":"10000","displayName":"Adatum Corporation","type":"Company","balanceDue":0,"currencyCode":"EUR"}"#;

const SHIPMENTS: &str = r#"{"@odata.context":"https://api.businesscentral.dynamics.com/v2.0/Production/api/contoso/warehouse/v1.0/$metadata#companies(824820a2-508c-ed11-aada-0000000000a1)/shipments","value":[{"@odata.etag":"W/\"JzIwOzEyMzQ1Njc4OTAxMjM0NTY3ODkwMTswMDsn\"","id":"0d6b6c5e-2f5d-ee11-8df1-000d3a2a1c33","number":"SH0001","customer":"Adatum Corporation","weight":12.5}]}"#;

const ODATA_CUSTOMERS: &str = r#"{"@odata.context":"https://api.businesscentral.dynamics.com/v2.0/Production/ODataV4/$metadata#Company('CRONUS%20International%20Ltd.')/Customers","value":[{"@odata.etag":"W/\"JzIwOzEyMzQ1Njc4OTAxMjM0NTY3ODkwMTswMDsn\"","No":"10000","Name":"Adatum Corporation","Currency_Code":"EUR","Balance_LCY":0}]}"#;

const SOAP_CUSTOMER: &str = r#"<Soap:Envelope xmlns:Soap="http://schemas.xmlsoap.org/soap/envelope/"><Soap:Body><Read_Result xmlns="urn:microsoft-dynamics-schemas/page/customer"><Customer><Key>24;EgAAAAJ7CDEAMAAwADAAMA==6;12345678;</Key><No>10000</No><Name>Adatum Corporation</Name></Customer></Read_Result></Soap:Body></Soap:Envelope>"#;
