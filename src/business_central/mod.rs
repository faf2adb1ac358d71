//! What Business Central is: its names, its address grammar, its companies, its error envelopes.

mod names;
mod surface;

pub use names::{CompanyId, CompanyName, CompanyRef, EnvironmentName, NameError};
pub use surface::{ApiPath, Surface, SurfaceError};

/// The origin of Business Central online in the global cloud (BC, "Endpoints for the APIs").
pub const PUBLIC_BASE_URL: &str = "https://api.businesscentral.dynamics.com";
