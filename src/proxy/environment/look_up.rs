//! What only Business Central can say: the steps ask whoever can find it out.

use std::sync::Arc;

use crate::business_central::address::{Resource, Subscription};
use crate::business_central::{Company, CompanyRef};
use crate::proxy::rejection::Refusal;
use crate::proxy::request::company_choice::Companies;

/// Answers what the configuration leaves open.
pub trait LookUp: Sync {
    /// The company meant; `resource` is what is asked for in it.
    fn company(
        &self,
        wanted: &CompanyRef,
        resource: &Resource,
    ) -> impl Future<Output = Result<Arc<Company>, Refusal>> + Send;

    /// Whether OData knows an unbound action of this name.
    fn has_action(&self, name: &str) -> impl Future<Output = Result<bool, Refusal>> + Send;

    /// Whether the subscription at this address is about one of these companies. One that does not exist is nobody else's.
    fn is_subscribed_in(
        &self,
        subscription: Subscription,
        at: &Resource,
        companies: &Companies,
    ) -> impl Future<Output = Result<bool, Refusal>> + Send;
}
