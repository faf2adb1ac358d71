//! The dispatch of a SOAP request to a page, the codeunit, discovery or the system service.

use bytes::Bytes;
use hyper::{Method, Response};

use super::envelope::{SoapFault, escape_text, namespace, with_operation, xml_response};

use super::{codeunit, page, wsdl};
use crate::simulator::business_central::address::escape;
use crate::simulator::business_central::data::database::{Database, Owner};
use crate::simulator::business_central::data::views::PAGES;
use crate::simulator::business_central::environment::Environment;
use crate::simulator::business_central::errors::BusinessCentralError;
use crate::simulator::business_central::request::ServiceRequest;
use crate::simulator::business_central::tools::TOOLS;

/// Answers a request to `segments` below `WS/`.
pub fn respond(
    database: &mut Database,
    environment: &Environment,
    segments: &[&str],
    request: &ServiceRequest,
) -> Result<Response<Bytes>, BusinessCentralError> {
    let result = match segments {
        [services] if services.eq_ignore_ascii_case("Services") => discovery(database, environment, None, request),
        [company, services] if services.eq_ignore_ascii_case("Services") => {
            discovery(database, environment, Some(company), request)
        }
        [system] | [_, system] if system.eq_ignore_ascii_case("SystemService") => {
            system_service(database, environment, request)
        }
        [kind, service] if is_kind(kind) => call(database, environment, None, kind, service, request),
        [company, kind, service] if is_kind(kind) => call(database, environment, Some(company), kind, service, request),
        _ => return Err(BusinessCentralError::UnknownSegment(segments.join("/"))),
    };
    match result {
        Ok(response) => Ok(response),
        Err(SoapFault::BusinessCentral(
            failure @ (BusinessCentralError::UnknownSegment(_)
            | BusinessCentralError::Method(_)
            | BusinessCentralError::ContentType(_)),
        )) => Err(failure),
        Err(fault) => Ok(fault.response()),
    }
}

fn is_kind(segment: &str) -> bool {
    segment.eq_ignore_ascii_case("Page") || segment.eq_ignore_ascii_case("Codeunit")
}

fn company_index(database: &Database, environment: &Environment, company: Option<&str>) -> Result<usize, SoapFault> {
    let index = match company {
        Some(name) => database.find_company(name),
        None => environment.default_company(database),
    };
    Ok(index?)
}

/// Answers a request to a page or codeunit: GET returns its WSDL, POST calls it.
fn call(
    database: &mut Database,
    environment: &Environment,
    company: Option<&str>,
    kind: &str,
    service: &str,
    request: &ServiceRequest,
) -> Result<Response<Bytes>, SoapFault> {
    let company = company_index(database, environment, company)?;
    let company_name = escape(&database.company(company)?.name);
    let unknown = || SoapFault::from(BusinessCentralError::UnknownSegment(service.to_owned()));
    if kind.eq_ignore_ascii_case("Codeunit") {
        if service != TOOLS {
            return Err(unknown());
        }
        let location = format!("{}/WS/{company_name}/Codeunit/{TOOLS}", environment.root);
        return match *request.method {
            Method::GET => match request.option("xsd") {
                Some(name) => Ok(xml_response(wsdl::codeunit_schema(&name, &location).ok_or_else(unknown)?)),
                None => Ok(xml_response(wsdl::codeunit(&location))),
            },
            _ => with_operation(body(request)?, codeunit::NAMESPACE, |operation| {
                environment.expect_permission()?;
                codeunit::call(database, Owner::Company(company), operation)
            }),
        };
    }
    let view = PAGES.iter().find(|view| view.set == service).ok_or_else(unknown)?;
    let location = format!("{}/WS/{company_name}/Page/{service}", environment.root);
    match *request.method {
        Method::GET => Ok(xml_response(wsdl::page(view, &location))),
        _ => with_operation(body(request)?, &namespace(view), |operation| {
            environment.expect_permission()?;
            page::call(database, Owner::Company(company), view, operation)
        }),
    }
}

/// The body of a call, which must be text/xml.
fn body<'a>(request: &'a ServiceRequest) -> Result<&'a Bytes, SoapFault> {
    if *request.method != Method::POST {
        return Err(BusinessCentralError::Method(request.method.to_string()).into());
    }
    let body = request.whole_body()?;
    if !body.is_empty() && request.media_type() != "text/xml" {
        return Err(BusinessCentralError::ContentType("text/xml").into());
    }
    Ok(body)
}

/// The list of services. As in the real one, the URLs contain the raw name of the company, including spaces.
fn discovery(
    database: &Database,
    environment: &Environment,
    company: Option<&str>,
    request: &ServiceRequest,
) -> Result<Response<Bytes>, SoapFault> {
    request.expect_read()?;
    let company = &database.company(company_index(database, environment, company)?)?.name;
    let root = &environment.root;
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

/// The system service, which belongs to no company. `Companies` lists their names.
fn system_service(
    database: &Database,
    environment: &Environment,
    request: &ServiceRequest,
) -> Result<Response<Bytes>, SoapFault> {
    const NAMESPACE: &str = "urn:microsoft-dynamics-schemas/nav/system/";
    if *request.method == Method::GET {
        return Ok(xml_response(wsdl::system(NAMESPACE, &format!("{}/WS/SystemService", environment.root))));
    }
    with_operation(body(request)?, NAMESPACE, |operation| match operation.name() {
        "Companies" => Ok(database
            .companies
            .iter()
            .map(|company| format!("<return_value>{}</return_value>", escape_text(&company.name)))
            .collect()),
        other => Err(SoapFault::UnknownOperation(other.to_owned())),
    })
}
