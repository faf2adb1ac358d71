//! All known AADSTS codes.

use super::{access, credential, identity, request, temporary};
use crate::guide::KnownError;

/// The meaning of an AADSTS code, if it is one that an application without a user is known to get.
pub fn aadsts(code: u32) -> Option<&'static KnownError> {
    all().find(|(codes, _)| codes.contains(&code)).map(|(_, error)| error)
}

/// All codes and what they mean.
pub fn all() -> impl Iterator<Item = (&'static [u32], &'static KnownError)> {
    let kinds = [identity::ENTRIES, credential::ENTRIES, access::ENTRIES, request::ENTRIES, temporary::ENTRIES];
    kinds.into_iter().flatten().map(|(codes, error)| (*codes, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_meaning() {
        let mut codes: Vec<u32> = all().flat_map(|(codes, _)| codes.iter().copied()).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }

    #[test]
    fn a_wrong_secret_needs_a_fix_and_a_busy_service_does_not() {
        let wrong_secret = aadsts(7000215).unwrap();
        assert!(wrong_secret.needs_setup());
        assert!(wrong_secret.to_string().ends_with("See step 8 of the set-up guide (Credential): `bcproxy guide 8`."));
        assert!(wrong_secret.fix.contains("not its Secret ID"));
        assert!(!aadsts(90033).unwrap().needs_setup());
        assert_eq!(aadsts(1), None);
    }
}
