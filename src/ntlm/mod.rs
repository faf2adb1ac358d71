//! The server's side of NTLM: parses a client's messages and builds the challenge.
//!
//! Legacy programs written for on-premises servers start with a handshake, and withhold the body of their request until
//! it ends. Where `client_auth` asks for it, the client's proof is checked; elsewhere any proof ends the handshake. The
//! code does no I/O and has no state.
//!
//! Sources: [MS-NLMP]; RFC 4559 (HTTP); RFC 4178 (SPNEGO).

mod challenge;
mod message;
mod proof;

pub use challenge::{ACCEPT_COMPLETED, challenge};
pub use message::{Authenticate, BASE64, Message, MessageError, ProofVersion, Wrapping};
pub use proof::NtHash;
