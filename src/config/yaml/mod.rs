//! The file as YAML: its text, the tree of its nodes, and how findings about it are reported without showing a secret.

pub(super) mod diagnostics;
pub(super) mod mask;
pub(super) mod node;
pub(super) mod report;
pub(super) mod source;
pub(super) mod spelling;
mod syntax_error;
