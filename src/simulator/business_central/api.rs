//! The API surface: `api/v2.0` and the custom `api/cronus/warehouse/v1.0`.

use bytes::Bytes;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::address::Segment;
use super::books::{Books, Company};
use super::collection::{Collection, json_response};
use super::errors::Failure;
use super::schema::{SALES_ORDER_LINES, STANDARD_API, View, WAREHOUSE_API};
use super::{Place, Request};

/// One API: its absolute address and its entity sets.
struct Api {
    root: String,
    views: &'static [View],
}

/// Answers what stands below `api/`.
pub(super) fn answer(
    books: &mut Books,
    place: &Place,
    segments: &[String],
    request: &Request,
) -> Result<Response<Bytes>, Failure> {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (api, rest) = match segments.as_slice() {
        ["v2.0", rest @ ..] => (Api { root: format!("{}/api/v2.0", place.root), views: &STANDARD_API }, rest),
        ["cronus", "warehouse", "v1.0", rest @ ..] => {
            (Api { root: format!("{}/api/cronus/warehouse/v1.0", place.root), views: &WAREHOUSE_API }, rest)
        }
        _ => return Err(Failure::UnknownSegment(segments.join("/"))),
    };
    let [first, rest @ ..] = rest else {
        request.expect_read()?;
        return Ok(api.service_document());
    };
    match Segment::parse(first) {
        Segment { name: "companies", key: None } => {
            request.expect_read()?;
            let companies: Vec<Value> = books.companies.iter().map(company_entity).collect();
            let context = format!("{}/$metadata#companies", api.root);
            Ok(json_response(StatusCode::OK, &json!({"@odata.context": context, "value": companies})))
        }
        Segment { name: "companies", key: Some(key) } => {
            let id = Uuid::try_parse(key).map_err(|_| Failure::Key(key.to_owned()))?;
            let company = books.find_company(&id.to_string())?;
            if rest.is_empty() {
                request.expect_read()?;
                let mut entity = company_entity(books.company(company)?);
                entity["@odata.context"] = json!(format!("{}/$metadata#companies/$entity", api.root));
                return Ok(json_response(StatusCode::OK, &entity));
            }
            api.entities(books, place, company, rest, request)
        }
        _ => {
            let company = match request.option("company") {
                Some(company) => books.find_company(&company)?,
                None => place.default_company(books)?,
            };
            let path: Vec<&str> = std::iter::once(*first).chain(rest.iter().copied()).collect();
            api.entities(books, place, company, &path, request)
        }
    }
}

impl Api {
    fn service_document(&self) -> Response<Bytes> {
        let sets = std::iter::once("companies").chain(self.views.iter().map(|view| view.set));
        let sets: Vec<Value> = sets.map(|set| json!({"name": set, "kind": "EntitySet", "url": set})).collect();
        let context = format!("{}/$metadata", self.root);
        json_response(StatusCode::OK, &json!({"@odata.context": context, "value": sets}))
    }

    /// Answers what stands below a company.
    fn entities(
        &self,
        books: &mut Books,
        place: &Place,
        company: usize,
        path: &[&str],
        request: &Request,
    ) -> Result<Response<Bytes>, Failure> {
        let unknown = |segment: &str| Failure::UnknownSegment(segment.to_owned());
        let [first, rest @ ..] = path else {
            return Err(unknown(""));
        };
        let Segment { name, key } = Segment::parse(first);
        let view = self.views.iter().find(|view| view.set == name).ok_or_else(|| unknown(name))?;
        let company_id = books.company(company)?.id;
        let collection = Collection {
            view,
            company,
            within: None,
            address: format!("{}/companies({company_id})/{name}", self.root),
            context: format!("{}/$metadata#companies({company_id})/{name}", self.root),
            link_options: "aid=FIN&",
            page_size: place.page_size,
        };
        match (key, rest) {
            (None, []) => collection.answer(books, request),
            (None, ["$count"]) => collection.answer_count(books, request),
            (Some(key), []) => collection.answer_record(books, key, request),
            (Some(key), [lines, rest @ ..]) if name == "salesOrders" => {
                let lines = Segment::parse(lines);
                if lines.name != SALES_ORDER_LINES.set {
                    return Err(unknown(lines.name));
                }
                let order = collection.find(books, key)?.id;
                let collection = Collection {
                    view: &SALES_ORDER_LINES,
                    within: Some(("documentId", order)),
                    address: format!("{}({order})/{}", collection.address, lines.name),
                    context: format!("{}({order})/{}", collection.context, lines.name),
                    ..collection
                };
                match (lines.key, rest) {
                    (None, []) => collection.answer(books, request),
                    (None, ["$count"]) => collection.answer_count(books, request),
                    (Some(key), []) => collection.answer_record(books, key, request),
                    _ => Err(unknown(&rest.join("/"))),
                }
            }
            _ => Err(unknown(&rest.join("/"))),
        }
    }
}

fn company_entity(company: &Company) -> Value {
    json!({
        "id": company.id,
        "systemVersion": "26.0.12345.0",
        "timestamp": 20_000 + u64::from(company.number),
        "name": company.name,
        "displayName": company.display_name,
        "businessProfileId": "",
        "systemCreatedAt": "2026-01-01T00:00:00Z",
        "systemCreatedBy": Uuid::nil(),
        "systemModifiedAt": "2026-01-01T00:00:00Z",
        "systemModifiedBy": Uuid::nil(),
    })
}
