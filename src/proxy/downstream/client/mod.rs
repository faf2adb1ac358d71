//! One client's connection, from the accepted socket up to what hyper reads.
//!
//! ```text
//! socket → (secured →) request_stream → hyper
//! ```
//!
//! hyper treats every end of a stream alike, and refuses in silence what it can't read. A legacy client that closes its sending half only
//! means "done sending", an answer that broke off must not end like a complete one, a client that left is no reader of a long report, and
//! a request line of 2009 holds spaces: the streams know which is which, and [`ClientConnection`] tells the steps.

mod connection;
mod head;
mod look_ahead;
pub mod min_rate;
pub mod offline;
mod raw_answer;
mod readable;
mod request_line;
mod request_stream;
mod secured;
mod socket;
mod unreadable;
mod write_backlog;

pub use connection::{ClientConnection, Contended, PATIENCE_OF_OTHERS, Stall};
pub use raw_answer::raw_answer;
pub use readable::Readable;
pub use request_stream::RequestStream;
pub use secured::SecuredSocket;
pub use socket::Socket;
pub use write_backlog::BacklogBudget;
