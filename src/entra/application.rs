//! The application a token is issued to.

use super::credentials::Credential;
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
