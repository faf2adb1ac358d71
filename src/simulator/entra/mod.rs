//! The stand-in for Microsoft Entra: one token endpoint, as strict as the real one, and Azure's managed identities.

mod assertion;
mod directory;
mod discovery;
mod errors;
mod faults;
mod managed_identity;
mod registration;
mod response;
mod service;
mod token_endpoint;
mod tokens;

pub use self::faults::Fault;
pub use self::managed_identity::{IDENTITY_HEADER, ManagedIdentityService};
pub use self::registration::FederatedCredential;
pub use self::service::Entra;
pub use self::tokens::API_READ_WRITE_ALL;
pub(super) use self::tokens::{TokenFacts, Tokens};
