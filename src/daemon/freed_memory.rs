//! Memory that was freed goes back to the system.

use std::thread;
use std::time::Duration;

/// How often freed memory is returned.
pub const INTERVAL: Duration = Duration::from_secs(10);

/// Returns memory that was freed a second ago or earlier.
///
/// The allocator does so while threads allocate, and when one ends. After a burst, nothing of it may happen for hours:
/// 10,000 idle connections would occupy twice the memory that they need. So a thread begins and ends.
pub fn return_to_system() {
    // Its result is there so that it has used the allocator. If it can't be started, there will be another attempt.
    let _ = thread::Builder::new().name("memory".to_owned()).spawn(|| Box::new(0_u8));
}
