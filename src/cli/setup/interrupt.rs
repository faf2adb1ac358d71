//! Ctrl-C during the set-up.

use tokio::runtime::Runtime;

/// Makes Ctrl-C end the process with exit code 1, and a word on what was written.
pub fn exit_on_ctrl_c(runtime: &Runtime) {
    runtime.spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            eprintln!("\nStopped. Nothing was written.");
            std::process::exit(1)
        }
    });
}
