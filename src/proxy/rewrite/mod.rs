//! Rewrites the links in response bodies to local ones.
//!
//! ```text
//! piece → scan (json, batch, xml) → pending_link → escape → link_map → escape → output
//!         could a link start here?  is it one?     decode   local URL  encode
//! ```
//!
//! Data is never changed: a scanner reports only values that the service itself fills with links. Bodies arrive in
//! pieces that may be cut anywhere. At most one incomplete link is buffered.

mod enclosure;
mod escape;
mod escape_sequence;
mod link_map;
mod output;
mod pending_link;
mod replacement;
mod rewriter;
mod scan;

pub use link_map::{KnownPrefix, Link, LinkMap};
pub use output::Output;
pub use rewriter::Rewriter;
pub use scan::Document;
