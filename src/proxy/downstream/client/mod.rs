//! One client's connection, from the accepted socket up to what hyper reads.
//!
//! ```text
//! socket → (secured →) request_stream → hyper
//! ```
//!
//! hyper treats every end of a stream alike, and rejects silently what it can't parse. Old clients need more. One that
//! closes its sending half
//! only means "done sending". A response that broke off must not end like a complete one. A client that left reads no
//! long report.
//! A request line of 2009 contains spaces. The streams tell these cases apart, and [`ClientConnection`] tells the
//! steps.

mod chunked_end;
mod connection;
mod head;
mod look_ahead;
pub mod min_rate;
mod raw_response;
mod readable;
mod request_line;
mod request_stream;
mod socket;
mod stall;
mod tls_socket;
pub mod unparsable;
mod write_backlog;

pub use connection::ClientConnection;
pub use raw_response::raw_response;
pub use readable::Readable;
pub use request_stream::RequestStream;
pub use socket::Socket;
pub use stall::{CONTENDED_IDLE, Contended, Stall};
pub use tls_socket::{TlsAcceptError, TlsSocket};
