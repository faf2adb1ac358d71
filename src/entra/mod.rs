//! Who bcproxy is towards Microsoft Entra: credentials, the token endpoint, the token cache.

mod claims;
mod credential;
mod ids;
mod token_cache;
mod token_endpoint;

pub use claims::{Claims, DATA_ROLE};
pub use credential::{Credential, Secret, SecretError, SecretSource, SecretSources};
pub use ids::{ClientId, IdError, TenantId};
pub use token_cache::{Token, TokenCache, Unavailable};
pub use token_endpoint::{EntraError, IssuedToken, TokenEndpoint, TokenError};

use crate::https_url::HttpsUrl;

/// The Entra endpoint of the global cloud that issues tokens.
pub const PUBLIC_AUTHORITY: &str = "https://login.microsoftonline.com";

/// The scope of Business Central's application permissions in the global cloud.
pub const PUBLIC_SCOPE: &str = "https://api.businesscentral.dynamics.com/.default";

/// One Entra app registration as seen from one tenant: everything a token depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Application {
    /// Where tokens are issued: `https://login.microsoftonline.com`.
    pub authority: HttpsUrl,
    /// Directory (tenant) ID.
    pub tenant_id: TenantId,
    /// Application (client) ID.
    pub client_id: ClientId,
    /// What proves that we are this application.
    pub credential: Credential,
    /// What the token is for; one resource, ending in `/.default`.
    pub scope: String,
}
