//! A client's message, as it stands in its `Authorization` header.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::memmem;

use super::SIGNATURE;

/// What a client says in its handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Type 1: it wants a challenge. Its flags and names, if it has any, make no difference.
    Negotiate(Wrapping),
    /// Type 3: its answer to a challenge, this server's or an earlier one's.
    Authenticate(Wrapping),
    /// No NTLM: a Kerberos ticket, mostly.
    Foreign,
}

/// How a message stands in its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    Raw,
    /// In a SPNEGO token (RFC 4178, section 4.2).
    Spnego,
}

/// A token that no honest client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    #[error("it is not base64")]
    NotBase64,
    #[error("it is longer than {} KiB", LONGEST / 1024)]
    TooLong,
    #[error("it ends too early")]
    Truncated,
    #[error("it is of type {0}, and a client sends types 1 and 3 only")]
    NotAClients(u32),
    #[error("one of its fields lies outside it")]
    OutOfBounds,
    #[error("it does not begin with NTLMSSP")]
    NotNtlm,
}

impl Message {
    /// Reads the token that stands behind `NTLM` or `Negotiate`, base64 with or without its padding.
    ///
    /// # Errors
    ///
    /// For what is cut off, has a field beyond its end, comes from a server, or has more than 16 KiB. A token without NTLM's
    /// signature is no error: Kerberos shares the scheme.
    pub fn read(token: &[u8]) -> Result<Self, MessageError> {
        let token = BASE64.decode(token).map_err(|_| MessageError::NotBase64)?;
        let Some(at) = memmem::find(&token, SIGNATURE) else {
            // Shorter than the signature, it can be nothing.
            return if token.len() < SIGNATURE.len() { Err(MessageError::Truncated) } else { Ok(Self::Foreign) };
        };
        let wrapping = match (at, token.first()) {
            (0, _) => Wrapping::Raw,
            (_, Some(&(NEG_TOKEN_INIT | NEG_TOKEN_RESPONSE))) => Wrapping::Spnego,
            _ => return Ok(Self::Foreign),
        };
        let message = token.get(at..).unwrap_or_default();
        if message.len() > LONGEST {
            return Err(MessageError::TooLong);
        }
        match u32_at(message, 8).ok_or(MessageError::Truncated)? {
            1 => Ok(Self::Negotiate(wrapping)),
            3 => check_fields(message).map(|()| Self::Authenticate(wrapping)),
            other => Err(MessageError::NotAClients(other)),
        }
    }
}

/// Every field of a type 3 lies within it ([MS-NLMP], section 2.2.1.3).
fn check_fields(message: &[u8]) -> Result<(), MessageError> {
    for at in [LM_RESPONSE, NT_RESPONSE, DOMAIN, USER, WORKSTATION] {
        let length = u16_at(message, at).ok_or(MessageError::Truncated)?;
        let offset = u32_at(message, at + 4).ok_or(MessageError::Truncated)?;
        let end = u64::from(offset) + u64::from(length);
        if length > 0 && ((offset as usize) < WORKSTATION + 8 || end > message.len() as u64) {
            return Err(MessageError::OutOfBounds);
        }
    }
    Ok(())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

/// Old programs leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The recorded ones have some hundred bytes; a Kerberos ticket in front of one does not count.
const LONGEST: usize = 16 * 1024;

/// `[APPLICATION 0]` and `[1]`, the tags of SPNEGO's two kinds of tokens.
const NEG_TOKEN_INIT: u8 = 0x60;
const NEG_TOKEN_RESPONSE: u8 = 0xA1;

/// Where the fields of a type 3 are described: length (u16), room (u16), offset (u32).
const LM_RESPONSE: usize = 12;
const NT_RESPONSE: usize = 20;
const DOMAIN: usize = 28;
const USER: usize = 36;
const WORKSTATION: usize = 44;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(token: &[u8]) -> Result<Message, MessageError> {
        Message::read(BASE64.encode(token).as_bytes())
    }

    fn message(kind: u32, rest: &[u8]) -> Vec<u8> {
        [SIGNATURE.as_slice(), &kind.to_le_bytes(), rest].concat()
    }

    /// A type 3 whose user has this length and offset.
    fn authenticate(length: u16, offset: u32) -> Vec<u8> {
        let mut fields = [0; 40];
        fields[USER - 12..USER - 10].copy_from_slice(&length.to_le_bytes());
        fields[USER - 8..USER - 4].copy_from_slice(&offset.to_le_bytes());
        [message(3, &fields), b"u\0s\0e\0r\0".to_vec()].concat()
    }

    #[test]
    fn a_type_1_is_one_whatever_follows() {
        for rest in [&b""[..], &[0xff; 4], &[0; 33]] {
            assert_eq!(read(&message(1, rest)), Ok(Message::Negotiate(Wrapping::Raw)));
        }
        assert_eq!(Message::read(b"TlRMTVNTUAABAAAABoIIAA"), Ok(Message::Negotiate(Wrapping::Raw)));
    }

    #[test]
    fn spnego_is_recognised_by_its_tag() {
        let wrapped = [&[NEG_TOKEN_INIT, 0x48, 6, 6][..], &message(1, &[0; 20])].concat();
        assert_eq!(read(&wrapped), Ok(Message::Negotiate(Wrapping::Spnego)));
        let wrapped = [&[NEG_TOKEN_RESPONSE, 0x81, 0xf0][..], &authenticate(8, 52)].concat();
        assert_eq!(read(&wrapped), Ok(Message::Authenticate(Wrapping::Spnego)));
        assert_eq!(read(&[NEG_TOKEN_INIT; 900]), Ok(Message::Foreign));
        assert_eq!(read(&[&b"x"[..], &message(1, b"")].concat()), Ok(Message::Foreign));
    }

    #[test]
    fn fields_lie_inside() {
        assert_eq!(read(&authenticate(8, 52)), Ok(Message::Authenticate(Wrapping::Raw)));
        assert_eq!(read(&authenticate(0, u32::MAX)), Ok(Message::Authenticate(Wrapping::Raw)));
        for (length, offset) in [(9, 52), (8, 53), (8, 51), (1, 60), (u16::MAX, 52), (8, u32::MAX), (1, 0)] {
            assert_eq!(read(&authenticate(length, offset)), Err(MessageError::OutOfBounds), "{length} at {offset}");
        }
    }

    #[test]
    fn what_no_client_sends_is_an_error() {
        assert_eq!(Message::read(b"not base64"), Err(MessageError::NotBase64));
        assert_eq!(Message::read(b"TlRM"), Err(MessageError::Truncated));
        assert_eq!(read(SIGNATURE), Err(MessageError::Truncated));
        assert_eq!(read(&message(3, &[0; 30])), Err(MessageError::Truncated));
        assert_eq!(read(&message(2, &[0; 48])), Err(MessageError::NotAClients(2)));
        assert_eq!(read(&message(1, &[0; LONGEST])), Err(MessageError::TooLong));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(kind in 0..5_u32, rest in prop::collection::vec(any::<u8>(), 0..200), cut in 0..220_usize) {
            let message = message(kind, &rest);
            let _ = read(message.get(..cut).unwrap_or(&message));
            let _ = Message::read(&rest);
        }
    }
}
