//! What a SOAP call does and how it failed, as far as its envelopes show.

use roxmltree::Document;

/// Whether this envelope, sent to a page's service, only reads.
///
/// The operation is the first child of `Body` (SOAP 1.1, section 4.3); `SOAPAction` is no evidence, and what can't be understood counts as a
/// change. Source of the names: Business Central, "Basic page operations".
pub fn only_reads(envelope: &[u8]) -> bool {
    let Some(document) = std::str::from_utf8(envelope).ok().and_then(|text| Document::parse(text).ok()) else {
        return false;
    };
    let envelope = document.root_element();
    let bodies: Vec<_> = envelope.children().filter(|child| child.tag_name().name() == "Body").collect();
    let [body] = bodies.as_slice() else { return false };
    if !envelope.tag_name().namespace().is_some_and(|name| ENVELOPES.contains(&name)) {
        return false;
    }
    let mut operations = body.children().filter(roxmltree::Node::is_element);
    match (operations.next(), operations.next()) {
        (Some(operation), None) => {
            let is_pages = operation.tag_name().namespace().is_some_and(|name| name.starts_with(PAGES));
            is_pages && READS.contains(&operation.tag_name().name())
        }
        _ => false,
    }
}

/// The kind of fault an answer is: the class of the exception that `faultcode` names, without its namespaces, such as `NavPermissionException`.
///
/// Its text is localised and says nothing certain.
pub fn fault_kind(envelope: &[u8]) -> Option<String> {
    let document = Document::parse(std::str::from_utf8(envelope).ok()?).ok()?;
    let code = document.descendants().find(|element| element.tag_name().name() == "faultcode")?.text()?;
    let (_, class) = code.trim().rsplit_once(['.', ':'])?;
    Some(class.to_owned())
}

const ENVELOPES: [&str; 2] = ["http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"];

const PAGES: &str = "urn:microsoft-dynamics-schemas/page/";

const READS: [&str; 5] = ["Read", "ReadByRecId", "ReadMultiple", "IsUpdated", "GetRecIdFromKey"];

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(body: &str) -> String {
        format!(
            r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:p="urn:microsoft-dynamics-schemas/page/customer"><s:Header/><s:Body>{body}</s:Body></s:Envelope>"#
        )
    }

    #[test]
    fn a_pages_reads_are_known() {
        for name in READS {
            assert!(only_reads(envelope(&format!("\n<p:{name}><p:No>1</p:No></p:{name}>")).as_bytes()), "{name}");
        }
        assert!(only_reads(format!("\u{feff}{}", envelope("<p:Read/>")).as_bytes()));
    }

    #[test]
    fn a_faults_kind_is_the_class_of_its_exception() {
        let fault = |code| envelope(&format!("<s:Fault><faultcode xmlns:a=\"urn:x\">{code}</faultcode></s:Fault>"));
        let kind = |code| fault_kind(fault(code).as_bytes());
        let class = "a:Microsoft.Dynamics.Nav.Types.Exceptions.NavPermissionException";
        assert_eq!(kind(class).as_deref(), Some("NavPermissionException"));
        assert_eq!(kind("s:Client").as_deref(), Some("Client"));
        assert_eq!(kind(""), None);
        assert_eq!(fault_kind(b"<s:Fault>"), None);
        assert_eq!(fault_kind(envelope("<p:Read_Result/>").as_bytes()), None);
    }

    #[test]
    fn everything_else_counts_as_a_change() {
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
}
