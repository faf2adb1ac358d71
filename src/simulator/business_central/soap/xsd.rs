//! XML Schema: the pieces the descriptions are put together from.

use crate::simulator::business_central::schema::{Kind, View};

pub(super) const XSD: &str = "http://www.w3.org/2001/XMLSchema";

/// A schema whose content stands in a namespace.
pub(super) fn schema(namespace: &str, content: &str) -> String {
    format!(
        "<xsd:schema xmlns:xsd=\"{XSD}\" xmlns:tns=\"{namespace}\" elementFormDefault=\"qualified\" \
         targetNamespace=\"{namespace}\">{content}</xsd:schema>"
    )
}

pub(super) fn xsd_type(view: &'static View, field: &str) -> &'static str {
    match view.column(field).map(|column| column.kind) {
        Some(Kind::Decimal) => "xsd:decimal",
        Some(Kind::Boolean) => "xsd:boolean",
        Some(Kind::Integer) => "xsd:long",
        Some(Kind::Date) => "xsd:date",
        Some(Kind::DateTime) => "xsd:dateTime",
        _ => "xsd:string",
    }
}

pub(super) fn one(name: &str, of: &str) -> String {
    format!("<xsd:element minOccurs=\"1\" maxOccurs=\"1\" name=\"{name}\" type=\"{of}\"/>")
}

pub(super) fn optional(name: &str, of: &str) -> String {
    format!("<xsd:element minOccurs=\"0\" maxOccurs=\"1\" name=\"{name}\" type=\"{of}\"/>")
}

pub(super) fn any_number(name: &str, of: &str) -> String {
    format!("<xsd:element minOccurs=\"0\" maxOccurs=\"unbounded\" name=\"{name}\" type=\"{of}\"/>")
}

pub(super) fn complex_type(name: &str, elements: &str) -> String {
    format!("<xsd:complexType name=\"{name}\"><xsd:sequence>{elements}</xsd:sequence></xsd:complexType>")
}

/// The element of a message.
pub(super) fn message(name: &str, elements: &str) -> String {
    format!(
        "<xsd:element name=\"{name}\"><xsd:complexType><xsd:sequence>{elements}</xsd:sequence></xsd:complexType></xsd:element>"
    )
}

pub(super) fn request_and_result(operation: &str, request: &str, result: &str) -> String {
    message(operation, request) + &message(&format!("{operation}_Result"), result)
}
