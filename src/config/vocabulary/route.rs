//! The keys of a route.

use std::time::Duration;

use hyper::Method;
use ipnet::IpNet;

use super::choices::AnyVersion;
use super::headers::HeaderRulesKeys;
use super::scalars::ConnectorName;
use crate::business_central::{CompanyRef, EnvironmentName, Surface};
use crate::config::model::route_path::RoutePath;
use crate::config::shape::mapping::mapping;
use crate::config::shape::read::At;

mapping! {
    /// A local path, and where it leads.
    RouteKeys: "route" {
        /// The beginning of the local path, such as `/api`; `/` takes what no other route takes. `/unrouted` is bcproxy's own.
        path: RoutePath = Required,
        /// Where it leads: `api/v2.0`, `api/{publisher}/{group}/{version}`, `odata`, `soap`, `nav` (addresses as they were on the premises) or
        /// `environment` (everything below the environment, unconfined).
        to: Surface = Required,
        /// The connector it uses. Not needed when there is only one.
        connector: ConnectorName = Optional,
        /// Another environment than the connector's.
        environment: EnvironmentName = Optional,
        /// Another company than the connector's. Not together with `to: environment`.
        company: CompanyRef = Optional,
        /// The methods that may be used. Without it, all that Business Central knows.
        methods: Vec<At<Method>> = Optional,
        /// The networks programs may come from. Without it, that of `access`, or else this machine only.
        allow_from: Vec<At<IpNet>> = Optional,
        /// The version a change is made to when the program names none: `"*"`, any. It is sent as `If-Match` with PATCH, PUT, MERGE and DELETE.
        /// Without it, Business Central refuses such changes, so that nobody overwrites what another has just written.
        if_match: AnyVersion = Optional,
        /// Headers to change on the way.
        headers: HeaderRulesKeys = Optional,
        /// How long the answer to a GET is given again to whoever asks the same: from a moment up to `24h`. Programs that ask the same at the same
        /// time share one request. What is changed through bcproxy is seen at once, since a change forgets what is kept of its company; what is
        /// changed in Business Central itself is seen that much later. Without it, nothing is kept.
        cache: Duration = Optional,
        /// How long to wait for what, where it differs from the connector's.
        timeouts: RouteTimeoutsKeys = Default("{}"),
    }
}

mapping! {
    /// How long a route waits for what, where it differs from its connector.
    RouteTimeoutsKeys: "route's timeouts" {
        /// From the request's last byte to the answer's first.
        head: Duration = Optional,
        /// Between two pieces of a body, from Business Central or towards a program.
        body_idle: Duration = Optional,
    }
}
