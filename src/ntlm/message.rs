//! A client's message in the `Authorization` header.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::memmem;

/// A client's message in the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Type 1: asks for a challenge. Its flags and names are ignored.
    Negotiate(Wrapping),
    /// Type 3: responds to a challenge of this server or another one.
    Authenticate(Wrapping),
    /// Not NTLM; usually a Kerberos ticket.
    NotNtlm,
}

/// What a type 3 message says: who the client is, and its proof. Domain and user are as the client sent them.
#[derive(Clone, PartialEq, Eq)]
pub struct Authenticate {
    pub(super) lm_response: Vec<u8>,
    pub(super) nt_response: Vec<u8>,
    /// The domain of the user; often empty, or the name in the challenge.
    pub domain: String,
    /// The user's name; may contain a domain, too.
    pub user: String,
}

/// Which proof a type 3 message has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofVersion {
    /// None: the client signs in anonymously.
    None,
    /// LM, NTLM, or NTLM2 session: these hold a hash that is computed in hours.
    V1,
    /// NTLMv2.
    V2,
}

/// How a token holds its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// The token is the message.
    Raw,
    /// The message is wrapped in SPNEGO (RFC 4178, section 4.2).
    Spnego,
}

/// Why a token is malformed. Regular clients send no such token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The token is not base64.
    #[error("it is not base64")]
    NotBase64,
    /// The message exceeds 16 KiB.
    #[error("it is longer than {} KiB", MAX_MESSAGE_BYTES / 1024)]
    TooLong,
    /// The message ends within a field.
    #[error("it is truncated")]
    Truncated,
    /// The message has a type that clients do not send.
    #[error("it is of type {0}, but clients send only types 1 and 3")]
    UnexpectedType(u32),
    /// A field points outside the message.
    #[error("one of its fields is out of bounds")]
    OutOfBounds,
    /// The message lacks the signature.
    #[error("it does not start with NTLMSSP")]
    NoSignature,
}

impl Message {
    /// Parses the token after `NTLM` or `Negotiate`: base64 with or without padding.
    ///
    /// # Errors
    ///
    /// Fails if the message is truncated, has a field beyond its end, is a server's, or exceeds 16 KiB. A token without
    /// NTLM's signature is not an error, because Kerberos shares the scheme.
    pub fn parse(token: &[u8]) -> Result<Self, MessageError> {
        let token = BASE64.decode(token).map_err(|_| MessageError::NotBase64)?;
        let Some((wrapping, message)) = unwrap(&token)? else { return Ok(Self::NotNtlm) };
        match u32_at(message, 8).ok_or(MessageError::Truncated)? {
            1 => Ok(Self::Negotiate(wrapping)),
            3 => check_fields(message).map(|()| Self::Authenticate(wrapping)),
            other => Err(MessageError::UnexpectedType(other)),
        }
    }
}

impl Authenticate {
    /// Parses the token after `NTLM` or `Negotiate`. `None` for anything but a type 3 message.
    pub fn parse(token: &[u8]) -> Option<Self> {
        let token = BASE64.decode(token).ok()?;
        let (_, message) = unwrap(&token).ok()??;
        if u32_at(message, 8) != Some(3) || check_fields(message).is_err() {
            return None;
        }
        let field = |at| {
            let (length, offset) = (usize::from(u16_at(message, at)?), u32_at(message, at + 4)? as usize);
            if length == 0 { Some(&[][..]) } else { message.get(offset..offset.checked_add(length)?) }
        };
        let is_unicode = u32_at(message, FLAGS).is_none_or(|flags| flags & UNICODE != 0);
        let text = |at| Some(if is_unicode { from_utf16(field(at)?) } else { from_oem(field(at)?) });
        Some(Self {
            lm_response: field(LM_RESPONSE)?.to_vec(),
            nt_response: field(NT_RESPONSE)?.to_vec(),
            domain: text(DOMAIN)?,
            user: text(USER)?,
        })
    }

    /// Which proof it has.
    pub fn version(&self) -> ProofVersion {
        match (self.nt_response.len(), self.lm_response.len()) {
            (0, 0 | 1) => ProofVersion::None,
            (0..=V1_RESPONSE, _) => ProofVersion::V1,
            _ => ProofVersion::V2,
        }
    }
}

impl std::fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticate").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The NTLM message in a token; `None` if there is none.
fn unwrap(token: &[u8]) -> Result<Option<(Wrapping, &[u8])>, MessageError> {
    let Some(at) = memmem::find(token, SIGNATURE) else {
        // Too short even for the signature.
        return if token.len() < SIGNATURE.len() { Err(MessageError::Truncated) } else { Ok(None) };
    };
    let wrapping = match (at, token.first()) {
        (0, _) => Wrapping::Raw,
        (_, Some(&(NEG_TOKEN_INIT | NEG_TOKEN_RESPONSE))) => Wrapping::Spnego,
        _ => return Ok(None),
    };
    let message = token.get(at..).unwrap_or_default();
    if message.len() > MAX_MESSAGE_BYTES { Err(MessageError::TooLong) } else { Ok(Some((wrapping, message))) }
}

