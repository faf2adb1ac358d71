//! bcproxy as a service of Windows.
//!
//! | file | job |
//! |---|---|
//! | `status` | what the service control manager is told, and the controls it sends |
//! | `reporter` | when it is told, and what a control leads to |
//! | `dispatcher` | the calls of Windows |
//!
//! All but `dispatcher` is also part of the tests on other systems.

#[cfg(windows)]
mod dispatcher;
mod reporter;
mod status;

#[cfg(windows)]
pub use dispatcher::dispatch;

#[cfg(test)]
mod tests;
