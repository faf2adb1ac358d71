//! The token of an application: cached, and refreshed ahead of time.

mod token;
mod token_cache;
mod token_refresher;
mod token_slot;

pub use token::{Token, TokenState, TokenUnavailable};
pub use token_cache::{TokenCache, TokenRetry};
