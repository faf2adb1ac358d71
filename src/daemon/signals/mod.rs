//! Signals of the operating system.

mod signal;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub use signal::Signal;
#[cfg(unix)]
pub use unix::Signals;
#[cfg(windows)]
pub use windows::Signals;
