//! The application a token is issued to, and the cloud that issues it.
//!
//! Source: Entra, "National clouds".

use super::credential::Credential;
use super::ids::{ClientId, TenantId};
use crate::outbound::HttpsUrl;

/// An Entra app registration as seen from one tenant: everything a token depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Application {
    /// The endpoint that issues its tokens: `https://login.microsoftonline.com`.
    pub authority: HttpsUrl,
    /// Directory (tenant) ID.
    pub tenant_id: TenantId,
    /// Application (client) ID.
    pub client_id: ClientId,
    /// Proves that we are this application.
    pub credential: Credential,
    /// The resource the token is for, ending in `/.default`.
    pub scope: String,
}

/// A Microsoft cloud. Each has separate tenants and a separate Entra.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// The global cloud.
    Public,
    /// The cloud of the US government.
    UsGovernment,
    /// The cloud in China, operated by 21Vianet.
    China,
}

impl Cloud {
    /// The endpoint that issues tokens in this cloud.
    pub fn authority(self) -> &'static str {
        match self {
            Self::Public => PUBLIC_AUTHORITY,
            Self::UsGovernment => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
        }
    }
}

/// The endpoint that issues tokens in the global cloud.
pub const PUBLIC_AUTHORITY: &str = "https://login.microsoftonline.com";

/// The scope of Business Central's application permissions in the global cloud.
pub const PUBLIC_SCOPE: &str = "https://api.businesscentral.dynamics.com/.default";
