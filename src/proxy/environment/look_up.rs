//! What only Business Central can say.

use std::sync::Arc;

use crate::business_central::address::{Resource, SubscriptionKind};
use crate::business_central::{Company, CompanyRef};
use crate::proxy::rejection::Rejection;

/// Answers what the configuration leaves open. The route does, and `explain`'s assumptions do.
pub trait LookUp: Sync {
    /// The company that is meant; `resource` is what is asked for in it.
    fn company(
        &self,
        wanted: &CompanyRef,
        resource: &Resource,
    ) -> impl Future<Output = Result<Arc<Company>, Rejection>> + Send;

    /// Whether OData has an unbound action of this name.
    fn has_action(&self, name: &str) -> impl Future<Output = Result<bool, Rejection>> + Send;

    /// Whether the subscription at this address, in this company, is about one of `companies`; also when it does not
    /// exist.
    fn is_subscribed_in(
        &self,
        subscription: SubscriptionKind,
        at: &Resource,
        company: Option<&Company>,
        companies: &[Arc<Company>],
    ) -> impl Future<Output = Result<bool, Rejection>> + Send;
}
