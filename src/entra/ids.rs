//! The two IDs of the set-up guide: directory (tenant) ID and application (client) ID.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// A directory (tenant) ID: a GUID or a verified domain of the directory, in lower case.
///
/// It needs no encoding in a path. `common`, `organizations` and `consumers` are rejected, because client credentials
/// need a single tenant (Entra, "client credentials flow").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(String);

/// An application (client) ID: a GUID, in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Uuid);

/// Why a text is not an ID. The message says where Entra shows the right one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Neither a GUID nor a domain.
    #[error(
        "a tenant is a GUID or a domain such as contoso.onmicrosoft.com; \
         it is shown as \"Directory (tenant) ID\" on the app registration's overview page"
    )]
    Tenant,
    /// A name for all tenants.
    #[error(
        "`{0}` is not a single tenant; use the GUID shown as \"Directory (tenant) ID\" on the app registration's overview page"
    )]
    SharedTenant(String),
    /// Not a GUID.
    #[error(
        "a client ID is a GUID such as 3f2504e0-4f89-41d3-9a0c-0305e82c3301; \
         it is shown as \"Application (client) ID\" on the app registration's overview page"
    )]
    Client,
}

impl TenantId {
    /// The GUID or domain, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let lower = text.to_ascii_lowercase();
        if matches!(lower.as_str(), "common" | "organizations" | "consumers") {
            return Err(IdError::SharedTenant(lower));
        }
        if let Ok(guid) = Uuid::try_parse(&lower) {
            return Ok(Self(guid.to_string()));
        }
        let label_is_valid = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if lower.len() > 253 || !lower.contains('.') || !lower.split('.').all(label_is_valid) {
            return Err(IdError::Tenant);
        }
        Ok(Self(lower))
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ClientId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Uuid::try_parse(text).map(Self).map_err(|_| IdError::Client)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_a_guid_or_a_domain() {
        let parse = |text: &str| text.parse::<TenantId>();
        assert_eq!(parse("Contoso.OnMicrosoft.com").unwrap().as_str(), "contoso.onmicrosoft.com");
        assert_eq!(
            parse("{72F988BF-86F1-41AF-91AB-2D7CD011DB47}").unwrap().as_str(),
            "72f988bf-86f1-41af-91ab-2d7cd011db47"
        );
        for wrong in ["", "contoso", "con toso.com", "a..b", "x/../y.com", "-a.com", "ünicode.com"] {
            assert_eq!(parse(wrong), Err(IdError::Tenant), "{wrong}");
        }
        assert_eq!(parse("common"), Err(IdError::SharedTenant("common".into())));
    }

    #[test]
    fn a_client_is_a_guid() {
        assert!("3f2504e0-4f89-41d3-9a0c-0305e82c3301".parse::<ClientId>().is_ok());
        assert_eq!("my-app".parse::<ClientId>(), Err(IdError::Client));
    }
}
