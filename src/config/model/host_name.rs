//! The names of machines in URLs.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A host name: labels of letters, digits, `-` and `_` between dots, at most 253 bytes (RFC 1123, section 2.1; Windows
/// also allows `_`).
///
/// Stored in lower case and without a trailing dot. An IP address is not a host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

/// Why text is not a [`HostName`]. The message says how to write one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostNameError {
    /// The text has more than a host name, or other characters.
    #[error("write the name only, such as oldserver or erp-gw.contoso.local: no http://, no port, no path")]
    Malformed,
    /// The text is an IP address.
    #[error("remove the IP address: bcproxy accepts every IP address without listing it")]
    Address,
}

impl HostName {
    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of this machine. `None` if the operating system reports no valid host name.
    pub fn of_this_machine() -> Option<Self> {
        gethostname::gethostname().to_str()?.parse().ok()
    }

    /// The first label of a name with a domain: `erp-gw` of `erp-gw.contoso.local`.
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
            (1..=MAX_LABEL_BYTES).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        let is_name = name.len() <= MAX_NAME_BYTES && name.split('.').all(is_label);
        if is_name { Ok(Self(name.to_ascii_lowercase())) } else { Err(HostNameError::Malformed) }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The longest label (RFC 1035, section 2.3.4).
const MAX_LABEL_BYTES: usize = 63;

/// The longest name without the trailing dot (RFC 1035, section 2.3.4).
const MAX_NAME_BYTES: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_has_no_scheme_port_or_path() {
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
