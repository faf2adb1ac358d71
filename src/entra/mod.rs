//! Who bcproxy is towards Microsoft Entra: credentials, the token endpoint, the token cache.

mod challenge;
mod claims;
mod clock;
mod credential;
mod ids;
mod keeper;
mod managed_identity;
mod token_answer;
mod token_cache;
mod token_endpoint;
mod token_error;

pub use challenge::ClaimsChallenge;
pub use claims::{Claims, DATA_ROLE};
pub use clock::{ClockSkew, date_of};
pub use credential::{
    CertificateError, CertificateFiles, CertificateProblem, Credential, KeptSecret, ManagedIdentity, SecretSources,
    SigningCertificate,
};
pub use ids::{ClientId, IdError, TenantId};
pub use managed_identity::IdentityError;
pub use token_cache::{Expiry, Token, TokenAge, TokenCache, TokenState, Unavailable};
pub use token_endpoint::{IssuedToken, TokenEndpoint};
pub use token_error::{EntraError, TokenError};

use crate::outbound::HttpsUrl;

/// A cloud of Microsoft's: each has tenants, and an Entra, of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    Public,
    UsGovernment,
    /// Run by 21Vianet.
    China,
}

impl Cloud {
    /// Where its tokens are issued (Entra, "National clouds").
    pub fn authority(self) -> &'static str {
        match self {
            Self::Public => PUBLIC_AUTHORITY,
            Self::UsGovernment => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
        }
    }
}

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
