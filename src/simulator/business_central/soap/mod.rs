//! The SOAP web services: `WS/[{company}/]Page|Codeunit/{service}`, discovery and the system service.

mod codeunit;
mod criteria;
mod envelope;
mod page;
mod service;
mod wsdl;
mod xsd;

pub(super) use self::service::respond;
