//! The SOAP web services: `WS/[{company}/]Page|Codeunit/{service}`, discovery and the system service.

mod codeunit;
mod criteria;
mod envelope;
mod page;
mod wsdl;
mod xsd;

use bytes::Bytes;
use hyper::{Method, Response};

use self::envelope::{Fault, escape_text, namespace, with_operation, xml_response};
use super::address::escape;
use super::books::{Books, Owner};
use super::catalogue::PAGES;
use super::errors::Failure;
use super::request::{Place, Request};
use super::tools::TOOLS;

/// Answers what stands below `WS/`.
pub(super) fn answer(
    books: &mut Books,
    place: &Place,
    segments: &[&str],
    request: &Request,
) -> Result<Response<Bytes>, Failure> {
    let answer = match segments {
        [services] if services.eq_ignore_ascii_case("Services") => discovery(books, place, None, request),
        [company, services] if services.eq_ignore_ascii_case("Services") => {
            discovery(books, place, Some(company), request)
        }
        [system] | [_, system] if system.eq_ignore_ascii_case("SystemService") => system_service(books, place, request),
        [kind, service] if is_kind(kind) => call(books, place, None, kind, service, request),
        [company, kind, service] if is_kind(kind) => call(books, place, Some(company), kind, service, request),
        _ => return Err(Failure::UnknownSegment(segments.join("/"))),
    };
    match answer {
        Ok(answer) => Ok(answer),
        Err(Fault::Failure(failure @ (Failure::UnknownSegment(_) | Failure::Method(_) | Failure::ContentType(_)))) => {
            Err(failure)
        }
        Err(fault) => Ok(fault.response()),
    }
}

fn is_kind(segment: &str) -> bool {
    segment.eq_ignore_ascii_case("Page") || segment.eq_ignore_ascii_case("Codeunit")
}

fn company_index(books: &Books, place: &Place, company: Option<&str>) -> Result<usize, Fault> {
    let index = match company {
        Some(name) => books.find_company(name),
        None => place.default_company(books),
    };
    Ok(index?)
}

/// A page or codeunit: GET describes it, POST calls it.
fn call(
    books: &mut Books,
    place: &Place,
    company: Option<&str>,
    kind: &str,
    service: &str,
    request: &Request,
) -> Result<Response<Bytes>, Fault> {
    let company = company_index(books, place, company)?;
    let company_name = escape(&books.company(company)?.name);
    let unknown = || Fault::from(Failure::UnknownSegment(service.to_owned()));
    if kind.eq_ignore_ascii_case("Codeunit") {
        if service != TOOLS {
            return Err(unknown());
        }
        let location = format!("{}/WS/{company_name}/Codeunit/{TOOLS}", place.root);
        return match *request.method {
            Method::GET => match request.option("xsd") {
                Some(name) => Ok(xml_response(wsdl::codeunit_schema(&name, &location).ok_or_else(unknown)?)),
                None => Ok(xml_response(wsdl::codeunit(&location))),
            },
            _ => with_operation(body(request)?, codeunit::NAMESPACE, |operation| {
                place.expect_permission()?;
                codeunit::call(books, Owner::Company(company), operation)
            }),
        };
    }
    let view = PAGES.iter().find(|view| view.set == service).ok_or_else(unknown)?;
    let location = format!("{}/WS/{company_name}/Page/{service}", place.root);
    match *request.method {
        Method::GET => Ok(xml_response(wsdl::page(view, &location))),
        _ => with_operation(body(request)?, &namespace(view), |operation| {
            place.expect_permission()?;
            page::call(books, Owner::Company(company), view, operation)
        }),
    }
}

/// The body of a call. SOAP 1.1 travels as text/xml.
fn body<'a>(request: &'a Request) -> Result<&'a Bytes, Fault> {
    if *request.method != Method::POST {
        return Err(Failure::Method(request.method.to_string()).into());
    }
    let body = request.whole_body()?;
    if !body.is_empty() && request.media_type() != "text/xml" {
        return Err(Failure::ContentType("text/xml").into());
    }
    Ok(body)
}

/// The list of services. As in the real one, the company's name stands in the addresses as it is, spaces included.
fn discovery(books: &Books, place: &Place, company: Option<&str>, request: &Request) -> Result<Response<Bytes>, Fault> {
    request.expect_read()?;
    let company = &books.company(company_index(books, place, company)?)?.name;
    let root = &place.root;
    let pages = PAGES.iter().map(|view| format!("{root}/WS/{company}/Page/{}", view.set));
    let codeunit = format!("{root}/WS/{company}/Codeunit/{TOOLS}");
    let all = std::iter::once(format!("{root}/WS/SystemService")).chain(pages).chain([codeunit]);
    let references: String = all
        .map(|address| {
            let address = escape_text(&address);
            format!("<contractRef xmlns=\"http://schemas.xmlsoap.org/disco/scl/\" ref=\"{address}\"/>")
        })
        .collect();
    Ok(xml_response(format!("<discovery xmlns=\"http://schemas.xmlsoap.org/disco/\">{references}</discovery>")))
}

/// The service that belongs to no company: `Companies` lists their names.
fn system_service(books: &Books, place: &Place, request: &Request) -> Result<Response<Bytes>, Fault> {
    const NAMESPACE: &str = "urn:microsoft-dynamics-schemas/nav/system/";
    if *request.method == Method::GET {
        return Ok(xml_response(wsdl::system(NAMESPACE, &format!("{}/WS/SystemService", place.root))));
    }
    with_operation(body(request)?, NAMESPACE, |operation| match operation.name() {
        "Companies" => Ok(books
            .companies
            .iter()
            .map(|company| format!("<return_value>{}</return_value>", escape_text(&company.name)))
            .collect()),
        other => Err(Fault::UnknownOperation(other.to_owned())),
    })
}
