//! What happens to a request before it is sent: may it come in, where does it lead, which company is it about.

pub mod admission;
pub mod authenticate;
pub mod authorize;
pub mod browser;
pub mod company_choice;
pub mod draft;
pub mod guard;
pub mod inspect;
pub mod no_route;
pub mod odata_v3;
pub mod read_only;
pub mod route;
pub mod target;
pub mod thread_pool;
