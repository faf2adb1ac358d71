//! The keys of a route.

use std::time::Duration;

use hyper::Method;
use ipnet::IpNet;

use super::choices::AnyVersion;
use super::client_auth::ClientAuthKeys;
use super::headers::HeaderRulesKeys;
use super::scalars::ConnectorName;
use crate::business_central::{CompanyRef, EnvironmentName, Surface};
use crate::config::model::{RoutePath, Weight};
use crate::config::shape::{At, mapping};

mapping! {
    /// A local path and where it leads.
    RouteKeys: "route" {
        /// The local path prefix, such as `/api`. `/` matches requests that no other route matches. `/unrouted` is
        /// reserved.
        path: RoutePath = Required,
        /// Where the path leads. `api/v2.0`, `api/{publisher}/{group}/{version}`, `odata` and `soap` are Business
        /// Central's services. `nav` accepts the addresses of an on-premises server. `environment` leads to everything
        /// below the environment and is not confined to a company.
        to: Surface = Required,
        /// The name of a connector. Required if there are several.
        connector: ConnectorName = Optional,
        /// An environment other than the connector's.
        environment: EnvironmentName = Optional,
        /// A company other than the connector's. Not allowed with `to: environment`.
        company: CompanyRef = Optional,
        /// `true` lets clients of a `nav` route with a company use the automation API (`api/microsoft/automation/…`).
        /// It manages users, permissions and extensions of the whole environment.
        /// Only with `to: nav`; a route with `to: api/microsoft/automation/…` leads there without this key.
        automation: bool = Default("false"),
        /// `true` lets clients only read: GET, HEAD, batches of them, and the SOAP calls of pages that read.
        /// Everything else is rejected with 403. Calls of codeunits count as changes.
        read_only: bool = Default("false"),
        /// The methods that clients may use. Default: all that Business Central supports.
        methods: Vec<At<Method>> = Optional,
        /// The networks that clients may connect from. Default: `allow_from` of `access`, or else this machine only.
        allow_from: Vec<At<IpNet>> = Optional,
        /// How clients prove who they are. Default: `client_auth` of the listener, or else not at all.
        client_auth: ClientAuthKeys = Optional,
        /// `"*"` adds `If-Match: *` to PATCH, PUT, MERGE and DELETE requests without `If-Match`.
        /// Such a request overwrites the record, whatever others have changed meanwhile.
        /// Without this key, Business Central rejects it.
        if_match: AnyVersion = Optional,
        /// Headers to change in requests and responses.
        headers: HeaderRulesKeys = Optional,
        /// How many requests of each client bcproxy forwards in turn while requests are queued, from 1 to 10.
        /// Clients of a route with weight 10 are served ten times as often as those of a route with weight 1.
        /// Use it so that a nightly export does not slow down a till. Nothing is reserved while no requests are queued.
        weight: Weight = Default("1"),
        /// How long bcproxy reuses the response to a GET for equal requests, at most `24h`. Default: no caching.
        /// Equal requests at the same time share one request to Business Central.
        /// A change made through bcproxy clears the cache entries of its company immediately.
        /// A change made in Business Central itself becomes visible when the cache entry expires.
        cache: Duration = Optional,
        /// Timeouts that differ from the connector's.
        timeouts: RouteTimeoutsKeys = Default("{}"),
    }
}

mapping! {
    /// Timeouts of a route that differ from the connector's.
    RouteTimeoutsKeys: "route's timeouts section" {
        /// From the last byte of the request to the first byte of the response.
        head: Duration = Optional,
        /// Between two pieces of a body, in either direction.
        body_idle: Duration = Optional,
    }
}
