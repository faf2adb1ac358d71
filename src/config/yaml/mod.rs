//! The file as YAML: its text, the tree of its nodes, and how findings about it are reported without showing a secret.

mod curly_quotes;
mod diagnostics;
pub mod mask;
mod masked_text;
pub mod node;
mod report;
mod source;
mod spelling;
mod syntax_error;

pub use diagnostics::{Diagnostic, Diagnostics, Severity};
pub use mask::looks_like_a_secret;
pub use masked_text::masked_text;
pub use node::{Node, Tree, Value};
pub use report::Report;
pub use source::{Position, Source, Span};
pub use spelling::closest_match;
