//! The vocabulary of `proxy.yaml`: every key, its type, its default and its documentation.

mod admin;
mod choices;
mod client_auth;
mod connector;
mod headers;
mod log;
mod route;
mod scalars;
mod secret;
mod shared_limits;
mod telemetry;
mod top_level;

pub use admin::{AdminKeys, AdminListenerKeys, AdminTokenKey};
pub use choices::METHODS;
pub use client_auth::{ClientAuthKeys, ClientKeys};
pub use connector::{
    ClientCertificateKeys, ConnectorKeys, FederatedTokenKeys, LimitsKeys, ManagedIdentityKeys, OutboundServerKeys,
};
pub use headers::{HeaderChangesKeys, HeaderRulesKeys};
pub use log::{LogKeys, RequestLinesKeys};
pub use route::RouteKeys;
pub use secret::Secret;
pub use shared_limits::SharedLimitsKeys;
pub use telemetry::{OtlpKeys, TelemetryKeys};
pub use top_level::{ListenerKeys, ListenerTlsKeys, SpoolKeys, TopLevelKeys, all_keys};
