//! Business Central's side of the proxy: names, the address grammar, companies, subscriptions and error formats.

pub mod address;
pub mod batch;
pub mod body_addresses;
pub mod companies;
mod error_envelope;
pub mod lookup;
mod members;
pub mod metadata;
mod names;
mod path;
pub mod soap;
pub mod subscriptions;
mod surface;

pub use companies::{Company, join_names};
pub use error_envelope::{Dialect, error_code};
pub use members::Members;
pub use names::{CompanyId, CompanyName, CompanyRef, EnvironmentName, NameError};
pub use path::{PathError, SafePath, encode_segment};
pub use surface::{ApiPath, Surface, SurfaceError};

/// The origin of Business Central online in the global cloud (BC, "Endpoints for the APIs").
pub const PUBLIC_BASE_URL: &str = "https://api.businesscentral.dynamics.com";
