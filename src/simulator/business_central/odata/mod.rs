//! OData: the APIs and the OData V4 web services.
//!
//! `dispatch` answers a request to a service: `batch` for `$batch`, `router` for everything else.

mod batch;
mod batch_format;
mod dispatch;
mod entity_set;
mod filter;
mod media;
mod metadata;
mod operations;
mod query;
mod representation;
mod router;
mod service;
mod unbound_action;
mod webhooks;

pub(super) use self::dispatch::respond;
pub(super) use self::service::find;
pub(super) use self::webhooks::is_valid;
