//! NTLM as far as a server must speak it: reads a client's messages, writes the challenge ([MS-NLMP]; RFC 4559 for HTTP, RFC 4178 for SPNEGO).
//!
//! Programs written for on-premises servers begin with a handshake and keep their request's body back until it is answered. So it is
//! answered; what a client then proves is not checked. Pure: no I/O, and nothing is remembered between two messages.

mod challenge;
mod message;

pub use challenge::{ACCEPT_COMPLETED, challenge};
pub use message::{Message, MessageError, Wrapping};

/// The first bytes of every message ([MS-NLMP], section 2.2.1).
const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
