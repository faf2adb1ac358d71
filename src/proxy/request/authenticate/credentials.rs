//! The credentials a client sends. Nothing of them is forwarded.

use std::borrow::Cow;
use std::time::SystemTime;

use base64::Engine;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use crate::ntlm::{self, Authenticate, Message, MessageError, Wrapping};
use crate::secret::Secret;

/// The content of a request's `Authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    None,
    Basic,
    /// A message of the NTLM handshake, and the scheme it came in.
    Windows(Scheme, Message),
    Broken(MessageError),
    /// Digest, or a token of the client's own.
    Other,
}

/// The schemes of the handshake (RFC 4559; `NTLM` was never registered).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Ntlm,
    Negotiate,
}

impl Credentials {
    pub fn of(headers: &HeaderMap) -> Self {
        let Some((scheme, token)) = split(headers) else { return Self::None };
        let scheme = match scheme {
            _ if scheme.eq_ignore_ascii_case(b"Basic") => return Self::Basic,
            _ if scheme.eq_ignore_ascii_case(b"NTLM") => Scheme::Ntlm,
            _ if scheme.eq_ignore_ascii_case(b"Negotiate") => Scheme::Negotiate,
            _ => return Self::Other,
        };
        if token.is_empty() {
            return Self::Other;
        }
        match (scheme, Message::parse(token)) {
            (_, Err(error)) => Self::Broken(error),
            (Scheme::Ntlm, Ok(Message::NotNtlm)) => Self::Broken(MessageError::NoSignature),
            (scheme, Ok(message)) => Self::Windows(scheme, message),
        }
    }

    /// The value of the log field: it tells which clients still send what.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Windows(_, Message::Negotiate(Wrapping::Raw) | Message::Authenticate(Wrapping::Raw)) => "ntlm",
            Self::Windows(_, Message::Negotiate(Wrapping::Spnego) | Message::Authenticate(Wrapping::Spnego)) => {
                "spnego"
            }
            Self::Windows(_, Message::NotNtlm) => "kerberos",
            Self::Broken(_) => "broken",
            Self::Other => "other",
        }
    }

    /// Whether the request begins a handshake and expects a challenge.
    pub fn begin_handshake(self) -> bool {
        matches!(self, Self::Windows(_, Message::Negotiate(_)))
    }

    /// The `WWW-Authenticate` for a request that begins a handshake; `None` for any other.
    pub fn challenge(self, nonce: [u8; 8]) -> Option<HeaderValue> {
        let Self::Windows(scheme, Message::Negotiate(wrapping)) = self else { return None };
        let token = ntlm::challenge(wrapping, nonce, SystemTime::now());
        HeaderValue::try_from(format!("{} {token}", scheme.as_str())).ok()
    }

    /// The `WWW-Authenticate` that tells a client that its handshake is complete, where the client expects one.
    pub fn completion(self) -> Option<HeaderValue> {
        match self {
            Self::Windows(_, Message::Authenticate(Wrapping::Spnego)) => {
                HeaderValue::try_from(format!("Negotiate {}", ntlm::ACCEPT_COMPLETED)).ok()
            }
            _ => None,
        }
    }
}

/// User name and password of `Authorization: Basic` (RFC 7617). `None` if they can't be read.
///
/// Old programs send Latin-1 where they should send UTF-8.
pub fn basic(headers: &HeaderMap) -> Option<(String, Secret)> {
    let (_, token) = split(headers)?;
    let pair = Zeroizing::new(ntlm::BASE64.decode(token).ok()?);
    let text = match str::from_utf8(&pair) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(&pair).0,
    };
    let text = Zeroizing::new(text.into_owned());
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), Secret::new(password.to_owned())))
}

/// The client's proof, if it is one.
pub fn proof(headers: &HeaderMap) -> Option<Authenticate> {
    let (_, token) = split(headers)?;
    Authenticate::parse(token)
}

/// Scheme and token of `Authorization`.
fn split(headers: &HeaderMap) -> Option<(&[u8], &[u8])> {
    let value = headers.get(AUTHORIZATION)?.as_bytes().trim_ascii();
    let end = memchr::memchr2(b' ', b'\t', value).unwrap_or(value.len());
    let (scheme, token) = value.split_at(end);
    Some((scheme, token.trim_ascii()))
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ntlm => "NTLM",
            Self::Negotiate => "Negotiate",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &'static str) -> Credentials {
        Credentials::of(&HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))]))
    }

    #[test]
    fn each_scheme_is_known() {
        assert_eq!(Credentials::of(&HeaderMap::new()), Credentials::None);
        assert_eq!(of("basic dTpw").as_str(), "basic");
        assert_eq!(of("Digest username=\"u\"").as_str(), "other");
        assert_eq!(of("Negotiate").as_str(), "other");
        assert_eq!(of("Negotiate YIIFSgYGKwYBBQUCoIIFPjCC").as_str(), "kerberos");
        assert_eq!(of("NTLM YIIFSgYGKwYBBQUCoIIFPjCC"), Credentials::Broken(MessageError::NoSignature));
    }

    #[test]
    fn a_type_1_is_answered_in_its_own_scheme() {
        for (value, begin) in [
            ("ntlm TlRMTVNTUAABAAAA", "NTLM TlRMTVNTUAACAAAA"),
            ("Negotiate  TlRMTVNTUAABAAAA", "Negotiate TlRMTVNTUAACAAAA"),
        ] {
            let credentials = of(value);
            assert_eq!(credentials.as_str(), "ntlm");
            let challenge = credentials.challenge([1; 8]).unwrap();
            assert!(challenge.to_str().unwrap().starts_with(begin), "{challenge:?}");
            assert_eq!(credentials.completion(), None);
        }
        assert_eq!(of("Basic dTpw").challenge([1; 8]), None);
    }

    #[test]
    fn a_password_is_read_in_utf_8_and_latin_1() {
        let read = |value: &'static str| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))]);
            basic(&headers).map(|(name, password)| (name, password.expose().to_owned()))
        };
        let pair = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        assert_eq!(read("Basic asO8Om3Dtg=="), pair("jü", "mö"));
        assert_eq!(read("basic  avw6bfY"), pair("jü", "mö"));
        assert_eq!(read("Basic dTo="), pair("u", ""));
        assert_eq!(read("Basic dTphOmI="), pair("u", "a:b"));
        for wrong in ["Basic", "Basic ", "Basic dQ==", "Basic *"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
