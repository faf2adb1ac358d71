//! What bcproxy prints about itself, for editors, shells and packagers.
//!
//! | file | job |
//! |---|---|
//! | `completions` | the completions of a shell |
//! | `man` | the man pages |
//! | `schema` | the JSON Schema and the reference of `proxy.yaml` |

mod completions;
mod man;
mod schema;

pub use completions::completions;
pub use man::man;
pub use schema::schema;
