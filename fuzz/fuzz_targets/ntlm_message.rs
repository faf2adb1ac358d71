//! Whatever stands in an `Authorization` header is read or rejected, and proves no password that nobody sent.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bcproxy::ntlm::{Authenticate, Message, NtHash};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|token: &[u8]| {
    check(token);
    // The fuzzer would hardly ever write base64 of its own accord.
    check(STANDARD_NO_PAD.encode(token).as_bytes());
});

fn check(token: &[u8]) {
    let message = Message::parse(token);
    let proof = Authenticate::parse(token);
    assert_eq!(proof.is_some(), matches!(message, Ok(Message::Authenticate(_))), "two readers of one message");
    if let Some(proof) = proof {
        let _ = proof.version();
        assert!(!NtHash::new([7; 16]).is_proven_by(&proof, [1; 8]));
    }
}
