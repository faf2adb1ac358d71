//! SOAP 1.1 envelopes: the operation of a request, the result of a response, and faults.

use std::borrow::Cow;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use roxmltree::{Document, Node};

use crate::simulator::business_central::data::schema::EntityView;
use crate::simulator::business_central::errors::BusinessCentralError;

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SoapFault {
    #[error("The message could not be read: {0}")]
    Malformed(String),
    #[error("The method {0} is not part of this service.")]
    UnknownOperation(String),
    #[error("The filter \"{0}\" is not supported.")]
    Filter(String),
    #[error("The key \"{0}\" is not understood.")]
    Key(String),
    #[error("The field \"{0}\" cannot have the value \"{1}\".")]
    Value(String, String),
    #[error(transparent)]
    BusinessCentral(#[from] BusinessCentralError),
}

impl SoapFault {
    /// The class of the exception, by which clients distinguish the faults.
    fn class(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "System.ServiceModel.CommunicationException",
            Self::UnknownOperation(_) => "System.ServiceModel.ActionNotSupportedException",
            Self::Filter(_) => "Microsoft.Dynamics.Nav.Types.Exceptions.NavFilterException",
            Self::Key(_) => "Microsoft.Dynamics.Nav.Service.WebServices.ServiceBrokerException",
            Self::Value(..) => "Microsoft.Dynamics.Nav.Types.Exceptions.NavNCLEvaluateException",
            Self::BusinessCentral(failure) => match failure {
                BusinessCentralError::RecordNotFound(_) => {
                    "Microsoft.Dynamics.Nav.Types.Exceptions.NavCSideRecordNotFoundException"
                }
                BusinessCentralError::NoPermission => "Microsoft.Dynamics.Nav.Types.Exceptions.NavPermissionException",
                BusinessCentralError::EntityChanged => {
                    "Microsoft.Dynamics.Nav.Types.Exceptions.NavCSideRecordChangedException"
                }
                BusinessCentralError::SameKey(_) => {
                    "Microsoft.Dynamics.Nav.Types.Exceptions.NavCSideDuplicateKeyException"
                }
                BusinessCentralError::CompanyNotFound(_) | BusinessCentralError::NoCompany => {
                    "Microsoft.Dynamics.Nav.Types.Exceptions.NavCompanyNotFoundException"
                }
                _ => "Microsoft.Dynamics.Nav.Types.Exceptions.NavNCLDialogException",
            },
        }
    }

    /// The response for the fault. In SOAP 1.1, its status is always 500.
    pub fn response(&self) -> Response<Bytes> {
        let (class, message) = (self.class(), self.to_string());
        let message = escape_text(&message);
        let mut response = xml_response(format!(
            "<s:Envelope xmlns:s=\"{SOAP}\"><s:Body><s:SoapFault>\
             <faultcode xmlns:a=\"urn:microsoft-dynamics-schemas/error\">a:{class}</faultcode>\
             <faultstring xml:lang=\"en-US\">{message}</faultstring>\
             <detail><string xmlns=\"http://schemas.microsoft.com/2003/10/Serialization/\">{message}</string></detail>\
             </s:SoapFault></s:Body></s:Envelope>"
        ));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    }
}

/// An XML element: an operation or one of its parameters.
#[derive(Clone, Copy)]
pub(super) struct XmlElement<'a>(Node<'a, 'a>);

impl<'a> XmlElement<'a> {
    pub fn name(self) -> &'a str {
        self.0.tag_name().name()
    }

    pub fn children(self) -> impl Iterator<Item = XmlElement<'a>> {
        self.0.children().filter(Node::is_element).map(XmlElement)
    }

    pub fn child(self, name: &str) -> Option<XmlElement<'a>> {
        self.children().find(|child| child.name() == name)
    }

    /// All text within the element, with entities resolved.
    pub fn text(self) -> String {
        self.0.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect()
    }

    /// The text of a child; empty if there is no such child.
    pub fn parameter(self, name: &str) -> String {
        self.child(name).map(XmlElement::text).unwrap_or_default()
    }
}

