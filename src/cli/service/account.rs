//! The account that the service runs under, and how access is granted to it.

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::manager::ServiceControlManager;
use super::name::ServiceName;

/// The account that the service runs under. Windows manages its password, so bcproxy never asks for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceAccount {
    /// `NT SERVICE\NAME`, which Windows makes for the service of this name alone.
    Virtual(String),
    /// A group managed service account of Active Directory, such as `CONTOSO\bcproxy$`.
    Managed(String),
    /// `NT AUTHORITY\LocalService`, which other services of the machine share.
    LocalService,
    /// `NT AUTHORITY\NetworkService`, which other services of the machine share.
    NetworkService,
}

/// Why text is not a [`ServiceAccount`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServiceAccountError {
    #[error(
        "write the account as DOMAIN\\NAME, such as CONTOSO\\bcproxy$; without --account, Windows makes one for the service"
    )]
    NotQualified,
    #[error("a service under this account may do everything on the machine; leave out --account")]
    System,
    #[error(
        "this account needs a password, and bcproxy stores none; use a group managed service account, whose name ends \
         with $, or leave out --account"
    )]
    NeedsPassword,
    #[error("the name of an account has no such character; write it as DOMAIN\\NAME")]
    Character,
}

impl ServiceAccount {
    /// The virtual account of a service.
    pub fn of_service(name: &str) -> Self {
        Self::Virtual(name.to_owned())
    }

    /// The account of a service; before it is installed, the one that it has by default.
    pub fn of_installed(manager: &dyn ServiceControlManager, name: &ServiceName) -> Self {
        let installed = manager.settings(name).ok().and_then(|settings| settings.account.parse().ok());
        installed.unwrap_or_else(|| Self::of_service(name.as_str()))
    }

    /// The name that the service manager takes as the account of a service, such as `NT SERVICE\bcproxy`.
    pub fn name(&self) -> String {
        match self {
            Self::Virtual(service) => format!(r"{VIRTUAL}\{service}"),
            Self::Managed(name) => name.clone(),
            Self::LocalService => r"NT AUTHORITY\LocalService".to_owned(),
            Self::NetworkService => r"NT AUTHORITY\NetworkService".to_owned(),
        }
    }

    /// The account as icacls takes it: a SID after `*`, or the name of an account in Active Directory.
    ///
    /// The SID of a virtual account is valid before the service is installed; its name is not. Windows translates the
    /// names of its own accounts, but not their SIDs.
    pub fn trustee(&self) -> String {
        match self {
            Self::Virtual(service) => format!("*{}", service_sid(service)),
            Self::Managed(name) => name.clone(),
            Self::LocalService => "*S-1-5-19".to_owned(),
            Self::NetworkService => "*S-1-5-20".to_owned(),
        }
    }
}

impl FromStr for ServiceAccount {
    type Err = ServiceAccountError;

    /// Reads `DOMAIN\NAME`. Upper and lower case make no difference.
    fn from_str(text: &str) -> Result<Self, ServiceAccountError> {
        let is_reserved = |character: char| character.is_control() || "\"/:;|=,+*?<>".contains(character);
        if text.contains(is_reserved) {
            return Err(ServiceAccountError::Character);
        }
        if text.eq_ignore_ascii_case("LocalSystem") {
            return Err(ServiceAccountError::System);
        }
        let (domain, name) = text.split_once('\\').ok_or(ServiceAccountError::NotQualified)?;
        if domain.trim().is_empty() || name.trim().is_empty() || name.contains('\\') {
            return Err(ServiceAccountError::NotQualified);
        }
        let of_windows = domain.eq_ignore_ascii_case("NT AUTHORITY");
        match name.to_ascii_lowercase().replace(' ', "").as_str() {
            _ if domain.eq_ignore_ascii_case(VIRTUAL) => Ok(Self::Virtual(name.to_owned())),
            "localservice" if of_windows => Ok(Self::LocalService),
            "networkservice" if of_windows => Ok(Self::NetworkService),
            "system" if of_windows => Err(ServiceAccountError::System),
            other if other.ends_with('$') => Ok(Self::Managed(text.to_owned())),
            _ => Err(ServiceAccountError::NeedsPassword),
        }
    }
}

impl fmt::Display for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// The SID of a service: `S-1-5-80-`, then the SHA-1 digest of its name as five numbers.
///
/// The digest is that of the name in upper case and UTF-16, little-endian; so are the numbers.
/// `sc.exe showsid NAME` prints the same. Source: Microsoft, [MS-LSAT] and "Security identifiers" (`NT SERVICE`).
fn service_sid(name: &str) -> String {
    let upper = name.chars().map(|character| {
        // Windows converts one character to one.
        let mut upper = character.to_uppercase();
        upper.next().filter(|_| upper.next().is_none()).unwrap_or(character)
    });
    let bytes: Vec<u8> = upper.collect::<String>().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let (numbers, _) = hash.as_ref().as_chunks::<4>();
    let numbers = numbers.iter().map(|&number| format!("-{}", u32::from_le_bytes(number)));
    format!("S-1-5-80{}", numbers.collect::<String>())
}

/// The domain of virtual accounts.
const VIRTUAL: &str = "NT SERVICE";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sid_of_a_service_is_computed_from_its_name() {
        let trusted_installer = "*S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
        for name in ["TrustedInstaller", "trustedinstaller"] {
            assert_eq!(ServiceAccount::of_service(name).trustee(), trusted_installer);
        }
        assert_eq!(ServiceAccount::of_service("bcproxy").name(), r"NT SERVICE\bcproxy");
    }

    #[test]
    fn an_account_without_a_password_is_accepted() {
        let parse = |text: &str| text.parse::<ServiceAccount>();
        assert_eq!(parse(r"CONTOSO\bcproxy$"), Ok(ServiceAccount::Managed(r"CONTOSO\bcproxy$".to_owned())));
        assert_eq!(parse(r"CONTOSO\bcproxy$").unwrap().trustee(), r"CONTOSO\bcproxy$");
        assert_eq!(parse(r"nt service\bcproxy"), Ok(ServiceAccount::of_service("bcproxy")));
        assert_eq!(parse(r"NT AUTHORITY\Local Service"), Ok(ServiceAccount::LocalService));
        assert_eq!(parse(r"NT AUTHORITY\NetworkService").unwrap().trustee(), "*S-1-5-20");
    }

    #[test]
    fn other_accounts_are_rejected_with_a_fix() {
        let error = |text: &str| text.parse::<ServiceAccount>().unwrap_err();
        for text in ["", "bcproxy$", r"\bcproxy$", r"CONTOSO\", r"A\B\C$", "bcproxy@contoso.com"] {
            assert_eq!(error(text), ServiceAccountError::NotQualified, "{text}");
        }
        assert_eq!(error("LocalSystem"), ServiceAccountError::System);
        assert_eq!(error(r"NT AUTHORITY\SYSTEM"), ServiceAccountError::System);
        for text in [r".\bcproxy", r"CONTOSO\nora"] {
            assert_eq!(error(text), ServiceAccountError::NeedsPassword, "{text}");
        }
        for text in ["CONTOSO\\a\"b$", "CONTOSO\\a\n$", r"CONTOSO\a:F$"] {
            assert_eq!(error(text), ServiceAccountError::Character, "{text}");
        }
    }
}
