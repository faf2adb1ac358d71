//! Outgoing connections to Entra and Business Central: direct or through an outbound proxy, always over verified TLS.
//!
//! | file | job |
//! |---|---|
//! | `origin`, `https_url` | scheme, host and port of an address; the base URL of a service |
//! | `retry_after` | the `Retry-After` header of a response |
//! | `proxy_settings`, `environment` | the outbound proxy named in `proxy.yaml` or in environment variables |
//! | `proxy`, `proxy_selector` | the proxy in use, how bcproxy signs in to it, and which connections use it |
//! | `connect`, `dialer`, `tunnel` | DNS look-up, TCP, the `CONNECT` tunnel and TLS, within one time limit |
//! | `unreachable` | at which stage a connection failed, and how to fix it |
//! | `http_client` | the HTTP client for everything except the data path |

mod connect;
mod dialer;
mod environment;
mod http_client;
mod https_url;
mod origin;
mod proxy;
mod proxy_selector;
mod proxy_settings;
mod retry_after;
mod tunnel;
mod unreachable;

pub use connect::{ConnectError, OutboundConnector, OutboundError, Stream, TcpConnector, tcp_socket};
pub use dialer::{Dialer, set_options};
pub use environment::EnvironmentError;
pub use http_client::{HttpClient, RequestError, local_client, pinned_client};
pub use https_url::{HttpsUrl, HttpsUrlError};
pub use origin::{Origin, OriginError};
pub use proxy_selector::{ProxySelector, split_exception};
pub use proxy_settings::{OutboundProxy, ProxyAddress, ProxyAddressError, ProxyLogin, ProxyServer};
pub use retry_after::retry_after;
pub use unreachable::{ConnectFailure, Unreachable};
