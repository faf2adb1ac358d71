//! Errors about the tenant and the app registration.

use super::entry::Entry;
use crate::guide::KnownError;
use crate::guide::Retry::{AfterFix, AfterPropagation};
use crate::guide::Step::{Application, Tenant};

pub(super) const ENTRIES: &[Entry] = &[
    (
        &[90002],
        KnownError::at(
            Tenant,
            AfterFix,
            "The tenant does not exist",
            "Compare `tenant_id` with the Directory (tenant) ID on the app registration's Overview page. \
             For a national cloud, also set `authority`.",
        ),
    ),
    (
        &[900023, 90019, 50059, 50128],
        KnownError::at(
            Tenant,
            AfterFix,
            "Entra does not recognize `tenant_id` as a tenant",
            "Set it to the GUID shown as Directory (tenant) ID on the app registration's Overview page.",
        ),
    ),
    (
        &[9001023, 90124, 90130, 50194],
        KnownError::at(
            Tenant,
            AfterFix,
            "`tenant_id` names an endpoint that many tenants share, such as `common`",
            "Set it to the GUID shown as Directory (tenant) ID on the app registration's Overview page.",
        ),
    ),
    (
        &[90038, 900382, 900432, 50049, 90051],
        KnownError::at(
            Tenant,
            AfterFix,
            "The tenant belongs to another national cloud",
            "Set `authority` to that cloud's login address. \
             Set `base_url` and `scope` to the addresses of its Business Central.",
        ),
    ),
    (
        &[700016, 700011],
        KnownError::at(
            Application,
            AfterPropagation,
            "The app does not exist in this tenant",
            "On the app registration's Overview page, compare `client_id` with the Application (client) ID, not the \
             Object ID. Compare `tenant_id` with the Directory (tenant) ID. \
             If the app is registered in another tenant, have an administrator of this tenant consent to it.",
        ),
    ),
    (
        &[7000112, 70001, 1000031],
        KnownError::at(
            Application,
            AfterFix,
            "The app is disabled",
            "In Entra, open Enterprise applications → the app → Properties. \
             Set \"Enabled for users to sign in\" to Yes.",
        ),
    ),
    (
        &[700025],
        KnownError::at(
            Application,
            AfterFix,
            "The app is registered as a public client",
            "In Entra, open App registrations → the app → Authentication. \
             Turn off \"Allow public client flows\" and use the platform Web.",
        ),
    ),
];
