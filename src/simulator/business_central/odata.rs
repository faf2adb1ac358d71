//! The OData V4 web services: `ODataV4/…`, pages published under the names in [`PAGES`].

use bytes::Bytes;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::address::{self, Segment};
use super::books::Books;
use super::collection::{Collection, json_response};
use super::errors::Failure;
use super::schema::PAGES;
use super::{Place, Request};

/// Answers what stands below `ODataV4/`.
pub(super) fn answer(
    books: &mut Books,
    place: &Place,
    segments: &[String],
    request: &Request,
) -> Result<Response<Bytes>, Failure> {
    let root = format!("{}/ODataV4", place.root);
    let [first, rest @ ..] = segments else {
        request.expect_read()?;
        let sets = std::iter::once("Company").chain(PAGES.iter().map(|view| view.set));
        let sets: Vec<Value> = sets.map(|set| json!({"name": set, "kind": "EntitySet", "url": set})).collect();
        let context = format!("{root}/$metadata");
        return Ok(json_response(StatusCode::OK, &json!({"@odata.context": context, "value": sets})));
    };
    match Segment::parse(first) {
        Segment { name: "Company", key: None } => {
            request.expect_read()?;
            let companies: Vec<Value> = books.companies.iter().map(company_entity).collect();
            let context = format!("{root}/$metadata#Company");
            Ok(json_response(StatusCode::OK, &json!({"@odata.context": context, "value": companies})))
        }
        Segment { name: "Company", key: Some(key) } => {
            let company = match key.strip_prefix("Id=") {
                Some(id) => books.find_company(id)?,
                None => {
                    let name = address::unquote(key).ok_or_else(|| Failure::Key(key.to_owned()))?;
                    books.find_company(&name)?
                }
            };
            if rest.is_empty() {
                request.expect_read()?;
                let mut entity = company_entity(books.company(company)?);
                entity["@odata.context"] = json!(format!("{root}/$metadata#Company/$entity"));
                return Ok(json_response(StatusCode::OK, &entity));
            }
            service(books, place, company, rest, request)
        }
        _ => {
            let company = match request.option("company") {
                // Page services take a quoted name, codeunit actions a bare one.
                Some(company) => books.find_company(&address::unquote(&company).unwrap_or(company))?,
                None => place.default_company(books)?,
            };
            service(books, place, company, segments, request)
        }
    }
}

/// Answers what stands below a company.
fn service(
    books: &mut Books,
    place: &Place,
    company: usize,
    segments: &[String],
    request: &Request,
) -> Result<Response<Bytes>, Failure> {
    let unknown = |segment: &str| Failure::UnknownSegment(segment.to_owned());
    let [first, rest @ ..] = segments else {
        return Err(unknown(""));
    };
    let Segment { name, key } = Segment::parse(first);
    let view = PAGES.iter().find(|view| view.set == name).ok_or_else(|| unknown(name))?;
    let company_name = address::literal(&books.company(company)?.name);
    let collection = Collection {
        view,
        company,
        within: None,
        address: format!("{}/ODataV4/Company({company_name})/{name}", place.root),
        context: format!("{}/ODataV4/$metadata#Company({company_name})/{name}", place.root),
        link_options: "tenant=msft1a6720t84104913&aid=FIN&",
        page_size: place.page_size,
    };
    match (key, rest) {
        (None, []) => collection.answer(books, request),
        (None, [count]) if count == "$count" => collection.answer_count(books, request),
        (Some(key), []) => collection.answer_record(books, key, request),
        _ => Err(unknown(&rest.join("/"))),
    }
}

fn company_entity(company: &super::books::Company) -> Value {
    json!({"Name": company.name, "Evaluation_Company": false, "Display_Name": company.display_name, "Id": company.id})
}
