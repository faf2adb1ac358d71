//! Looking at what a TLS session has received, without taking it from the reader.

use std::fmt;

use tokio::net::TcpStream;

/// What a session has received and nobody has read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookahead {
    /// Plaintext.
    Bytes,
    /// Nothing yet.
    Nothing,
    /// The client has closed its side, or the session is broken.
    End,
}

/// A TLS session whose received data can be looked at.
pub trait LookAhead: fmt::Debug + Send + Sync {
    /// Takes in what has arrived at the socket, without waiting and without taking it from the reader.
    fn look_ahead(&self, socket: &TcpStream) -> Lookahead;
}
