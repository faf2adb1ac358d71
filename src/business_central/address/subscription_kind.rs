//! The kinds of subscriptions, and the entity sets they are in.

use crate::business_central::odata_segment::ODataSegment;

/// The kind of a subscription, which decides the members that name its company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionKind {
    /// In `subscriptions`: notifies of changes to the address in `resource`.
    Webhook,
    /// In `externaleventsubscriptions`: notifies of an event in the company of `companyName`.
    Event,
}

impl SubscriptionKind {
    /// The members of a subscription that name its company.
    pub fn target_members(self) -> &'static [&'static str] {
        match self {
            Self::Webhook => &["resource"],
            Self::Event => &["companyName", "companyId"],
        }
    }

    /// The kind of the subscriptions in this entity set of an API, if they are any.
    pub(super) fn of_set(set: &ODataSegment<'_>) -> Option<Self> {
        [Self::Webhook, Self::Event].into_iter().find(|kind| set.is_named(kind.entity_set()))
    }

    fn entity_set(self) -> &'static str {
        match self {
            Self::Webhook => "subscriptions",
            Self::Event => "externaleventsubscriptions",
        }
    }
}
