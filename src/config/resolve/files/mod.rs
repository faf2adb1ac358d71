//! Checks of single files that the configuration names.

mod listeners;
mod permissions;

pub use listeners::{check_authority, check_identity};
pub use permissions::{Protection, check_ca_file, check_permissions};
