//! WSDL 1.1 descriptions of the SOAP services, document/literal.

use super::codeunit::NAMESPACE;
use super::envelope::{escape_text, namespace};
use super::page::OPERATIONS;
use crate::simulator::business_central::schema::{Kind, View};
use crate::simulator::business_central::tools::{METHODS, TOOLS};

const XSD: &str = "http://www.w3.org/2001/XMLSchema";
const WSDL: &str = "http://schemas.xmlsoap.org/wsdl/";
const SOAP: &str = "http://schemas.xmlsoap.org/wsdl/soap/";

/// The description of a page; `location` is the service's absolute address.
pub(super) fn page(view: &'static View, location: &str) -> String {
    let name = view.set;
    let fields: String = view.fields.iter().map(|(field, _)| optional(field, xsd_type(view, field))).collect();
    let names: String = view.fields.iter().map(|(field, _)| format!("<xsd:enumeration value=\"{field}\"/>")).collect();
    let types = [
        complex_type(name, &format!("{}{fields}", optional("Key", "xsd:string"))),
        complex_type(&format!("{name}_List"), &any_number(name, &format!("tns:{name}"))),
        format!(
            "<xsd:simpleType name=\"{name}_Fields\"><xsd:restriction base=\"xsd:string\">{names}</xsd:restriction></xsd:simpleType>"
        ),
        complex_type(
            &format!("{name}_Filter"),
            &format!("{}{}", one("Field", &format!("tns:{name}_Fields")), one("Criteria", "xsd:string")),
        ),
    ]
    .concat();
    let messages: String = OPERATIONS.iter().map(|operation| page_messages(name, operation)).collect();
    definitions(&Service {
        name,
        namespace: &namespace(view),
        types: types + &messages,
        operations: &OPERATIONS,
        location,
    })
}

/// The description of the codeunit `Tools`.
pub(super) fn codeunit(location: &str) -> String {
    let messages: String = METHODS
        .iter()
        .map(|method| {
            request_and_result(method.name, &one(method.parameter, "xsd:string"), &one("return_value", "xsd:string"))
        })
        .collect();
    let operations = METHODS.map(|method| method.name);
    definitions(&Service { name: TOOLS, namespace: NAMESPACE, types: messages, operations: &operations, location })
}

/// The description of the service that lists the companies.
pub(super) fn system(namespace: &str, location: &str) -> String {
    let messages = request_and_result("Companies", "", &any_number("return_value", "xsd:string"));
    definitions(&Service { name: "SystemService", namespace, types: messages, operations: &["Companies"], location })
}

fn page_messages(name: &str, operation: &str) -> String {
    let record = format!("tns:{name}");
    let text = "xsd:string";
    let (request, result) = match operation {
        "Read" => (one("No", text), optional(name, &record)),
        "ReadByRecId" => (one("recId", text), optional(name, &record)),
        "ReadMultiple" => (
            [
                any_number("filter", &format!("tns:{name}_Filter")),
                optional("bookmarkKey", text),
                one("setSize", "xsd:int"),
            ]
            .concat(),
            optional("ReadMultiple_Result", &format!("tns:{name}_List")),
        ),
        "IsUpdated" => (one("Key", text), one("IsUpdated_Result", "xsd:boolean")),
        "GetRecIdFromKey" => (one("Key", text), one("GetRecIdFromKey_Result", text)),
        "Delete" => (one("Key", text), one("Delete_Result", "xsd:boolean")),
        _ => (one(name, &record), one(name, &record)),
    };
    request_and_result(operation, &request, &result)
}

