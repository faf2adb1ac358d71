//! The XML Schema fragments of a WSDL.

use crate::simulator::business_central::data::schema::{ColumnKind, EntityView};

/// The namespace of XML Schema.
pub(super) const XSD: &str = "http://www.w3.org/2001/XMLSchema";

/// A schema for one namespace.
pub(super) fn schema(namespace: &str, content: &str) -> String {
    format!(
        "<xsd:schema xmlns:xsd=\"{XSD}\" xmlns:tns=\"{namespace}\" elementFormDefault=\"qualified\" \
         targetNamespace=\"{namespace}\">{content}</xsd:schema>"
    )
}

/// The type of a field.
pub(super) fn xsd_type(view: &'static EntityView, field: &str) -> &'static str {
    match view.column(field).map(|column| column.kind) {
        Some(ColumnKind::Decimal) => "xsd:decimal",
        Some(ColumnKind::Boolean) => "xsd:boolean",
        Some(ColumnKind::Integer) => "xsd:long",
        Some(ColumnKind::Date) => "xsd:date",
        Some(ColumnKind::DateTime) => "xsd:dateTime",
        _ => "xsd:string",
    }
}

/// An element that occurs once.
pub(super) fn one(name: &str, of: &str) -> String {
    format!("<xsd:element minOccurs=\"1\" maxOccurs=\"1\" name=\"{name}\" type=\"{of}\"/>")
}

/// An element that occurs at most once.
pub(super) fn optional(name: &str, of: &str) -> String {
    format!("<xsd:element minOccurs=\"0\" maxOccurs=\"1\" name=\"{name}\" type=\"{of}\"/>")
}

/// An element that occurs any number of times.
pub(super) fn any_number(name: &str, of: &str) -> String {
    format!("<xsd:element minOccurs=\"0\" maxOccurs=\"unbounded\" name=\"{name}\" type=\"{of}\"/>")
}

/// A named type.
pub(super) fn complex_type(name: &str, elements: &str) -> String {
    format!("<xsd:complexType name=\"{name}\"><xsd:sequence>{elements}</xsd:sequence></xsd:complexType>")
}

/// The element of a message.
pub(super) fn message(name: &str, elements: &str) -> String {
    format!(
        "<xsd:element name=\"{name}\"><xsd:complexType><xsd:sequence>{elements}</xsd:sequence></xsd:complexType></xsd:element>"
    )
}

/// The messages of an operation.
pub(super) fn request_and_result(operation: &str, request: &str, result: &str) -> String {
    message(operation, request) + &message(&format!("{operation}_Result"), result)
}