fn from_utf16(bytes: &[u8]) -> String {
    let (units, _) = bytes.as_chunks::<2>();
    char::decode_utf16(units.iter().copied().map(u16::from_le_bytes))
        .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// The client's code page is not known. Western ones agree on most letters with Windows-1252.
fn from_oem(bytes: &[u8]) -> String {
    encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned()
}

/// Checks that every field of a type 3 message lies within it ([MS-NLMP], section 2.2.1.3).
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

/// The first bytes of every message ([MS-NLMP], section 2.2.1).
pub const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

/// The base64 of credentials: some legacy programs omit the padding.
pub const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Recorded messages have some hundred bytes. A preceding Kerberos ticket does not count.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// The tags of SPNEGO's two kinds of tokens: `[APPLICATION 0]` and `[1]`.
const NEG_TOKEN_INIT: u8 = 0x60;
const NEG_TOKEN_RESPONSE: u8 = 0xA1;

/// Offsets of the field descriptions in a type 3 message: length (u16), allocated length (u16), offset (u32).
const LM_RESPONSE: usize = 12;
const NT_RESPONSE: usize = 20;
const DOMAIN: usize = 28;
const USER: usize = 36;
const WORKSTATION: usize = 44;

/// The offset of the flags, which old clients omit, and the flag for text in UTF-16.
const FLAGS: usize = 60;
const UNICODE: u32 = 1;

/// The length of a response of NTLMv1. One of NTLMv2 is longer.
const V1_RESPONSE: usize = 24;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(token: &[u8]) -> Result<Message, MessageError> {
        Message::parse(BASE64.encode(token).as_bytes())
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
    fn a_type_1_message_is_accepted_whatever_follows() {
        for rest in [&b""[..], &[0xff; 4], &[0; 33]] {
            assert_eq!(read(&message(1, rest)), Ok(Message::Negotiate(Wrapping::Raw)));
        }
        assert_eq!(Message::parse(b"TlRMTVNTUAABAAAABoIIAA"), Ok(Message::Negotiate(Wrapping::Raw)));
    }

    #[test]
    fn spnego_is_recognized_by_its_tag() {
        let wrapped = [&[NEG_TOKEN_INIT, 0x48, 6, 6][..], &message(1, &[0; 20])].concat();
        assert_eq!(read(&wrapped), Ok(Message::Negotiate(Wrapping::Spnego)));
        let wrapped = [&[NEG_TOKEN_RESPONSE, 0x81, 0xf0][..], &authenticate(8, 52)].concat();
        assert_eq!(read(&wrapped), Ok(Message::Authenticate(Wrapping::Spnego)));
        assert_eq!(read(&[NEG_TOKEN_INIT; 900]), Ok(Message::NotNtlm));
        assert_eq!(read(&[&b"x"[..], &message(1, b"")].concat()), Ok(Message::NotNtlm));
    }

    #[test]
    fn fields_must_lie_within_the_message() {
        assert_eq!(read(&authenticate(8, 52)), Ok(Message::Authenticate(Wrapping::Raw)));
        assert_eq!(read(&authenticate(0, u32::MAX)), Ok(Message::Authenticate(Wrapping::Raw)));
        for (length, offset) in [(9, 52), (8, 53), (8, 51), (1, 60), (u16::MAX, 52), (8, u32::MAX), (1, 0)] {
            assert_eq!(read(&authenticate(length, offset)), Err(MessageError::OutOfBounds), "{length} at {offset}");
        }
    }

    #[test]
    fn malformed_messages_are_errors() {
        assert_eq!(Message::parse(b"not base64"), Err(MessageError::NotBase64));
        assert_eq!(Message::parse(b"TlRM"), Err(MessageError::Truncated));
        assert_eq!(read(SIGNATURE), Err(MessageError::Truncated));
        assert_eq!(read(&message(3, &[0; 30])), Err(MessageError::Truncated));
        assert_eq!(read(&message(2, &[0; 48])), Err(MessageError::UnexpectedType(2)));
        assert_eq!(read(&message(1, &[0; MAX_MESSAGE_BYTES])), Err(MessageError::TooLong));
    }

    proptest! {
        #[test]
        fn any_input_is_parsed_or_rejected(kind in 0..5_u32, rest in prop::collection::vec(any::<u8>(), 0..200), cut in 0..220_usize) {
            let message = message(kind, &rest);
            let _ = read(message.get(..cut).unwrap_or(&message));
            let _ = Message::parse(&rest);
        }
    }
}
