//! What Entra's error codes mean for the set-up, by the kind of mistake.
//!
//! Source: Entra, "Microsoft Entra authentication and authorization error codes", and codes seen in the field.

mod access;
mod credential;
mod entry;
mod identity;
mod request;
mod table;
mod temporary;

pub use table::aadsts;
pub(super) use table::all;
