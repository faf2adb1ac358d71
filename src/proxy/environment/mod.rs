//! What is in service: routes, connectors, and what is known of the environments they lead to.

pub mod application_pool;
pub mod assembly;
pub mod connector;
pub mod look_up;
pub mod rejected_tokens;
pub mod route_table;
pub mod unbound_actions;
