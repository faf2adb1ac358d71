//! The shared store, and how a replica signs in to it.

use super::connectors::secret_variables;
use super::files::check_ca_file;
use super::references::{Variables, check_secret_source};
use crate::config::model::{MAX_STORE_TIMEOUT, SharedLimits};
use crate::config::shape::At;
use crate::config::vocabulary::{SharedLimitsKeys, TopLevelKeys};
use crate::config::yaml::Report;

/// Checks every variable and file that the keys of the shared store name.
pub fn check_shared_store(file: &TopLevelKeys, variables: Variables, report: &mut Report) {
    let Some(At { value: keys, .. }) = &file.shared_limits else { return };
    if let Some(source) = keys.password_source() {
        check_secret_source(source, "password", variables, report);
    }
    check_ca_file(keys.ca_file.as_ref(), report);
}

/// Builds the settings of the shared store. `None` if a key is missing or wrong.
pub fn shared_limits(file: &TopLevelKeys, report: &mut Report) -> Option<Option<SharedLimits>> {
    let Some(At { value: keys, .. }) = &file.shared_limits else { return Some(None) };
    check_login(keys, report);
    let url = &keys.url.as_ref()?.value;
    if let Some(At { label, .. }) = &keys.ca_file
        && !url.is_tls()
    {
        report.error(
            *label,
            "this has no effect: the connection to the shared store does not use TLS",
            "use a rediss:// address as `url`, or remove `ca_file`",
        );
    }
    let timeout = keys.timeout.as_ref()?;
    if timeout.value > MAX_STORE_TIMEOUT {
        report.error(
            timeout.span,
            "requests would wait this long for the shared store",
            "choose at most 2s; 50ms suffices within a data center",
        );
    }
    let password = match &keys.password {
        Some(key) => Some(key.value.0.as_ref()?.value.clone().hiding(&secret_variables(file))),
        None => None,
    };
    Some(Some(SharedLimits {
        url: url.clone(),
        user: keys.user.as_ref().map(|user| user.value.0.clone()),
        password,
        ca_file: keys.ca_file.as_ref().map(|path| path.value.clone()),
        prefix: keys.prefix.as_ref()?.value.0.clone(),
        timeout: timeout.value,
    }))
}

/// Reports a user without a password, and a password that others on the network could read.
fn check_login(keys: &SharedLimitsKeys, report: &mut Report) {
    if let (Some(At { label, .. }), None) = (&keys.user, &keys.password) {
        report.error(
            *label,
            "this user of the shared store has no password",
            "add `password: { env: REDIS_PASSWORD }`, or remove `user`",
        );
    }
    if let (Some(At { value: url, .. }), Some(At { label, .. })) = (&keys.url, &keys.password)
        && !url.is_tls()
        && !url.is_local()
    {
        report.error(
            *label,
            "this password would be sent unencrypted to another machine",
            "use a rediss:// address as `url`, or remove `password`",
        );
    }
}
