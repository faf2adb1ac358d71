//! Errors about the tenant and the app registration.

use super::entry::{Entry, after_fix, after_propagation};
use crate::guide::Step::{Application, Tenant};

pub(super) const ENTRIES: &[Entry] = &[
    after_fix(
        &[90002],
        Tenant,
        "The tenant does not exist",
        "Compare `tenant_id` with the Directory (tenant) ID on the app registration's Overview page. \
         For a national cloud, also set `authority`.",
    ),
    after_fix(
        &[900023, 90019, 50059, 50128],
        Tenant,
        "Entra does not recognize `tenant_id` as a tenant",
        "Set it to the GUID shown as Directory (tenant) ID on the app registration's Overview page.",
    ),
    after_fix(
        &[9001023, 90124, 90130, 50194],
        Tenant,
        "`tenant_id` names an endpoint that many tenants share, such as `common`",
        "Set it to the GUID shown as Directory (tenant) ID on the app registration's Overview page.",
    ),
    after_fix(
        &[90038, 900382, 900432, 50049, 90051],
        Tenant,
        "The tenant belongs to another national cloud",
        "Set `authority` to that cloud's login address. \
         Set `base_url` and `scope` to the addresses of its Business Central.",
    ),
    after_propagation(
        &[700016, 700011],
        Application,
        "The app does not exist in this tenant",
        "On the app registration's Overview page, compare `client_id` with the Application (client) ID, not the \
         Object ID. Compare `tenant_id` with the Directory (tenant) ID. \
         If the app is registered in another tenant, have an administrator of this tenant consent to it.",
    ),
    after_fix(
        &[7000112, 70001, 1000031],
        Application,
        "The app is disabled",
        "In Entra, open Enterprise applications → the app → Properties. \
         Set \"Enabled for users to sign in\" to Yes.",
    ),
    after_fix(
        &[700025],
        Application,
        "The app is registered as a public client",
        "In Entra, open App registrations → the app → Authentication. \
         Turn off \"Allow public client flows\" and use the platform Web.",
    ),
];
