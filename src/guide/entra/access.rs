//! Errors about what the application is allowed to do: policies, the subscription, consent.

use super::entry::{Entry, after_fix, after_propagation};
use crate::guide::Step::{Consent, Policy, Subscription};

pub(super) const ENTRIES: &[Entry] = &[
    after_fix(
        &[53003, 530032, 530035, 53011, 50131],
        Policy,
        "A Conditional Access policy blocks this machine",
        "Ask the administrator of Conditional Access in Entra to check the policies for workload identities. \
         They can exclude the app or allow this machine's public IP address.",
    ),
    after_fix(
        &[500021, 500022, 50002],
        Policy,
        "This network restricts which tenants can be used",
        "Ask the administrator of the outbound web proxy to allow the tenant.",
    ),
    after_fix(
        &[500011, 50001],
        Subscription,
        "The tenant has no Business Central",
        "Check `tenant_id`. Check that Business Central is active in this tenant \
         (Microsoft 365 admin center → Billing). Remove `scope`, which is rarely needed.",
    ),
    after_fix(
        &[650052],
        Subscription,
        "The organization has no subscription for Business Central",
        "Buy it or activate it in this tenant (Microsoft 365 admin center → Billing).",
    ),
    after_fix(
        &[650056, 650057, 65005],
        Consent,
        "The app lacks the API permission",
        "In Entra, open App registrations → the app → API permissions. \
         Add Dynamics 365 Business Central → Application permissions → API.ReadWrite.All. \
         Then click Grant admin consent.",
    ),
    after_propagation(
        &[65001, 90094],
        Consent,
        "Admin consent is missing",
        "In Entra, open App registrations → the app → API permissions. \
         Have an administrator click Grant admin consent.",
    ),
    after_fix(
        &[501051, 50105],
        Consent,
        "The app is not assigned to a role although assignment is required",
        "In Entra, open App registrations → the app → API permissions. Click Grant admin consent.",
    ),
    after_fix(
        &[90099],
        Consent,
        "The app is not authorized in this customer's tenant",
        "Have an administrator of the customer open the admin consent link that `bcproxy doctor` prints.",
    ),
];
