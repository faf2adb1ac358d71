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
    pub path: RoutePath,
    pub connector: Arc<Connector>,
    pub surface: Surface,
    /// The route's own or the connector's.
    pub environment: EnvironmentName,
    /// The route's own or the connector's; always `None` for [`Surface::Environment`].
    pub company: Option<CompanyRef>,
    /// `None`: every method Business Central knows.
    pub methods: Option<Vec<Method>>,
    pub allow_from: AllowFrom,
    /// Whether a change that names no version is sent with `If-Match: *`.
    pub if_match_any: bool,
    pub headers: HeaderRules,
    /// How long an answer to a read is given again; `None`: not at all.
    pub cache: Option<Duration>,
    /// The connector's, overridden by the route's own.
    pub timeouts: Timeouts,
}
