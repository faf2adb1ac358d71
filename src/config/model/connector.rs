//! A connector and its timeouts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::limits::Limits;
use crate::business_central::{CompanyRef, EnvironmentName};
use crate::entra::Application;
use crate::outbound::HttpsUrl;
use crate::outbound::OutboundProxy;

/// One Business Central connection: the "Connector Settings" of the set-up guide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connector {
    /// The key below `connectors:`.
    pub name: String,
    /// The first application, or the only one.
    pub application: Application,
    /// More of them, which share its work on api and OData routes; all in one tenant.
    pub other_applications: Vec<Application>,
    /// The environment at Business Central.
    pub environment: EnvironmentName,
    /// `None`: the client names it in each request.
    pub company: Option<CompanyRef>,
    /// What clients of `nav` routes call a company, and which one that is.
    pub companies: BTreeMap<String, CompanyRef>,
    /// Where Business Central is: `https://api.businesscentral.dynamics.com`.
    pub base_url: HttpsUrl,
    /// What its application may ask of one environment; `None`: whatever comes.
    pub limits: Option<Limits>,
    /// The timeouts of routes without their own.
    pub timeouts: Timeouts,
    /// PEM certificates trusted in addition to the platform's.
    pub ca_file: Option<PathBuf>,
    /// How its connections leave this machine.
    pub outbound_proxy: OutboundProxy,
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name look-up, TCP and TLS together.
    pub connect: Duration,
    /// From the request's last byte to the answer's head.
    pub head: Duration,
    /// Between two pieces of a body.
    pub body_idle: Duration,
    /// How long an unused upstream connection is kept.
    pub pool_idle: Duration,
    /// One token request, all of it.
    pub token: Duration,
}

impl Default for Timeouts {
    /// Business Central works on a request for up to ten minutes before its gateway gives up; ours is a little more
    /// patient.
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
    /// All its applications, in the order of the file.
    pub fn applications(&self) -> impl Iterator<Item = &Application> {
        std::iter::once(&self.application).chain(&self.other_applications)
    }
}
