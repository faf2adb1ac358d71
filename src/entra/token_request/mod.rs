//! One token request: to Entra's token endpoint, or to Azure's service for managed identities.

mod entra_error;
mod managed_identity_service;
mod token_endpoint;
mod token_error;
mod token_response;

pub use entra_error::EntraError;
pub use token_endpoint::{IssuedToken, TokenEndpoint};
pub use token_error::TokenError;
pub use token_response::{TokenGrant, TokenResponse};
