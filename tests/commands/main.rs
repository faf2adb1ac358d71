//! The commands as an administrator types them: exit codes, what is printed, what is logged.

#[path = "../common/process.rs"]
mod process;
#[path = "../common/rig.rs"]
mod rig;
#[cfg(unix)]
#[path = "../common/terminal.rs"]
mod terminal;

mod check;
// On Windows, the demo prints commands of PowerShell; `.ci/demo` tries those.
#[cfg(unix)]
mod demo;
#[cfg(unix)]
mod on_a_terminal;
mod service;
mod shared_store;
mod texts;

use std::path::Path;

use process::{Ended, Process};
use tempfile::TempDir;

/// A file without mistakes; its secret is where it says, its services are not.
const FINE: &str = "\
listen: 127.0.0.1:0
admin: off
connectors:
  cronus:
    tenant_id: contoso.onmicrosoft.com
    client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
    client_secret: { file: secret.txt }
    company: CRONUS International Ltd.
    authority: https://localhost:9
    base_url: https://localhost:9
";

/// A folder with a proxy.yaml and a secret.txt, which nobody else reaches.
fn folder(text: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(folder.path().join("proxy.yaml"), text).unwrap();
    std::fs::write(folder.path().join("secret.txt"), "secret~value").unwrap();
    folder
}

async fn command(folder: &Path, arguments: &[&str]) -> Ended {
    Process::start(arguments, folder).end().await
}
