//! A connector and its timeouts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::Limits;
use crate::business_central::{CompanyRef, EnvironmentName};
use crate::entra::{Application, ClientId};
use crate::outbound::{HttpsUrl, OutboundProxy};

/// A connection to Business Central: the "Connector Settings" of the set-up guide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connector {
    /// The key below `connectors:`.
    pub name: String,
    /// The first application, which also signs in for SOAP requests.
    pub application: Application,
    /// Further applications of the same tenant, which share the load of API and OData requests.
    pub other_applications: Vec<Application>,
    /// Those of its applications that serve a single client each.
    pub dedicated: Vec<ClientId>,
    /// The environment of routes that name no other.
    pub environment: EnvironmentName,
    /// The company of routes that name no other. `None`: the client names it in each request.
    pub company: Option<CompanyRef>,
    /// Company names that clients use on `nav` routes, and the companies they stand for.
    pub companies: BTreeMap<String, CompanyRef>,
    /// The address of Business Central, such as `https://api.businesscentral.dynamics.com`.
    pub base_url: HttpsUrl,
    /// The limits for each application and environment. `None`: no limits.
    pub limits: Option<Limits>,
    /// How long to wait for each part of a request.
    pub timeouts: Timeouts,
    /// A PEM file of certificates to trust in addition to those of the operating system.
    pub ca_file: Option<PathBuf>,
    /// The proxy for connections to Entra and Business Central.
    pub outbound_proxy: OutboundProxy,
}

/// How long to wait for each part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name lookup, TCP and TLS handshake together.
    pub connect: Duration,
    /// From the last byte of the request to the head of the response.
    pub head: Duration,
    /// Between two pieces of a body, in either direction.
    pub body_idle: Duration,
    /// How long an unused upstream connection stays open for reuse.
    pub pool_idle: Duration,
    /// A complete token request.
    pub token: Duration,
}

impl Default for Timeouts {
    /// The gateway of Business Central gives up after ten minutes. bcproxy waits slightly longer.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            head: Duration::from_secs(630),
            body_idle: Duration::from_secs(630),
            pool_idle: Duration::from_secs(90),
            token: Duration::from_secs(10),
        }
    }
}

impl Connector {
    /// All applications, in the order of the file.
    pub fn applications(&self) -> impl Iterator<Item = &Application> {
        std::iter::once(&self.application).chain(&self.other_applications)
    }

    /// Whether it has this application.
    pub fn has_application(&self, client_id: ClientId) -> bool {
        self.applications().any(|application| application.client_id == client_id)
    }
}
