//! The client secret that somebody types.
//!
//! | file | job |
//! |---|---|
//! | `input` | its length, and the day on which it expires |
//! | `target` | where it is stored: in a file, or in the store of Windows |

mod input;
mod target;

pub use input::{ExpiryDay, too_short};
pub use target::{Platform, SecretTarget};
