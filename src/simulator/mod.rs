//! The embedded stand-in for Microsoft Entra and Business Central online, used by `bcproxy demo` and by the tests.
//!
//! It is as strict as the real services. A test decides what goes wrong, when and how:
//!
//! | module | job |
//! |---|---|
//! | `server` | starting and stopping both services |
//! | `settings`, `breakage` | tenant, application, environment, companies; the one thing that is wrong with them |
//! | `tls`, `listener` | a throw-away certificate authority; accepting, serving and breaking off connections |
//! | `entra` | the token endpoint, its faults, the tokens it issued |
//! | `business_central` | API, OData V4 and SOAP over one database; scripted responses; the log of requests |
//! | `latch`, `times` | when a scripted response continues, and how often a script applies |
//!
//! Its services share no code with the modules that they test. It is compiled with the feature `demo` only.

mod breakage;
mod business_central;
mod entra;
mod latch;
mod listener;
mod lock;
mod server;
mod settings;
mod times;
mod tls;

pub use self::breakage::{Breakage, UnknownBreakage};
pub use self::business_central::{
    BusinessCentral, Framing, MAX_RECORDED_BODY_BYTES, Matcher, Outcome, Received, Script,
};
pub use self::entra::{API_READ_WRITE_ALL, Entra, Fault, FederatedCredential, IDENTITY_HEADER, ManagedIdentityService};
pub use self::latch::Latch;
pub use self::listener::Break;
pub use self::server::Simulator;
pub use self::settings::{CompanySettings, Settings, TenantInLinks, ThrottleLimits};
pub use self::times::Times;
