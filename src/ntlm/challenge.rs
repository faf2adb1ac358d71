//! The server's message in the handshake: the challenge.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::message::{SIGNATURE, Wrapping};

/// Builds a type 2 message in base64, wrapped like the client's type 1 message ([MS-NLMP], section 2.2.1.2).
///
/// `nonce` must be unpredictable if the client's response is checked. The client copies `now` into its response.
pub fn challenge(wrapping: Wrapping, nonce: [u8; 8], now: SystemTime) -> String {
    let message = message(nonce, now);
    STANDARD.encode(match wrapping {
        Wrapping::Raw => message,
        Wrapping::Spnego => wrapped(&message),
    })
}

/// The token that ends a SPNEGO handshake: a NegTokenResp with accept-completed, in base64.
pub const ACCEPT_COMPLETED: &str = "oQcwBaADCgEA";

/// Builds the full form, because shorter ones crash some clients.
fn message(nonce: [u8; 8], now: SystemTime) -> Vec<u8> {
    let name = utf16("BCPROXY");
    let host = utf16("bcproxy.local");
    let mut info = Vec::new();
    for (id, value) in
        [(2, &name[..]), (1, &name), (4, &host), (3, &host), (7, &filetime(now).to_le_bytes()), (END_OF_LIST, &[])]
    {
        info.extend_from_slice(&u16::to_le_bytes(id));
        info.extend_from_slice(&length(value).to_le_bytes());
        info.extend_from_slice(value);
    }
    let mut message = SIGNATURE.to_vec();
    message.extend_from_slice(&2_u32.to_le_bytes());
    message.extend_from_slice(&field(&name, PAYLOAD));
    message.extend_from_slice(&FLAGS.to_le_bytes());
    message.extend_from_slice(&nonce);
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&field(&info, PAYLOAD + u32::from(length(&name))));
    message.extend_from_slice(&VERSION);
    message.extend_from_slice(&name);
    message.extend_from_slice(&info);
    message
}

/// Wraps the message in a NegTokenResp with accept-incomplete and the NTLM mechanism (RFC 4178, section 4.2.2).
fn wrapped(message: &[u8]) -> Vec<u8> {
    let response = element(0xA2, &element(0x04, message));
    let content = [&[0xA0, 0x03, 0x0A, 0x01, 0x01][..], &element(0xA1, &NTLM_MECHANISM), &response].concat();
    element(0xA1, &element(0x30, &content))
}

/// Encodes an element in DER.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short @ ..0x80) => element.push(short),
        Ok(long) => element.extend_from_slice(&[0x81, long]),
        Err(_) => {
            element.push(0x82);
            element.extend_from_slice(&length(content).to_be_bytes());
        }
    }
    element.extend_from_slice(content);
    element
}

/// Describes a value by length, allocated length and offset.
fn field(value: &[u8], offset: u32) -> [u8; 8] {
    let [low, high] = length(value).to_le_bytes();
    let [a, b, c, d] = offset.to_le_bytes();
    [low, high, low, high, a, b, c, d]
}

/// Our values are far shorter than 64 KiB.
fn length(value: &[u8]) -> u16 {
    u16::try_from(value.len()).unwrap_or(u16::MAX)
}

/// Text as messages hold it.
pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Converts to Windows' file time: units of 100 ns since 1601.
fn filetime(now: SystemTime) -> u64 {
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since_1970.as_nanos() / 100).unwrap_or(u64::MAX).saturating_add(FROM_1601_TO_1970)
}

/// UNICODE, REQUEST_TARGET, NTLM, ALWAYS_SIGN, TARGET_TYPE_DOMAIN, EXTENDED_SESSIONSECURITY, TARGET_INFO, VERSION,
/// 128 and 56.
///
/// Without SIGN, SEAL and KEY_EXCH: HTTP needs no session key.
const FLAGS: u32 = 0xA289_8205;

/// Windows 10, whose NTLM has revision 15.
const VERSION: [u8; 8] = [0x0A, 0x00, 0x61, 0x4A, 0x00, 0x00, 0x00, 0x0F];

/// The offset of the names.
const PAYLOAD: u32 = 56;

const END_OF_LIST: u16 = 0;

const FROM_1601_TO_1970: u64 = 116_444_736_000_000_000;

/// 1.3.6.1.4.1.311.2.2.10 as an OBJECT IDENTIFIER.
const NTLM_MECHANISM: [u8; 12] = [0x06, 0x0A, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0A];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_has_the_layout_clients_expect() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let message = message([1, 2, 3, 4, 5, 6, 7, 8], now);
        assert_eq!(message.len(), 56 + 14 + 112);
        assert_eq!(&message[..12], b"NTLMSSP\0\x02\0\0\0");
        assert_eq!(&message[12..20], [14, 0, 14, 0, 56, 0, 0, 0]);
        assert_eq!(&message[20..24], [0x05, 0x82, 0x89, 0xA2]);
        assert_eq!(&message[24..40], [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(&message[40..48], [112, 0, 112, 0, 70, 0, 0, 0]);
        assert_eq!(message[56..70], utf16("BCPROXY"));
        let clock = 116_444_736_010_000_000_u64.to_le_bytes();
        assert_eq!(message[message.len() - 16..], [&[7, 0, 8, 0][..], &clock, &[0; 4]].concat());
    }

    #[test]
    fn the_challenge_is_wrapped_for_spnego() {
        let token = STANDARD.decode(challenge(Wrapping::Spnego, [7; 8], SystemTime::UNIX_EPOCH)).unwrap();
        let raw = STANDARD.decode(challenge(Wrapping::Raw, [7; 8], SystemTime::UNIX_EPOCH)).unwrap();
        assert_eq!(raw.len(), 182);
        assert_eq!(token.len(), 3 + 210);
        assert_eq!(token[..6], [0xA1, 0x81, 210, 0x30, 0x81, 207]);
        assert_eq!(token[6..11], [0xA0, 3, 0x0A, 1, 1]);
        assert_eq!(token[11..13], [0xA1, 12]);
        assert_eq!(token[25..31], [0xA2, 0x81, 185, 0x04, 0x81, 182]);
        assert!(token.ends_with(&raw));
    }
}
