//! A route.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;

use super::allow_from::AllowFrom;
use super::connector::{Connector, Timeouts};
use super::header_rules::HeaderRules;
use super::limits::Weight;
use super::route_path::RoutePath;
use crate::business_central::{CompanyRef, EnvironmentName, Surface};

/// A local path prefix, its connector, and the Business Central surface it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The local path prefix.
    pub path: RoutePath,
    /// The connector.
    pub connector: Arc<Connector>,
    /// The surface of Business Central.
    pub surface: Surface,
    /// The environment of the route, or else of the connector.
    pub environment: EnvironmentName,
    /// The company of the route, or else of the connector. Always `None` for [`Surface::Environment`].
    pub company: Option<CompanyRef>,
    /// The methods that clients may use. `None`: every method that Business Central supports.
    pub methods: Option<Vec<Method>>,
    /// The networks that clients may connect from.
    pub allow_from: AllowFrom,
    /// Whether `If-Match: *` is added to changes that lack `If-Match`.
    pub if_match_any: bool,
    /// Headers to change in requests and responses.
    pub headers: HeaderRules,
    /// How many permits each client of the route gets in a round of the queue.
    pub weight: Weight,
    /// How long the response to a read is reused. `None`: never.
    pub cache: Option<Duration>,
    /// The timeouts of the connector, overridden by those of the route.
    pub timeouts: Timeouts,
}

impl Route {
    /// Where it leads, in words: surface, connector, environment and company.
    pub fn target(&self) -> String {
        let company = match (&self.company, &self.surface) {
            (_, Surface::Environment) => String::new(),
            (Some(company), _) => format!(", company {company}"),
            (None, _) => ", company named by the client".to_owned(),
        };
        format!("{}, connector {}, environment {}{company}", self.surface, self.connector.name, self.environment)
    }
}
