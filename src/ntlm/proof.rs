//! The client's proof that it knows the password: NTLMv2 ([MS-NLMP], section 3.3.2).

use hmac::{Hmac, KeyInit, Mac};
use md4::{Digest, Md4};
use md5::Md5;
use zeroize::Zeroizing;

use super::challenge::utf16;
use super::message::{Authenticate, ProofVersion};

/// The MD4 hash of a password in UTF-16. Whoever has it can sign in like someone who knows the password.
#[derive(Clone)]
pub struct NtHash(Zeroizing<[u8; 16]>);

impl NtHash {
    /// The hash of a password ([MS-NLMP], NTOWFv1).
    pub fn of(password: &str) -> Self {
        // Allocated in full: growing would leave copies behind.
        let mut utf16 = Zeroizing::new(Vec::with_capacity(password.len() * 2));
        utf16.extend(password.encode_utf16().flat_map(u16::to_le_bytes));
        Self(Zeroizing::new(Md4::digest(&utf16).into()))
    }

    /// A hash that was stored.
    pub fn new(hash: [u8; 16]) -> Self {
        Self(Zeroizing::new(hash))
    }

    /// The hash, to be stored.
    pub fn expose(&self) -> &[u8; 16] {
        &self.0
    }

    /// Whether a client's type 3 message proves that it knows the password, in response to this challenge.
    ///
    /// Clients disagree on the domain that belongs to the proof: as they send it, in upper case, or none.
    pub fn is_proven_by(&self, message: &Authenticate, challenge: [u8; 8]) -> bool {
        let ProofVersion::V2 = message.version() else { return false };
        let Some((proof, rest)) = message.nt_response.split_first_chunk::<16>() else { return false };
        let user = upper_case(&message.user);
        let domains = [message.domain.as_str(), &upper_case(&message.domain), ""];
        domains.into_iter().any(|domain| {
            let key = hmac(self.0.as_slice(), &[&utf16(&user), &utf16(domain)]).finalize().into_bytes();
            hmac(&key, &[&challenge, rest]).verify_slice(proof).is_ok()
        })
    }
}

impl std::fmt::Debug for NtHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NtHash(…)")
    }
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Hmac<Md5> {
    // Every length of key is valid: this takes the array of MD5's block instead, which can't fail.
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = Hmac::<Md5>::new(&block.into());
    parts.iter().for_each(|part| mac.update(part));
    mac
}

/// In upper case as Windows does it: one character for one.
fn upper_case(text: &str) -> String {
    let upper = |character: char| {
        let mut upper = character.to_uppercase();
        upper.next().filter(|_| upper.len() == 0).unwrap_or(character)
    };
    text.chars().map(upper).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of [MS-NLMP], section 4.2.4.
    const CHALLENGE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];

    fn example() -> Authenticate {
        let pair = |id: u16, value: &[u8]| [&id.to_le_bytes(), &(value.len() as u16).to_le_bytes(), value].concat();
        let proof = [0x68, 0xcd, 0x0a, 0xb8, 0x51, 0xe5, 0x1c, 0x96, 0xaa, 0xbc, 0x92, 0x7b, 0xeb, 0xef, 0x6a, 0x1c];
        let rest = [
            &[1, 1, 0, 0, 0, 0, 0, 0][..],
            &[0; 8],
            &[0xaa; 8],
            &[0; 4],
            &pair(2, &utf16("Domain")),
            &pair(1, &utf16("Server")),
            &[0; 8],
        ]
        .concat();
        Authenticate {
            lm_response: vec![0; 24],
            nt_response: [&proof[..], &rest].concat(),
            domain: "Domain".to_owned(),
            user: "User".to_owned(),
        }
    }

    #[test]
    fn the_hash_is_that_of_the_specification() {
        let hash = NtHash::of("Password");
        assert_eq!(hash.0[..4], [0xa4, 0xf4, 0x9c, 0x40]);
        assert_eq!(format!("{hash:?}"), "NtHash(…)");
    }

    #[test]
    fn a_proof_holds_for_its_password_its_challenge_and_its_user_only() {
        let (hash, message) = (NtHash::of("Password"), example());
        assert!(hash.is_proven_by(&message, CHALLENGE));
        assert!(!NtHash::of("password").is_proven_by(&message, CHALLENGE));
        assert!(!hash.is_proven_by(&message, [0; 8]));
        let other = Authenticate { user: "Users".to_owned(), ..example() };
        assert!(!hash.is_proven_by(&other, CHALLENGE));
        let upper = Authenticate { user: "uSER".to_owned(), ..example() };
        assert!(hash.is_proven_by(&upper, CHALLENGE));
        for at in 0..message.nt_response.len() {
            let mut changed = example();
            changed.nt_response[at] ^= 1;
            assert!(!hash.is_proven_by(&changed, CHALLENGE), "{at}");
        }
    }

    #[test]
    fn nothing_else_is_a_proof() {
        let hash = NtHash::of("");
        for length in [0, 15, 16, 24] {
            let message = Authenticate { nt_response: vec![0; length], ..example() };
            assert!(!hash.is_proven_by(&message, CHALLENGE), "{length}");
        }
    }

    #[test]
    fn upper_case_is_one_character_for_one() {
        assert_eq!(upper_case("müller-Ößß.ŉ"), "MÜLLER-Ößß.ŉ".replace('ö', "Ö"));
    }
}
