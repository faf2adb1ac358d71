//! What a request asks for at Business Central.

use std::sync::Arc;

use super::company_choice::Companies;
use crate::business_central::address::Resource;
use crate::proxy::environment::route::Route;

/// What a request asks for, once its company is known.
#[derive(Debug)]
pub struct Target {
    /// The route it takes.
    pub route: Arc<Route>,
    /// What it asks for.
    pub resource: Resource,
    /// The companies it is about.
    pub companies: Companies,
}
