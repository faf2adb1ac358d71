//! bcproxy lets programs that cannot speak OAuth keep working with Dynamics 365 Business Central online.
//!
//! The house has one room per concern; a request walks [`proxy`] from top to bottom:
//!
//! | room | job |
//! |---|---|
//! | [`cli`] | one file per command |
//! | [`daemon`] | the process: start, reload, end, and what the system says and hears of it |
//! | [`config`] | `proxy.yaml`: shapes, diagnostics, the typed configuration |
//! | [`guide`] | what can be wrong with a set-up: its steps, and what errors say about them |
//! | [`entra`] | who we are towards Microsoft Entra: credentials, token endpoint, token cache |
//! | [`business_central`] | what Business Central is: address grammar, companies, error envelopes |
//! | [`proxy`] | the data path, one file per step |
//! | [`outbound`] | the way out: outbound proxy, TCP, verified TLS |
//! | [`ntlm`] | the messages of old clients' handshakes |
//! | [`doctor`] | the walk through the set-up against the live services |
//! | [`admin`] | health for monitors and containers, orders of administrators |
//! | [`simulator`] | an embedded Entra and Business Central, for the demo and the tests |
//! | [`telemetry`] | the log |
//!
//! `business_central` knows nothing of `proxy`, `entra` knows nothing of either; `proxy` is the only room that knows all three.
#![forbid(unsafe_code)]

pub mod admin;
pub mod business_central;
pub mod cli;
pub mod config;
mod daemon;
mod doctor;
pub mod entra;
mod error_chain;
pub mod guide;
pub mod ntlm;
pub mod outbound;
pub mod proxy;
pub mod secret;
mod shared_socket;
#[cfg(feature = "demo")]
pub mod simulator;
mod small_file;
mod telemetry;
pub mod tls;
