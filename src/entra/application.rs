//! The application a token is issued to, and the cloud that issues it.
//!
//! Source: Entra, "National clouds", and "OAuth 2.0 client credentials flow" about the link for admin consent.

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

impl Application {
    /// What to do about a missing admin consent, with the link to grant it: a complete sentence.
    ///
    /// `None` for a managed identity, whose permissions are assigned without consent.
    pub fn consent_advice(&self) -> Option<String> {
        if matches!(&self.credential, Credential::ManagedIdentity(identity) if identity.is_application(self.client_id))
        {
            return None;
        }
        let Self { authority, tenant_id, client_id, .. } = self;
        Some(format!(
            "To grant consent, an administrator can also open \
             {authority}/{tenant_id}/adminconsent?client_id={client_id}&redirect_uri={CONSENT_REDIRECT_URI} and accept."
        ))
    }
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

/// Business Central's landing page after a consent, percent-encoded.
const CONSENT_REDIRECT_URI: &str = "https%3A%2F%2Fbusinesscentral.dynamics.com%2FOAuthLanding.htm";

/// The endpoint that issues tokens in the global cloud.
pub const PUBLIC_AUTHORITY: &str = "https://login.microsoftonline.com";

/// The scope of Business Central's application permissions in the global cloud.
pub const PUBLIC_SCOPE: &str = "https://api.businesscentral.dynamics.com/.default";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::ManagedIdentity;

    #[test]
    fn the_consent_link_has_tenant_and_client_id() {
        let client_id = "3f2504e0-4f89-41d3-9a0c-0305e82c3301".parse().unwrap();
        let mut application = Application {
            authority: PUBLIC_AUTHORITY.parse().unwrap(),
            tenant_id: "contoso.onmicrosoft.com".parse().unwrap(),
            client_id,
            credential: Credential::FederatedToken("token.txt".into()),
            scope: PUBLIC_SCOPE.to_owned(),
        };
        let link = "https://login.microsoftonline.com/contoso.onmicrosoft.com/adminconsent\
                    ?client_id=3f2504e0-4f89-41d3-9a0c-0305e82c3301\
                    &redirect_uri=https%3A%2F%2Fbusinesscentral.dynamics.com%2FOAuthLanding.htm";
        assert!(application.consent_advice().unwrap().contains(link));
        // Permissions are assigned to it without consent.
        application.credential = Credential::ManagedIdentity(ManagedIdentity { client_id: None });
        assert_eq!(application.consent_advice(), None);
    }
}
