//! The checks of the set-up against the live services, in the order of the guide. `bcproxy doctor` runs them all;
//! `bcproxy setup` tests each setting as it is entered.
//!
//! | file | steps |
//! |---|---|
//! | `network`, `certificate` | name look-up, connection, TLS |
//! | `clock` | clock |
//! | `entra`, `consent` | tenant, application, credential, policies, subscription, consent |
//! | `business_central` | environment, card, permission sets, company, routes |
//!
//! `shared_store` checks what is no step of the guide: the Redis or Valkey server by which replicas share limits.
//!
//! The checks change nothing: all requests to Business Central are GETs.

mod business_central;
mod certificate;
mod clock;
mod consent;
mod entra;
mod examine;
mod findings;
mod network;
mod shared_store;
mod text;

pub use business_central::{find_company, list_companies, may_read};
pub use entra::{SignedIn, application_known, sign_in, tenant};
pub use examine::{examine, unusable};
pub use findings::{Event, Finding, Findings, Wrong, not_checked};
pub use network::network;
pub use shared_store::{StoreFinding, StoreProblem, examine_store, store_is_fine, store_line, unchecked_store_line};
pub use text::{are_fine, line, unchecked_line};
