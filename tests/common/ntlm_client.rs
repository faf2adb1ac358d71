//! A client that signs in with NTLM, one message at a time.
#![allow(dead_code, reason = "no test program uses all of it")]

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bcproxy::ntlm::NtHash;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

use crate::wire::{Head, Wire};

pub const TYPE_1: &str = "TlRMTVNTUAABAAAABoIIAAAAAAAAAAAAAAAAAAAAAAA=";

/// A request on this connection, and the head of its response.
pub async fn send(wire: &mut Wire, authorization: Option<&str>, body: &str) -> Head {
    let authorization = authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
    wire.send(format!(
        "POST /api/items HTTP/1.1\r\nHost: erp\r\nContent-Type: application/json\r\n{authorization}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
    wire.response().await.0
}

/// The nonce in a challenge.
fn nonce(head: &Head) -> [u8; 8] {
    assert_eq!(head.status(), 401);
    let [challenge] = head.all("www-authenticate")[..] else { panic!("{head:?}") };
    let message = STANDARD.decode(challenge.strip_prefix("NTLM ").unwrap()).unwrap();
    message[24..32].try_into().unwrap()
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Md5>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A type 3 message with these responses.
pub fn type_3(user: &str, domain: &str, lm: &[u8], nt: &[u8]) -> String {
    let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
    let mut payload = Vec::new();
    for value in [lm, nt, &utf16(domain), &utf16(user), &utf16("WS"), &[]] {
        message.extend((value.len() as u16).to_le_bytes().repeat(2));
        message.extend((64 + payload.len() as u32).to_le_bytes());
        payload.extend_from_slice(value);
    }
    message.extend(1_u32.to_le_bytes());
    format!("NTLM {}", STANDARD.encode([message, payload].concat()))
}

/// The proof of NTLMv2 for this challenge.
pub fn proof(user: &str, domain: &str, password: &str, nonce: [u8; 8]) -> String {
    let rest = [&[1, 1, 0, 0, 0, 0, 0, 0][..], &[7; 16], &[0; 8]].concat();
    let name = utf16(&(user.to_uppercase() + domain));
    let key = hmac(NtHash::of(password).expose(), &[&name]);
    let nt = [hmac(&key, &[&nonce, &rest]), rest].concat();
    type_3(user, domain, &[0; 24], &nt)
}

/// Begins a handshake on a new connection.
pub async fn begin(address: SocketAddr) -> (Wire, [u8; 8]) {
    begin_on(Wire::connect(address).await).await
}

/// The same on an open connection.
pub async fn begin_on(mut wire: Wire) -> (Wire, [u8; 8]) {
    let challenged = send(&mut wire, Some(&format!("NTLM {TYPE_1}")), "").await;
    let nonce = nonce(&challenged);
    (wire, nonce)
}
