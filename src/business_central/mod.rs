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
mod odata_segment;
mod path;
mod response_ids;
pub mod soap;
pub mod subscriptions;
mod surface;

pub use companies::{Company, join_names};
pub use error_envelope::{Dialect, error_code};
pub use members::Members;
pub use names::{CompanyId, CompanyName, CompanyRef, EnvironmentName, NameError};
pub use path::{PathError, SafePath, encode_segment};
pub use response_ids::{CLIENT_REQUEST_ID, ResponseIds, identifier};
pub use surface::{ApiPath, Surface, SurfaceError};

/// The origin of Business Central online in the global cloud (BC, "Endpoints for the APIs").
pub const PUBLIC_BASE_URL: &str = "https://api.businesscentral.dynamics.com";

/// The largest request body that Business Central accepts, in bytes: 350 MB.
///
/// Source: Business Central, "Operational limits", OData and API requests.
pub const MAX_BODY_BYTES: u64 = 350 << 20;

/// The largest SOAP request that Business Central accepts, in bytes: 65,536 KB.
///
/// Source: Business Central, "Operational limits", SOAP requests.
pub const MAX_SOAP_BODY_BYTES: u64 = 64 << 20;
