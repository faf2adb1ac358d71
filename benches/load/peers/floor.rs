//! The floor: [`crate::floor`] in a process of its own, which is this executable once more.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{api_prefix, soap_prefix};
use crate::upstream::{LINKS, Upstream};

/// The first argument that makes this executable the floor.
pub const AS_FLOOR: &str = "--as-floor";

pub(super) fn command(binary: &Path, address: SocketAddr, upstream: &Upstream, folder: &Path) -> Command {
    let mut command = Command::new(binary);
    command.arg(AS_FLOOR).arg(address.to_string()).arg(upstream.address.to_string()).arg(folder.join("ca.pem"));
    command.args([upstream.authorization(), LINKS, &api_prefix(), &soap_prefix()]);
    command
}
