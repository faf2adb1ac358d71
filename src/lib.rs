//! bcproxy lets programs that cannot speak OAuth keep working with Dynamics 365 Business Central online.
//!
//! Each folder is a room with one concern; `docs/architecture.md` draws the path of a request through them.
//!
//! | room | concern |
//! |---|---|
//! | [`cli`] | one file per command |
//! | `daemon` | the process: start, reload, stop, signals, the service manager |
//! | [`config`] | `proxy.yaml`: the YAML layer, the vocabulary, the model, diagnostics |
//! | [`guide`] | the set-up steps, and what known errors say about them |
//! | [`entra`] | credentials, the token endpoint, the token cache |
//! | [`business_central`] | address grammar, names, companies, error envelopes |
//! | [`proxy`] | the data path |
//! | [`outbound`] | outbound proxy, TCP, verified TLS |
//! | [`ntlm`] | the messages of NTLM handshakes |
//! | [`shared_store`] | Redis or Valkey, by which replicas share limits and cache epochs |
//! | [`users`] | the users of `client_auth`: their file, their passwords and keys |
//! | `doctor` | the walk through the set-up against the live services |
//! | [`admin`] | status page, health, metrics, reload and stop |
//! | [`simulator`] | an embedded Entra and Business Central, for the demo and the tests |
//! | `telemetry` | the log |
//! | `json` | a reader of JSON, for request bodies |
//! | [`tls`] | trusted authorities and our own certificates |
//!
//! `business_central` and `entra` do not depend on `proxy`; `proxy` depends on both.
#![forbid(unsafe_code)]

pub mod admin;
mod bounded_body;
pub mod business_central;
pub mod cli;
pub mod config;
mod daemon;
mod doctor;
pub mod entra;
mod error_chain;
mod file_limit;
pub mod guide;
mod json;
mod markdown;
pub mod ntlm;
pub mod outbound;
pub mod proxy;
pub mod secret;
mod sentence;
mod shared_socket;
pub mod shared_store;
#[cfg(feature = "demo")]
pub mod simulator;
mod small_file;
mod telemetry;
pub mod tls;
mod units;
pub mod users;
