//! Microsoft's clouds.
//!
//! Source: Entra, "National clouds".

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
