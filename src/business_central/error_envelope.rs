//! Error responses in the format that a client of each surface can parse.

use std::fmt::Write;

use hyper::StatusCode;
use maud::{DOCTYPE, Markup, html};

use crate::guide::RejectionCode;

/// The format of an error response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `{"error":{"code":…,"message":…}}` (OData JSON Format 4.0, "Error Response").
    OData,
    /// An XML document, as in the Atom format of OData V3 (OData Atom Format 3.0, "Error Response").
    Atom,
    /// A page for somebody who typed bcproxy's address into a browser.
    Html,
    /// A SOAP 1.1 fault; old clients parse one only in a 500 with `text/xml`.
    Soap,
}

impl Dialect {
    /// The status to send: for a SOAP fault always 500 (SOAP 1.1, "SOAP HTTP Response").
    pub fn status(self, intended: StatusCode) -> StatusCode {
        match self {
            Self::OData | Self::Atom | Self::Html => intended,
            Self::Soap => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OData => "application/json; charset=utf-8",
            Self::Atom => "application/xml; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Soap => "text/xml; charset=utf-8",
        }
    }

    /// The body of the response; a fault has the intended status in its `detail`.
    pub fn body(self, intended: StatusCode, code: RejectionCode, message: &str) -> String {
        let code = code.as_str();
        match self {
            Self::OData => serde_json::json!({ "error": { "code": code, "message": message } }).to_string(),
            Self::Atom => format!(
                r#"<?xml version="1.0" encoding="utf-8"?><m:error xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><m:code>{code}</m:code><m:message xml:lang="en-US">{message}</m:message></m:error>"#,
                message = escape_xml(message),
            ),
            Self::Html => page(intended, message).into_string(),
            Self::Soap => {
                let side = if intended.is_client_error() { "Client" } else { "Server" };
                format!(
                    r#"<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:{side}</faultcode><faultstring xml:lang="en">{message}</faultstring><detail><error xmlns="urn:bcproxy:error"><code>{code}</code><status>{status}</status></error></detail></s:Fault></s:Body></s:Envelope>"#,
                    message = escape_xml(message),
                    status = intended.as_u16(),
                )
            }
        }
    }
}

/// Says what bcproxy is, and why there is nothing else to see. The page loads nothing.
fn page(intended: StatusCode, message: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { "bcproxy" }
            }
            body {
                h1 { "bcproxy" }
                p { "This is a reverse proxy for Dynamics 365 Business Central. Programs call it; it has no pages of its own." }
                p { (intended.as_u16()) ": " (message) }
            }
        }
    }
}

/// The `error.code` in an error response of Business Central (BC, "Troubleshooting REST API/OData calls").
pub fn error_code(body: &[u8]) -> Option<String> {
    let error: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(error.get("error")?.get("code")?.as_str()?.to_owned())
}

/// Escapes a text as XML character data; characters that XML 1.0 forbids become the replacement character.
fn escape_xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' | '\n' | '\r' => {
                // Writing to a String can't fail.
                let _ = write!(escaped, "&#{};", u32::from(character));
            }
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odata_error_is_json_for_any_message() {
        let body = Dialect::OData.body(StatusCode::NOT_FOUND, RejectionCode::NoRoute, "no `a\"b\\c` \u{1}");
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(value["error"]["code"], "Proxy_NoRoute");
        assert_eq!(value["error"]["message"], "no `a\"b\\c` \u{1}");
    }

    #[test]
    fn an_atom_error_is_xml_for_any_message() {
        let body = Dialect::Atom.body(StatusCode::NOT_IMPLEMENTED, RejectionCode::NoRoute, "<a> & 'b'");
        let document = roxmltree::Document::parse(&body).unwrap();
        let texts: Vec<_> = document.root_element().children().filter_map(|part| part.text()).collect();
        assert_eq!(texts, ["Proxy_NoRoute", "<a> & 'b'"]);
    }

    #[test]
    fn a_page_is_html_for_any_message() {
        let page = Dialect::Html.body(StatusCode::NOT_FOUND, RejectionCode::NoRoute, "<script> & 'b'");
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("404: &lt;script&gt; &amp; 'b'"), "{page}");
    }

    #[test]
    fn a_fault_is_a_500_with_the_intended_status_inside() {
        assert_eq!(Dialect::Soap.status(StatusCode::NOT_FOUND), 500);
        let body = Dialect::Soap.body(StatusCode::NOT_FOUND, RejectionCode::NoRoute, "<Müller & Söhne>\u{0}");
        assert!(body.contains("<faultcode>s:Client</faultcode>"));
        assert!(body.contains("&lt;Müller &amp; Söhne&gt;\u{fffd}</faultstring>"));
        assert!(body.contains("<code>Proxy_NoRoute</code><status>404</status>"));
    }
}
