//! The configuration as the rest of bcproxy sees it, in types that hold only valid values.

mod admin;
mod byte_size;
mod client_auth;
mod config;
mod connector;
pub mod duration;
mod host_name;
mod limits;
mod log;
mod route;
mod route_path;
mod share;
mod shared_limits;
mod telemetry;

pub use admin::{Admin, AdminScope, MIN_ADMIN_TOKEN_BYTES};
pub use byte_size::ByteSize;
pub use client_auth::{AuthRules, AuthScheme, Client, ClientAuth, ClientMark};
pub use config::{Access, Browsers, Config, Listener, MaxConnections, Spool, TlsFiles};
pub use connector::{Connector, Timeouts};
pub use host_name::{HostName, HostNameError};
pub use limits::{Count, Limits, Rate, Weight};
pub use log::{Log, LogFile, LogFormat, RequestLog, Rotation};
pub use route::{AllowFrom, HeaderChanges, HeaderRules, Route};
pub use route_path::{RoutePath, RoutePathError, UNROUTED_PREFIX};
pub use share::Share;
pub use shared_limits::{MAX_STORE_TIMEOUT, SharedLimits, StoreUrl};
pub use telemetry::{CollectorUrl, Otlp};
