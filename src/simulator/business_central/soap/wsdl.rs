//! WSDL 1.1 descriptions of the SOAP services, document/literal.

use super::codeunit::NAMESPACE;
use super::envelope::{escape_text, namespace};
use super::page::OPERATIONS;
use super::xsd::{XSD, any_number, complex_type, message, one, optional, request_and_result, schema, xsd_type};
use crate::simulator::business_central::data::schema::EntityView;
use crate::simulator::business_central::tools::{METHODS, TOOLS};

const WSDL: &str = "http://schemas.xmlsoap.org/wsdl/";
const SOAP: &str = "http://schemas.xmlsoap.org/wsdl/soap/";

/// The parts of a WSDL document.
struct WsdlService<'a> {
    /// The name of the service.
    service: &'a str,
    /// The prefix of the names of port and binding.
    name: &'a str,
    namespace: &'a str,
    types: String,
    operations: &'a [&'a str],
    location: &'a str,
    style: BindingStyle,
}

/// The notation of SOAP binding elements. XML parsers see no difference.
#[derive(Clone, Copy)]
enum BindingStyle {
    /// `<address location="…" xmlns="…"/>`, as Business Central does.
    OwnNamespace,
    /// `<soap:address location="…"/>`, as most other services do.
    Prefix,
}

impl BindingStyle {
    fn element(self, name: &str, attributes: &str) -> String {
        match self {
            Self::OwnNamespace => format!("<{name} {attributes} xmlns=\"{SOAP}\"/>"),
            Self::Prefix => format!("<soap:{name} {attributes}/>"),
        }
    }
}

/// The WSDL of a page; `location` is the absolute URL of the service.
pub(super) fn page(view: &'static EntityView, location: &str) -> String {
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
    let namespace = namespace(view);
    definitions(&WsdlService {
        service: &format!("{name}_Service"),
        name,
        types: schema(&namespace, &(types + &messages)),
        namespace: &namespace,
        operations: &OPERATIONS,
        location,
        style: BindingStyle::OwnNamespace,
    })
}

/// The WSDL of the codeunit `Tools`. Its messages are in separate schemas, which clients must fetch.
pub(super) fn codeunit(location: &str) -> String {
    let address = escape_text(location);
    let types = format!(
        "<xsd:schema targetNamespace=\"{NAMESPACE}/Imports\">\
         <xsd:import namespace=\"{NAMESPACE}\" schemaLocation=\"{address}?xsd=xsd0\"/></xsd:schema>"
    );
    let operations = METHODS.map(|method| method.name);
    definitions(&WsdlService {
        service: TOOLS,
        name: TOOLS,
        namespace: NAMESPACE,
        types,
        operations: &operations,
        location,
        style: BindingStyle::Prefix,
    })
}

/// A schema of the codeunit: `xsd0` has the requests and includes `xsd1` with the results.
pub(super) fn codeunit_schema(name: &str, location: &str) -> Option<String> {
    let messages: String = match name {
        "xsd0" => METHODS.iter().map(|method| message(method.name, &one(method.parameter, "xsd:string"))).collect(),
        "xsd1" => {
            let result = |name: &str| message(&format!("{name}_Result"), &one("return_value", "xsd:string"));
            METHODS.iter().map(|method| result(method.name)).collect()
        }
        _ => return None,
    };
    let include = match name {
        "xsd0" => format!("<xsd:include schemaLocation=\"{}?xsd=xsd1\"/>", escape_text(location)),
        _ => String::new(),
    };
    Some(schema(NAMESPACE, &(include + &messages)))
}

/// The WSDL of the system service.
pub(super) fn system(namespace: &str, location: &str) -> String {
    let messages = request_and_result("Companies", "", &any_number("return_value", "xsd:string"));
    definitions(&WsdlService {
        service: "SystemService",
        name: "SystemService",
        namespace,
        types: schema(namespace, &messages),
        operations: &["Companies"],
        location,
        style: BindingStyle::OwnNamespace,
    })
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
        "CreateMultiple" | "UpdateMultiple" => {
            let list = one(&format!("{name}_List"), &format!("tns:{name}_List"));
            (list.clone(), list)
        }
        "Delete" => (one("Key", text), one("Delete_Result", "xsd:boolean")),
        _ => (one(name, &record), one(name, &record)),
    };
    request_and_result(operation, &request, &result)
}

fn definitions(service: &WsdlService) -> String {
    let WsdlService { service, name, namespace, types, operations, location, style } = service;
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
    let body = style.element("body", "use=\"literal\"");
    let binding = each(&|operation| {
        let action = format!("soapAction=\"{namespace}:{operation}\" style=\"document\"");
        format!(
            "<operation name=\"{operation}\">{}<input name=\"{operation}\">{body}</input>\
             <output name=\"{operation}_Result\">{body}</output></operation>",
            style.element("operation", &action)
        )
    });
    let transport = style.element("binding", "transport=\"http://schemas.xmlsoap.org/soap/http\"");
    let address = style.element("address", &format!("location=\"{}\"", escape_text(location)));
    format!(
        "<definitions xmlns=\"{WSDL}\" xmlns:soap=\"{SOAP}\" xmlns:xsd=\"{XSD}\" xmlns:tns=\"{namespace}\" \
         targetNamespace=\"{namespace}\"><types>{types}</types>{messages}\
         <portType name=\"{name}_Port\">{port}</portType>\
         <binding name=\"{name}_Binding\" type=\"tns:{name}_Port\">{transport}{binding}</binding>\
         <service name=\"{service}\"><port name=\"{name}_Port\" binding=\"tns:{name}_Binding\">{address}</port></service>\
         </definitions>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::business_central::data::views::PAGES;

    #[test]
    fn every_wsdl_is_complete() {
        let location = "https://host/v2.0/Production/WS/A%20%26%20B/Page/Customer";
        let inline = |wsdl: String| (wsdl, String::new());
        let schemas = ["xsd0", "xsd1"].map(|name| codeunit_schema(name, location).unwrap()).concat();
        for (wsdl, schemas) in
            [inline(page(&PAGES[0], location)), (codeunit(location), schemas), inline(system("urn:s", location))]
        {
            // Separate schemas count as part of the WSDL.
            let wsdl = wsdl.replace("<types>", &format!("<types>{schemas}"));
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