/// Reads the operation from an envelope, and wraps the result that `execute` writes.
pub(super) fn with_operation(
    body: &[u8],
    namespace: &str,
    execute: impl FnOnce(XmlElement) -> Result<String, SoapFault>,
) -> Result<Response<Bytes>, SoapFault> {
    let malformed = |what: &str| SoapFault::Malformed(what.to_owned());
    let text = std::str::from_utf8(body).map_err(|_| malformed("it is not UTF-8"))?;
    let document =
        Document::parse(text.trim_start_matches('\u{feff}')).map_err(|error| malformed(&error.to_string()))?;
    let is_soap = |node: &Node, name: &str| node.has_tag_name((SOAP, name));
    let envelope = document.root_element();
    if !is_soap(&envelope, "Envelope") {
        return Err(malformed("it is not a SOAP 1.1 envelope"));
    }
    let body = envelope.children().find(|node| is_soap(node, "Body")).ok_or_else(|| malformed("it has no Body"))?;
    let operation = body.children().find(Node::is_element).ok_or_else(|| malformed("its Body is empty"))?;
    let name = operation.tag_name().name();
    if operation.tag_name().namespace() != Some(namespace) {
        return Err(SoapFault::UnknownOperation(name.to_owned()));
    }
    let content = execute(XmlElement(operation))?;
    Ok(xml_response(format!(
        "<Soap:Envelope xmlns:Soap=\"{SOAP}\"><Soap:Body><{name}_Result xmlns=\"{namespace}\">{content}</{name}_Result>\
         </Soap:Body></Soap:Envelope>"
    )))
}

/// The namespace of a page, which has its name in lower case.
pub(super) fn namespace(view: &EntityView) -> String {
    format!("urn:microsoft-dynamics-schemas/page/{}", view.set.to_lowercase())
}

/// An XML response with status 200.
pub(super) fn xml_response(xml: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>{xml}")));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    response
}

/// Escapes a text for element content and attributes. Characters that are invalid in XML become U+FFFD.
pub(super) fn escape_text(text: &str) -> Cow<'_, str> {
    let is_special = |character: char| matches!(character, '<' | '>' | '&' | '"' | '\'') || !is_xml(character);
    if !text.contains(is_special) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            character if is_xml(character) => escaped.push(character),
            _ => escaped.push(char::REPLACEMENT_CHARACTER),
        }
    }
    Cow::Owned(escaped)
}

fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r') || (character >= ' ' && !matches!(character, '\u{fffe}' | '\u{ffff}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_texts_are_restored() {
        let text = "Größe <M> & \"Söhne\" Åse's";
        let xml = format!("<a b=\"{0}\">{0}</a>", escape_text(text));
        let document = Document::parse(&xml).unwrap();
        assert_eq!(document.root_element().text(), Some(text));
        assert_eq!(document.root_element().attribute("b"), Some(text));
        assert_eq!(escape_text("a\u{0}b"), "a\u{fffd}b");
    }

    #[test]
    fn malformed_calls_fail() {
        let call = |body: &str| with_operation(body.as_bytes(), "urn:x", |operation| Ok(operation.name().to_owned()));
        let envelope = |inner: &str| format!("<e:Envelope xmlns:e='{SOAP}'>{inner}</e:Envelope>");
        assert!(call(&envelope("<e:Header/><e:Body><Do xmlns='urn:x'/></e:Body>")).is_ok());
        for wrong in [
            String::new(),
            "<a/>".to_owned(),
            envelope(""),
            envelope("<e:Body/>"),
            envelope("<e:Body><Do xmlns='urn:y'/></e:Body>"),
            format!("<!DOCTYPE a [<!ENTITY b 'c'>]>{}", envelope("<e:Body><Do xmlns='urn:x'/></e:Body>")),
        ] {
            assert!(call(&wrong).is_err(), "{wrong}");
        }
    }
}
