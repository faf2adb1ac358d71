//! The client side: listeners, accepted connections, and the limits on them.

pub mod accept;
pub mod bind;
pub mod client;
pub mod connection_limit;
pub mod forwarded;
pub mod inherited_sockets;
pub mod listeners;
pub mod ntlm_session;
pub mod peer_certificate;
mod proxy_protocol;
pub mod rejected_connections;
pub mod serve;
