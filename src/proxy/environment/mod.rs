//! What is in service: routes, connectors, and what is known of the environments they lead to.

pub mod application_pool;
pub mod assembly;
pub mod changes;
pub mod company_list;
pub mod connector;
mod environment_key;
pub mod look_up;
mod look_ups;
pub mod readiness;
pub mod rejected_tokens;
pub mod route;
pub mod route_table;
pub mod token_attempts;
pub mod unbound_actions;
