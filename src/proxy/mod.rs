//! The data path: one room for each stretch of a request's path, and what the rooms share.

mod body;
mod cache;
mod dispatch;
mod downstream;
mod environment;
mod exchange;
pub mod explain;
mod headers;
mod observe;
mod rejection;
mod request;
mod response;
pub mod rewrite;
mod server;
mod service;
mod snapshot;
mod step;
mod timer;

pub use dispatch::limiter::{Business, Gate};
pub use downstream::bind::{BindError, DoorError, LocalAddress, bind};
pub use downstream::connection_limit::Places;
pub use downstream::listeners::HeldSockets;
pub use environment::application_pool::Member;
pub use environment::assembly::AssemblyError;
pub use environment::connector::{Condition, Destination, Ready, Route};
pub use environment::route_table::RouteTable;
pub use exchange::Exchange;
pub use observe::access_log::Outcome;
pub use observe::problems::{Problem, Problems};
pub use observe::tally::{Counts, Tally, Times};
pub use rejection::Refusal;
pub use request::guard::Guard;
pub use server::{Proxy, StartError, View};
