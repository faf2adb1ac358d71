//! The address grammar: which resource an address asks for, and how that resource is addressed locally and upstream.
//!
//! ```text
//!              from_local                   path_and_query
//! local ─────────────────────▶ Resource ─────────────────────▶ Business Central
//!       ◀─────────────────────          ◀─────────────────────
//!              to_local                       recognize
//! ```
//!
//! Several addresses can mean one resource. Upstream → local → upstream always yields the same resource.
//! Local → upstream → local yields the canonical form of the local address.
//!
//! Source: Business Central, "API endpoint structure", "Publish a web service", "SOAP web service URIs".

mod body_base;
mod company_scope;
mod environment_address;
mod error;
mod literal;
mod local;
mod nav;
mod path_grammar;
mod query;
mod resource;
mod subscription_kind;
mod subscriptions;
mod upstream;

pub use body_base::{BodyAddress, BodyBase};
pub use environment_address::EnvironmentAddress;
pub use error::AddressError;
pub use local::LocalAddress;
pub use query::split_query;
pub use resource::Resource;
pub use subscription_kind::SubscriptionKind;
pub use subscriptions::SubscriptionScope;

#[cfg(test)]
mod tests;
