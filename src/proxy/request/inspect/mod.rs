//! Inspection: request bodies that hold addresses are checked like the request's own address.

pub mod addresses;
pub mod batch;
pub mod body_address;
mod content_type;
pub mod inspection;
pub mod step;
pub mod subscriptions;
