//! Reads JSON (RFC 8259) from its beginning to its end, value by value, and copies nothing.
//!
//! What readers understand differently is an error: half of a surrogate pair, for instance. The size of numbers and
//! equal names are the caller's concern.

mod cursor;
mod error;
mod read;
mod string;

pub use error::JsonError;
pub use read::{JsonVisitor, read_json};
pub use string::JsonString;
