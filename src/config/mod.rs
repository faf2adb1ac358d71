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
//! `load` puts the four together; `publish` writes the JSON Schema and the reference from the vocabulary. `sample` is
//! the file that comes with bcproxy, `default_file` the one of commands without `--config`.

mod default_file;
mod load;
mod model;
mod publish;
mod resolve;
mod sample;
mod shape;
mod vocabulary;
mod yaml;

pub use default_file::{common_folder, default_file, packaged_file};
pub use load::Loaded;
pub use model::{
    Access, Admin, AdminScope, AllowFrom, AuthRules, Browsers, Client, ClientAuth, ClientMark, CollectorUrl, Config,
    Connector, HeaderChanges, HeaderRules, HostName, HostNameError, Limits, Listener, Log, LogFile, LogFormat,
    MIN_ADMIN_TOKEN_BYTES, MaxConnections, Otlp, Rate, RequestLog, Rotation, Route, RoutePath, RoutePathError, Share,
    SharedLimits, Spool, StoreUrl, Timeouts, TlsFiles, UNROUTED_PREFIX,
};
pub use publish::{reference, schema};
pub(crate) use resolve::addresses_conflict;
pub use sample::{SAMPLE, listener_of_sample, sample_listening_on};
pub use vocabulary::METHODS;
pub use yaml::{Diagnostic, Diagnostics, Position, Severity};
pub(crate) use yaml::{closest_match, looks_like_a_secret};
