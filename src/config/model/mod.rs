//! The configuration as the rest of bcproxy sees it, in types that hold only valid values.

pub(super) mod allow_from;
pub(super) mod config;
pub(super) mod connector;
pub(super) mod duration;
pub(super) mod header_rules;
pub(super) mod host_name;
pub(super) mod limits;
pub(super) mod listener;
pub(super) mod public_url;
pub(super) mod route;
pub(super) mod route_path;
