//! Whatever stands in an `Authorization` header is read or refused.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bcproxy::ntlm::Message;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|token: &[u8]| {
    let _ = Message::parse(token);
    // The fuzzer would hardly ever write base64 of its own accord.
    let _ = Message::parse(STANDARD_NO_PAD.encode(token).as_bytes());
});
