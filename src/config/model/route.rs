//! A route.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;

use super::allow_from::AllowFrom;
use super::connector::{Connector, Timeouts};
use super::header_rules::HeaderRules;
use super::route_path::RoutePath;
use crate::business_central::{CompanyRef, EnvironmentName, Surface};

/// A local path prefix, the connector it uses and the Business Central surface it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The prefix of the local paths.
    pub path: RoutePath,
    /// The connector it leads to.
    pub connector: Arc<Connector>,
    /// The surface of Business Central it leads to.
    pub surface: Surface,
    /// The route's own or the connector's.
    pub environment: EnvironmentName,
    /// The route's own or the connector's; always `None` for [`Surface::Environment`].
    pub company: Option<CompanyRef>,
    /// `None`: every method Business Central knows.
    pub methods: Option<Vec<Method>>,
    /// The addresses of clients that may use it.
    pub allow_from: AllowFrom,
    /// Whether a change that names no version is sent with `If-Match: *`.
    pub if_match_any: bool,
    /// Changes to headers.
    pub headers: HeaderRules,
    /// How long an answer to a read is given again; `None`: not at all.
    pub cache: Option<Duration>,
    /// The connector's, overridden by the route's own.
    pub timeouts: Timeouts,
}
