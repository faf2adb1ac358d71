//! Reading SOAP envelopes: whether a call only reads, which fault it got, and which companies the system service lists.

use std::sync::Arc;

use roxmltree::Document;

use super::Company;

/// Whether a request to a page's service only reads.
///
/// The operation is the only child of `Body` (SOAP 1.1, section 4.3); `SOAPAction` is ignored. An envelope that can't
/// be parsed counts as a write. Source of the names: Business Central, "Basic page operations".
pub fn only_reads(envelope: &[u8]) -> bool {
    let Some(document) = std::str::from_utf8(envelope).ok().and_then(|text| Document::parse(text).ok()) else {
        return false;
    };
    let envelope = document.root_element();
    let bodies: Vec<_> = envelope.children().filter(|child| child.tag_name().name() == "Body").collect();
    let [body] = bodies.as_slice() else { return false };
    if !envelope.tag_name().namespace().is_some_and(|name| ENVELOPE_NAMESPACES.contains(&name)) {
        return false;
    }
    let mut operations = body.children().filter(roxmltree::Node::is_element);
    match (operations.next(), operations.next()) {
        (Some(operation), None) => {
            let is_pages = operation.tag_name().namespace().is_some_and(|name| name.starts_with(PAGE_NAMESPACE));
            is_pages && READ_OPERATIONS.contains(&operation.tag_name().name())
        }
        _ => false,
    }
}

/// The exception class in a fault's `faultcode`, without its namespace, such as `NavPermissionException`.
///
/// The fault's text is localized, so it identifies nothing.
pub fn fault_class(envelope: &[u8]) -> Option<String> {
    let document = Document::parse(std::str::from_utf8(envelope).ok()?).ok()?;
    let code = document.descendants().find(|element| element.tag_name().name() == "faultcode")?.text()?;
    let (_, class) = code.trim().rsplit_once(['.', ':'])?;
    Some(class.to_owned())
}

/// The response to `Companies` with only the names of these companies, otherwise unchanged; `None` for any other
/// response. Source: Business Central, "Using a system service to find companies".
pub fn filter_companies(response: &[u8], companies: &[Arc<Company>]) -> Option<String> {
    let text = std::str::from_utf8(response).ok()?;
    let document = Document::parse(text).ok()?;
    let body = document.root_element().children().find(|child| child.tag_name().name() == "Body")?;
    let result = body.children().find(roxmltree::Node::is_element)?;
    if result.tag_name().name() != "Companies_Result" {
        return None;
    }
    let is_listed = |name: Option<&str>| companies.iter().any(|company| Some(company.name.as_str()) == name);
    let mut filtered = String::with_capacity(text.len());
    let mut position = 0;
    for child in result.children() {
        match child.is_element() {
            true if is_listed(child.text()) => continue,
            true => {}
            // Text beside the names is nothing but white space.
            false if child.text().is_some_and(|text| text.trim().is_empty()) => continue,
            false => return None,
        }
        filtered.push_str(text.get(position..child.range().start)?);
        position = child.range().end;
    }
    filtered.push_str(text.get(position..)?);
    Some(filtered)
}

const ENVELOPE_NAMESPACES: [&str; 2] =
    ["http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"];

const PAGE_NAMESPACE: &str = "urn:microsoft-dynamics-schemas/page/";

const READ_OPERATIONS: [&str; 5] = ["Read", "ReadByRecId", "ReadMultiple", "IsUpdated", "GetRecIdFromKey"];

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(body: &str) -> String {
        format!(
            r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:p="urn:microsoft-dynamics-schemas/page/customer"><s:Header/><s:Body>{body}</s:Body></s:Envelope>"#
        )
    }

    #[test]
    fn the_read_operations_of_a_page_are_recognized() {
        for name in READ_OPERATIONS {
            assert!(only_reads(envelope(&format!("\n<p:{name}><p:No>1</p:No></p:{name}>")).as_bytes()), "{name}");
        }
        assert!(only_reads(format!("\u{feff}{}", envelope("<p:Read/>")).as_bytes()));
    }

    #[test]
    fn the_fault_class_is_that_of_the_exception() {
        let fault = |code| envelope(&format!("<s:Fault><faultcode xmlns:a=\"urn:x\">{code}</faultcode></s:Fault>"));
        let kind = |code| fault_class(fault(code).as_bytes());
        let class = "a:Microsoft.Dynamics.Nav.Types.Exceptions.NavPermissionException";
        assert_eq!(kind(class).as_deref(), Some("NavPermissionException"));
        assert_eq!(kind("s:Client").as_deref(), Some("Client"));
        assert_eq!(kind(""), None);
        assert_eq!(fault_class(b"<s:Fault>"), None);
        assert_eq!(fault_class(envelope("<p:Read_Result/>").as_bytes()), None);
    }

    #[test]
    fn everything_else_counts_as_a_write() {
        for body in [
            "<p:Create/>",
            "<p:Delete/>",
            "<p:read/>",
            "<p:Read/><p:Create/>",
            "",
            "<Read/>",
            r#"<Read xmlns="urn:microsoft-dynamics-schemas/codeunit/Tools"/>"#,
        ] {
            assert!(!only_reads(envelope(body).as_bytes()), "{body}");
        }
        let twice = envelope("<p:Read/>").replace("</s:Body>", "</s:Body><s:Body><p:Create/></s:Body>");
        for other in [&b""[..], b"<a/>", b"\x1f\x8b\x08", twice.as_bytes(), b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"] {
            assert!(!only_reads(other));
        }
        let utf16: Vec<u8> = envelope("<p:Read/>").encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(!only_reads(&utf16));
    }

    fn companies(names: &[&str]) -> Vec<Arc<Company>> {
        let company = |name: &&str| Company {
            id: uuid::Uuid::nil().into(),
            name: name.parse().unwrap(),
            display_name: String::new(),
        };
        names.iter().map(company).map(Arc::new).collect()
    }

    fn response(names: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\n \
             <Companies_Result xmlns=\"urn:microsoft-dynamics-schemas/nav/system/\">{names}</Companies_Result></s:Body></s:Envelope>"
        )
    }

    #[test]
    fn only_the_routes_companies_are_left() {
        let company = companies(&["A & Söhne"]);
        let own = "<return_value>A &amp; Söhne</return_value>";
        let others = ["<return_value>B</return_value>", "<return_value/>", "<v:x xmlns:v='v'>A</v:x>"];
        for names in [format!("{own}{}", others.concat()), format!("{} {own} ", others.concat()), own.to_owned()] {
            let left = others.iter().fold(names.clone(), |names, other| names.replace(other, ""));
            assert_eq!(filter_companies(response(&names).as_bytes(), &company), Some(response(&left)));
        }
        assert_eq!(filter_companies(response(others[0]).as_bytes(), &company), Some(response("")));
        let both = [own, others[0]].concat();
        let all = response(&[&both, others[1]].concat());
        assert_eq!(filter_companies(all.as_bytes(), &companies(&["B", "A & Söhne"])), Some(response(&both)));
    }

    #[test]
    fn other_documents_are_none() {
        let company = companies(&["A"]);
        let other = response("").replace("Companies_Result", "Other_Result");
        let (torn, told) = (response("]]<return_value>B</return_value>>"), response("<!-- B -->"));
        for text in ["", "{}", "<a/>", &other, &torn, &told, "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"] {
            assert_eq!(filter_companies(text.as_bytes(), &company), None, "{text}");
        }
        assert_eq!(filter_companies(b"\xff", &company), None);
    }
}
