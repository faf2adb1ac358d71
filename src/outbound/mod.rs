//! The way out of this machine, to Entra and Business Central: straight or through an outbound proxy, over verified TLS only.
//!
//! | file | job |
//! |---|---|
//! | `proxy`, `environment` | which connections go through which proxy, as the configuration or else the environment says |
//! | `connect`, `tunnel` | name, TCP, the proxy's tunnel (`CONNECT`), TLS, within a time |
//! | `unreachable` | where the way ends, and what to do about that |
//! | `client` | the plain HTTP client, for the little there is besides the data path |

mod client;
mod connect;
mod environment;
mod proxy;
mod tunnel;
mod unreachable;

pub use client::{Answer, Client, RequestError, form};
pub use connect::{ConnectError, Connector, OutboundError, Stream, Tcp, socket};
pub use environment::EnvironmentError;
pub use proxy::{Login, OutboundProxy, ProxyAddress, ProxyAddressError, ProxyServer, Way};
pub use unreachable::{Step, Unreachable};
