//! The vocabulary of `proxy.yaml`: every key, its type, its default and its documentation.

mod choices;
pub(super) mod connector;
pub(super) mod credentials;
pub(super) mod headers;
pub(super) mod keys;
pub(super) mod listener;
pub(super) mod outbound_proxy;
pub(super) mod route;
mod scalars;
pub(super) mod secret;
pub(super) mod top_level;
