//! bcproxy lets programs that cannot speak OAuth keep working with Dynamics 365 Business Central online.
//!
//! The house has one room per concern; a request walks `proxy` from top to bottom:
//!
//! | room | job |
//! |---|---|
//! | [`config`] | `proxy.yaml`: shapes, diagnostics, the typed configuration |
//! | [`entra`] | who we are towards Microsoft Entra: credentials, token endpoint, token cache |
//! | [`business_central`] | what Business Central is: address grammar, companies, error envelopes |
//! | [`simulator`] | the embedded stand-in for Entra and Business Central: `bcproxy demo`, and every test |
//!
//! `business_central` knows nothing of `proxy`, `entra` knows nothing of either; `proxy` is the only room that knows all three.
#![forbid(unsafe_code)]

pub mod business_central;
pub mod config;
pub mod entra;
pub mod https_url;
pub mod simulator;
