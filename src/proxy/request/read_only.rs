//! Reading only (`read_only` of a route or a client): what may change data is rejected, and nothing of it is sent.

use hyper::Method;

use crate::business_central::address::Resource;
use crate::business_central::soap;
use crate::config;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::methods::only_reads;
use crate::proxy::rejection::{Kind, Rejection};

/// Whether a request may only read, and who says so.
#[derive(Debug, Clone, Copy)]
pub enum ReadOnly<'a> {
    /// Nobody.
    No,
    /// Its route.
    Route(&'a config::Route),
    /// The entry of its client.
    Client(&'a config::Client),
}

impl<'a> ReadOnly<'a> {
    /// What applies to a request of this client on this route.
    pub fn of(route: &'a config::Route, client: Option<&'a config::Client>) -> Self {
        match client.filter(|client| client.read_only) {
            _ if route.read_only => Self::Route(route),
            Some(client) => Self::Client(client),
            None => Self::No,
        }
    }

    /// Rejects methods that may change data. A POST of a batch or to a SOAP service tells only in its body.
    pub fn check_request(
        self,
        resource: &Resource,
        methods: impl IntoIterator<Item = Method>,
    ) -> Result<(), Rejection> {
        let tells_in_body = resource.is_batch() || resource.is_soap_page() || resource.is_system_service();
        self.check_methods(methods.into_iter().filter(|method| !(tells_in_body && *method == Method::POST)))
    }

    /// Rejects methods that may change data.
    pub fn check_methods(self, methods: impl IntoIterator<Item = Method>) -> Result<(), Rejection> {
        if matches!(self, Self::No) {
            return Ok(());
        }
        let may_change = |method: &Method| !only_reads(method) && *method != Method::OPTIONS;
        match methods.into_iter().find(may_change) {
            Some(method) => Err(self.rejection(&format!("{method} may change data"))),
            None => Ok(()),
        }
    }

    /// Rejects a SOAP call of a page that may change data.
    pub fn check_call(self, resource: &Resource, method: &Method, body: &RequestBody) -> Result<(), Rejection> {
        if matches!(self, Self::No) || !resource.is_soap_page() || *method != Method::POST {
            return Ok(());
        }
        match body.bytes() {
            Some(envelope) if envelope.len() <= MAX_READ_BYTES && soap::only_reads(envelope) => Ok(()),
            _ => Err(self.rejection(NO_READ_CALL)),
        }
    }

    fn rejection(self, reason: &str) -> Rejection {
        let (subject, remedy) = match self {
            Self::Client(client) => (format!("Client `{}` may", client.name), "Use another client for changes."),
            Self::Route(route) => (format!("Route `{}` lets clients", route.path), "Use another route for changes."),
            Self::No => ("This request may".to_owned(), ""),
        };
        let message =
            format!("{subject} only read (`read_only` in proxy.yaml), and {reason}. Nothing was sent. {remedy}");
        Rejection::new(Kind::NotAllowed, message)
    }
}

/// A call that reads holds a few filters and a bookmark.
const MAX_READ_BYTES: usize = 64 << 10;

const NO_READ_CALL: &str =
    "the call is not one of Read, ReadByRecId, ReadMultiple, IsUpdated and GetRecIdFromKey, uncompressed and in UTF-8";
