//! Users of NTLM: the proof is checked against the challenge of its own connection.

use crate::ntlm_client::{TYPE_1, begin, proof, send, type_3};
use crate::rig::{Plan, Rig};
use crate::users::{PASSWORD, write_users};
use crate::wire::Wire;

async fn start(client_auth: &str) -> Rig {
    let prepared = Plan::default()
        .top(&format!("users: users.txt\nlisten: {{ address: 127.0.0.1:0, client_auth: {client_auth} }}"))
        .prepare()
        .await;
    write_users(prepared.folder.path());
    prepared.start().await
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