fn xsd_type(view: &'static View, field: &str) -> &'static str {
    match view.column(field).map(|column| column.kind) {
        Some(Kind::Decimal) => "xsd:decimal",
        Some(Kind::Boolean) => "xsd:boolean",
        Some(Kind::Integer) => "xsd:long",
        Some(Kind::Date) => "xsd:date",
        Some(Kind::DateTime) => "xsd:dateTime",
        _ => "xsd:string",
    }
}

fn one(name: &str, of: &str) -> String {
    format!("<xsd:element minOccurs=\"1\" maxOccurs=\"1\" name=\"{name}\" type=\"{of}\"/>")
}

fn optional(name: &str, of: &str) -> String {
    format!("<xsd:element minOccurs=\"0\" maxOccurs=\"1\" name=\"{name}\" type=\"{of}\"/>")
}

fn any_number(name: &str, of: &str) -> String {
    format!("<xsd:element minOccurs=\"0\" maxOccurs=\"unbounded\" name=\"{name}\" type=\"{of}\"/>")
}

fn complex_type(name: &str, elements: &str) -> String {
    format!("<xsd:complexType name=\"{name}\"><xsd:sequence>{elements}</xsd:sequence></xsd:complexType>")
}

fn request_and_result(operation: &str, request: &str, result: &str) -> String {
    let message = |name: &str, elements: &str| {
        format!(
            "<xsd:element name=\"{name}\"><xsd:complexType><xsd:sequence>{elements}</xsd:sequence></xsd:complexType></xsd:element>"
        )
    };
    message(operation, request) + &message(&format!("{operation}_Result"), result)
}

/// What a description is made of.
struct Service<'a> {
    name: &'a str,
    namespace: &'a str,
    /// Schema types and the elements of the messages.
    types: String,
    operations: &'a [&'a str],
    location: &'a str,
}

fn definitions(service: &Service) -> String {
    let Service { name, namespace, types, operations, location } = service;
    let each = |write: &dyn Fn(&str) -> String| operations.iter().map(|operation| write(operation)).collect::<String>();
    let messages = each(&|operation| {
        [operation.to_owned(), format!("{operation}_Result")]
            .map(|message| {
                format!("<message name=\"{message}\"><part name=\"parameters\" element=\"tns:{message}\"/></message>")
            })
            .concat()
    });
    let port = each(&|operation| {
        format!(
            "<operation name=\"{operation}\"><input name=\"{operation}\" message=\"tns:{operation}\"/>\
             <output name=\"{operation}_Result\" message=\"tns:{operation}_Result\"/></operation>"
        )
    });
    let binding = each(&|operation| {
        format!(
            "<operation name=\"{operation}\"><soap:operation soapAction=\"{namespace}:{operation}\" style=\"document\"/>\
             <input name=\"{operation}\"><soap:body use=\"literal\"/></input>\
             <output name=\"{operation}_Result\"><soap:body use=\"literal\"/></output></operation>"
        )
    });
    let location = escape_text(location);
    format!(
        "<definitions xmlns=\"{WSDL}\" xmlns:soap=\"{SOAP}\" xmlns:xsd=\"{XSD}\" xmlns:tns=\"{namespace}\" \
         targetNamespace=\"{namespace}\"><types><xsd:schema elementFormDefault=\"qualified\" targetNamespace=\"{namespace}\">\
         {types}</xsd:schema></types>{messages}<portType name=\"{name}_Port\">{port}</portType>\
         <binding name=\"{name}_Binding\" type=\"tns:{name}_Port\">\
         <soap:binding transport=\"http://schemas.xmlsoap.org/soap/http\"/>{binding}</binding>\
         <service name=\"{name}_Service\"><port name=\"{name}_Port\" binding=\"tns:{name}_Binding\">\
         <soap:address location=\"{location}\"/></port></service></definitions>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::business_central::catalogue::PAGES;

    #[test]
    fn every_description_is_complete() {
        let location = "https://host/v2.0/Production/WS/A%20%26%20B/Page/Customer";
        for wsdl in [page(&PAGES[0], location), codeunit(location), system("urn:s", location)] {
            let document = roxmltree::Document::parse(&wsdl).unwrap();
            let named = |tag: &str| -> Vec<&str> {
                let nodes = document.descendants().filter(|node| node.tag_name().name() == tag);
                nodes.filter_map(|node| node.attribute("name")).collect()
            };
            let types: Vec<&str> = [named("complexType"), named("simpleType")].concat();
            for node in document.descendants() {
                if let Some(message) = node.attribute("message").and_then(|name| name.strip_prefix("tns:")) {
                    assert!(named("message").contains(&message), "{message}");
                }
                if let Some(element) = node.attribute("element").and_then(|name| name.strip_prefix("tns:")) {
                    assert!(named("element").contains(&element), "{element}");
                }
                let of = node.attribute("type").filter(|_| node.tag_name().name() == "element");
                if let Some(of) = of.and_then(|name| name.strip_prefix("tns:")) {
                    assert!(types.contains(&of), "{of}");
                }
            }
            let address = document.descendants().find(|node| node.has_tag_name((SOAP, "address"))).unwrap();
            assert_eq!(address.attribute("location"), Some(location));
        }
    }
}
