//! The signature of NTLM messages.

/// The first bytes of every message ([MS-NLMP], section 2.2.1).
pub const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
