//! The names of machines, as programs write them into addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A host name: labels of letters, digits, `-` and `_` between dots, at most 253 bytes (RFC 1123, section 2.1; Windows
/// adds the `_`).
///
/// Case makes no difference to names: it is kept in small letters, without a dot at the end. An IP address is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

/// Why a text is no [`HostName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostNameError {
    /// It has characters or lengths that no host name has.
    #[error("write the name only, such as oldserver or erp-gw.contoso.local: no http://, no port, no path")]
    Malformed,
    /// It is an IP address.
    #[error("remove it: IP addresses are known without being listed")]
    Address,
}

impl HostName {
    /// In small letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What this machine calls itself; `None` when that is no host name.
    pub fn of_this_machine() -> Option<Self> {
        gethostname::gethostname().to_str()?.parse().ok()
    }

    /// The name without its domain, where it has one: `erp-gw` of `erp-gw.contoso.local`.
    pub fn short(&self) -> Option<Self> {
        self.0.split_once('.').map(|(label, _)| Self(label.to_owned()))
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        if text.parse::<IpAddr>().is_ok() {
            return Err(HostNameError::Address);
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_label = |label: &str| {
            (1..=LONGEST_LABEL).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        let is_name = name.len() <= LONGEST_NAME && name.split('.').all(is_label);
        if is_name { Ok(Self(name.to_ascii_lowercase())) } else { Err(HostNameError::Malformed) }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 1035, section 2.3.4, as the next.
const LONGEST_LABEL: usize = 63;

/// Without the root's dot.
const LONGEST_NAME: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_name_and_nothing_around_it() {
        for (text, name) in
            [("OldServer", "oldserver"), ("erp-gw.contoso.local.", "erp-gw.contoso.local"), ("nav_2009", "nav_2009")]
        {
            assert_eq!(text.parse::<HostName>().unwrap().as_str(), name);
        }
        for text in
            ["", ".", "a..b", "erp:8080", "http://erp", "erp/BC140", "*.erp", "a b", "ü", "u@erp", &"a".repeat(64)]
        {
            assert_eq!(text.parse::<HostName>(), Err(HostNameError::Malformed), "{text}");
        }
        for text in ["10.0.0.1", "::1"] {
            assert_eq!(text.parse::<HostName>(), Err(HostNameError::Address), "{text}");
        }
        let short = |name: &str| name.parse::<HostName>().unwrap().short().map(|short| short.to_string());
        assert_eq!((short("erp-gw.contoso.local").as_deref(), short("erp-gw")), (Some("erp-gw"), None));
    }
}
