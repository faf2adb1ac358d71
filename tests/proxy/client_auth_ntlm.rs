//! Users of NTLM: the proof is checked against the challenge of its own connection.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bcproxy::ntlm::NtHash;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

use crate::rig::{Plan, Rig};
use crate::users::{PASSWORD, write_users};
use crate::wire::{Head, Wire};

async fn start(client_auth: &str) -> Rig {
    let prepared = Plan::default()
        .top(&format!("users: users.txt\nlisten: {{ address: 127.0.0.1:0, client_auth: {client_auth} }}"))
        .prepare()
        .await;
    write_users(prepared.folder.path());
    prepared.start().await
}

const TYPE_1: &str = "TlRMTVNTUAABAAAABoIIAAAAAAAAAAAAAAAAAAAAAAA=";

/// A request on this connection, and the head of its response.
async fn send(wire: &mut Wire, authorization: Option<&str>, body: &str) -> Head {
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
fn type_3(user: &str, domain: &str, lm: &[u8], nt: &[u8]) -> String {
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
fn proof(user: &str, domain: &str, password: &str, nonce: [u8; 8]) -> String {
    let rest = [&[1, 1, 0, 0, 0, 0, 0, 0][..], &[7; 16], &[0; 8]].concat();
    let name = utf16(&(user.to_uppercase() + domain));
    let key = hmac(NtHash::of(password).expose(), &[&name]);
    let nt = [hmac(&key, &[&nonce, &rest]), rest].concat();
    type_3(user, domain, &[0; 24], &nt)
}

/// Begins a handshake on a new connection.
async fn begin(address: SocketAddr) -> (Wire, [u8; 8]) {
    let mut wire = Wire::connect(address).await;
    let challenged = send(&mut wire, Some(&format!("NTLM {TYPE_1}")), "").await;
    let nonce = nonce(&challenged);
    (wire, nonce)
}

#[tokio::test]
async fn a_proof_lets_its_connection_in() {
    let rig = start("[ ntlm, basic ]").await;
    for (user, domain) in [("nora", ""), ("Nora", "BCPROXY"), ("nora", "contoso"), ("nora@contoso.com", "")] {
        let (mut wire, nonce) = begin(rig.address()).await;
        let sent = rig.received().len();
        assert_eq!(
            send(&mut wire, Some(&proof(user, domain, PASSWORD, nonce)), "{\"displayName\":\"a\"}").await.status(),
            201
        );
        // Later requests have no credentials.
        assert_eq!(send(&mut wire, None, "{\"displayName\":\"b\"}").await.status(), 201);
        let received = rig.received();
        assert_eq!(received.len(), sent + 2);
        assert_eq!(
            (&received[sent].body[..], &received[sent + 1].body[..]),
            (&b"{\"displayName\":\"a\"}"[..], &b"{\"displayName\":\"b\"}"[..])
        );
        // Another handshake ends the session.
        let again = send(&mut wire, Some(&format!("NTLM {TYPE_1}")), "").await;
        assert_eq!(again.status(), 401);
        assert_eq!(send(&mut wire, None, "{}").await.status(), 401);
    }
    let mut other = Wire::connect(rig.address()).await;
    let head = send(&mut other, None, "{}").await;
    assert_eq!((head.status().as_u16(), head.all("www-authenticate")), (401, vec!["NTLM", "Basic realm=\"bcproxy\""]));
}

#[tokio::test]
async fn wrong_replayed_and_borrowed_proofs_are_rejected() {
    let rig = start("ntlm").await;
    for (user, password) in [("nora", "wrong"), ("nobody", PASSWORD), ("anna", PASSWORD)] {
        let (mut wire, nonce) = begin(rig.address()).await;
        let head = send(&mut wire, Some(&proof(user, "", password, nonce)), "{}").await;
        assert_eq!((head.status().as_u16(), head.all("www-authenticate")), (401, vec!["NTLM"]), "{user}");
        assert_eq!(send(&mut wire, None, "{}").await.status(), 401);
    }
    let (mut wire, nonce) = begin(rig.address()).await;
    let right = proof("nora", "", PASSWORD, nonce);
    assert_eq!(send(&mut wire, Some(&right), "{\"displayName\":\"a\"}").await.status(), 201);
    // The same proof again, there and on other connections, before and after a challenge of their own.
    assert_eq!(send(&mut wire, Some(&right), "{}").await.status(), 401);
    let mut bare = Wire::connect(rig.address()).await;
    assert_eq!(send(&mut bare, Some(&right), "{}").await.status(), 401);
    let (mut other, another) = begin(rig.address()).await;
    assert_ne!(nonce, another);
    assert_eq!(send(&mut other, Some(&right), "{}").await.status(), 401);
    // A wrong proof uses the challenge up.
    assert_eq!(send(&mut other, Some(&proof("nora", "", PASSWORD, another)), "{}").await.status(), 401);
    assert_eq!(rig.received().len(), 1);
}

#[tokio::test]
async fn old_proofs_and_no_proof_are_rejected_with_the_reason() {
    let rig = start("ntlm").await;
    for (lm, nt) in [(&[1; 24][..], &[2; 24][..]), (&[1; 24], &[])] {
        let (mut wire, _) = begin(rig.address()).await;
        wire.send(format!(
            "GET /api/items HTTP/1.1\r\nHost: erp\r\nAuthorization: {}\r\n\r\n",
            type_3("nora", "", lm, nt)
        ))
        .await;
        let (head, body) = wire.response().await;
        assert_eq!((head.status().as_u16(), head.header("www-authenticate")), (403, None));
        assert!(String::from_utf8(body).unwrap().contains("NTLMv1 or LM"));
    }
    let (mut wire, _) = begin(rig.address()).await;
    assert_eq!(send(&mut wire, Some(&type_3("", "", &[0], &[])), "{}").await.status(), 401);
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn a_client_that_never_ends_a_handshake_is_stopped() {
    let rig = start("ntlm").await;
    let mut wire = Wire::connect(rig.address()).await;
    for _ in 0..16 {
        assert_eq!(send(&mut wire, Some(&format!("NTLM {TYPE_1}")), "").await.status(), 401);
    }
    assert_eq!(send(&mut wire, Some(&format!("NTLM {TYPE_1}")), "").await.status(), 400);
}
