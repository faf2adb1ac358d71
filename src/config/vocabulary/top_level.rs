//! The keys at the top level of the file.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::connector::ConnectorKeys;
use super::listener::ListenerEntry;
use super::route::RouteKeys;
use crate::config::model::config::{Browsers, LogFormat};
use crate::config::model::host_name::HostName;
use crate::config::model::limits::Count;
use crate::config::model::public_url::PublicUrl;
use crate::config::shape::collections::{Named, OneOrMore, OrOff};
use crate::config::shape::mapping::mapping;
use crate::config::shape::read::At;

mapping! {
    /// The configuration of bcproxy: where programs come in, how to sign in to Business Central, and which path leads where.
    TopLevelKeys: "file" {
        /// Where programs come in: an IP address and a port, or a list of them; one of version 6 in quotation marks: `"[::1]:8080"`.
        /// With a certificate (`{ address: …, tls: { certificate: …, private_key: … } }`) it speaks HTTPS, without one HTTP.
        /// Off loopback (such as `0.0.0.0:8080`) every route needs an `allow_from`, its own or that of `access`.
        listen: OneOrMore<ListenerEntry> = Default("127.0.0.1:8080"),
        /// What addresses in answers begin with, such as `http://erp-gw:8080`: programs follow them to bcproxy.
        /// Without it, the scheme and host that the program itself used.
        public_url: PublicUrl = Optional,
        /// The status page, metrics and the health check, and where `bcproxy reload` and `bcproxy stop` ask; or `off`.
        admin: OrOff<AdminKeys> = Default("{}"),
        /// The connections to Business Central, by a name of your choice. At least one.
        connectors: Named<ConnectorKeys> = Required,
        /// Which local path leads where. The longest path that fits a request is taken.
        /// Without it, a single connector gets `/api` → `api/v2.0`, `/odata` → `odata`, `/soap` → `soap`, `/nav` → `nav` and `/` → `nav`.
        routes: Vec<At<RouteKeys>> = Optional,
        /// Who may come in: from where, by which name, and whether web pages may.
        access: AccessKeys = Default("{}"),
        /// What is logged, and how.
        log: LogKeys = Default("{}"),
        /// How many connections programs may have open. Who comes when there is no place left is told so, with 503, and has to come again.
        max_connections: MaxConnectionsKeys = Default("{}"),
        /// How long a program may keep its connection open without asking for anything. Once it has begun, a request's head must come
        /// within 10 s.
        keep_alive: Duration = Default("5m"),
        /// How bcproxy stops.
        shutdown: ShutdownKeys = Default("{}"),
    }
}

mapping! {
    /// The listener of the health check, and of orders to reload and to stop. It is meant for this machine (or container) only.
    AdminKeys: "admin listener" {
        /// A loopback address and a port.
        listen: SocketAddr = Default("127.0.0.1:8081"),
    }
}

mapping! {
    /// Who may come in: from where, by which name, and whether web pages may.
    AccessKeys: "access section" {
        /// The networks programs may come from, on routes that don't say it themselves. Without it, this machine only.
        allow_from: Vec<At<IpNet>> = Optional,
        /// Names that programs call bcproxy by, such as that of the former server: `[ oldserver, erp-gw.contoso.local ]`. Known without being
        /// listed: every IP address, `localhost`, this machine's own name, the name in `public_url` and those in the listeners' certificates.
        /// A request to any other name is refused with 421: a web page could have pointed it here.
        hosts: Vec<At<HostName>> = Optional,
        /// Whether web pages may call bcproxy from a browser. With `allow`, pages of any site can, as whoever opens them
        /// in a browser that reaches bcproxy.
        browsers: Browsers = Default("deny"),
    }
}

mapping! {
    /// What is logged, and how.
    LogKeys: "log section" {
        /// The form of a line; `auto` is text on a terminal and JSON otherwise.
        format: LogFormat = Default("auto"),
        /// How much is logged.
        level: tracing::Level = Default("info"),
        /// Whether there is a line for each request.
        requests: bool = Default("true"),
    }
}

mapping! {
    /// How many connections programs may have open.
    MaxConnectionsKeys: "connections' limits" {
        /// All together. Each takes a file, so the system's limit of open files should be a little higher.
        total: Count = Default("16000"),
        /// From one address. It is generous, since many programs may share one: those of this machine, and those behind a router.
        per_client: Count = Default("12000"),
    }
}

mapping! {
    /// How bcproxy stops.
    ShutdownKeys: "shutdown section" {
        /// How long running requests may go on after the first stop signal. A second one ends everything.
        grace: Duration = Default("10m"),
    }
}
