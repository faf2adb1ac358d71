//! The configuration: what `proxy.yaml` says, in types that hold only what makes sense.

mod model;

pub use model::{AllowFrom, Config, Connector, Log, LogFormat, Route, RoutePath, Timeouts};
