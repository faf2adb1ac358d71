//! The configuration: what `proxy.yaml` says, in types that hold only valid values.
//!
//! A file passes through four rooms, and each one reports every mistake it finds:
//!
//! | room | job |
//! |---|---|
//! | `yaml` | parses the text into a tree with positions, and reports findings without showing a secret |
//! | `shape`, `vocabulary` | declare every key, and read the tree into typed keys |
//! | `resolve` | builds the model from the keys, and checks the files and variables they refer to |
//! | `model` | the result: [`Config`] and its parts |
//!
//! `load` puts the four together; `publish` writes the JSON Schema and the reference from the vocabulary.

mod load;
mod model;
mod publish;
mod resolve;
mod shape;
mod vocabulary;
mod yaml;

pub use load::Loaded;
pub use model::allow_from::AllowFrom;
pub use model::config::{Access, Browsers, Config, Log, LogFormat, MaxConnections};
pub use model::connector::{Connector, Timeouts};
pub use model::header_rules::{HeaderChanges, HeaderRules};
pub use model::host_name::{HostName, HostNameError};
pub use model::limits::{Limits, Rate};
pub use model::listener::{Listener, TlsFiles};
pub use model::public_url::{PublicUrl, PublicUrlError};
pub use model::route::Route;
pub use model::route_path::{RoutePath, RoutePathError, UNROUTED_PREFIX};
pub use publish::json_schema::schema;
pub use publish::reference::reference;
pub use yaml::diagnostics::{Diagnostic, Diagnostics, Severity};
pub use yaml::source::Position;
