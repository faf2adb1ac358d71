//! The admin listener: its addresses, and what they require.

use std::net::SocketAddr;

use super::connectors::secret_variables;
use super::listeners::{addresses_conflict, check_listed, written};
use super::routes::networks;
use crate::config::model::{Admin, AdminScope, Listener, TlsFiles};
use crate::config::shape::{At, OrOff};
use crate::config::vocabulary::{AdminKeys, AdminListenerKeys, AdminTokenKey, TopLevelKeys};
use crate::config::yaml::Report;

/// Builds the admin listener of a file. `None`: it is invalid. `Some(None)`: it is off.
pub fn admin(file: &TopLevelKeys, report: &mut Report) -> Option<Option<Admin>> {
    let OrOff::On(keys) = &file.admin.as_ref()?.value else { return Some(None) };
    let mut seen: Vec<&At<SocketAddr>> = Vec::new();
    let mut listen = Vec::new();
    for item in &keys.listen.as_ref()?.value.0 {
        let address = item.value.address.as_ref()?;
        check_listed(address, &seen, report);
        check_clients_listeners(file, address, report);
        seen.push(address);
        let listener = listener(address.value, &item.value)?;
        check_access(keys, address, AdminScope::of(&listener), report);
        listen.push(listener);
    }
    if listen.is_empty() {
        return None;
    }
    if let Some(unused) = keys.allow_from.as_ref().filter(|_| listen.iter().all(Listener::is_on_loopback)) {
        report.warning(
            unused.label,
            "this has no effect: the admin listener uses loopback addresses only",
            "remove it, or add an address that others can reach to `listen`",
        );
    }
    let token = match &keys.token {
        Some(At { value: AdminTokenKey(source), .. }) => Some(source.as_ref()?.value.clone()),
        None => None,
    };
    Some(Some(Admin {
        token: token.map(|source| source.hiding(&secret_variables(file))),
        allow_from: networks(keys.allow_from.as_ref()),
        hosts: keys.hosts.iter().flat_map(|hosts| &hosts.value).map(|host| host.value.clone()).collect(),
        listen,
    }))
}

fn listener(address: SocketAddr, keys: &AdminListenerKeys) -> Option<Listener> {
    let tls = match &keys.tls {
        None => None,
        Some(At { value: tls, .. }) => Some(TlsFiles {
            certificate: tls.certificate.as_ref()?.value.clone(),
            private_key: tls.private_key.as_ref()?.value.clone(),
            client_ca: None,
            client_crl: None,
        }),
    };
    Some(Listener { tls, ..Listener::plain(address) })
}

/// Reports an address that clients connect to. Unlike two addresses of `listen`, the two may not share a port as
/// `0.0.0.0` and `[::]`.
fn check_clients_listeners(file: &TopLevelKeys, address: &At<SocketAddr>, report: &mut Report) {
    let is_every = |address: SocketAddr| address.ip().is_unspecified();
    let is_same = |other: SocketAddr| {
        let is_shared = other.port() == address.value.port() && other.port() != 0;
        addresses_conflict(other, address.value) || (is_shared && (is_every(other) || is_every(address.value)))
    };
    if let Some(same) = written(file).map(|(other, _)| other).find(|other| is_same(other.value)) {
        // One of the two may be a default without a position: the later one is written in the file.
        report.error(
            address.span.max(same.span),
            "`listen` and `admin` have the same address",
            "give one of them another port; the default of `admin` is 127.0.0.1:8081",
        );
    }
}

/// Reports an address off loopback without what it requires.
fn check_access(keys: &AdminKeys, address: &At<SocketAddr>, scope: AdminScope, report: &mut Report) {
    if scope == AdminScope::ThisMachine {
        return;
    }
    if keys.allow_from.is_none() {
        report.error(
            address.span,
            "other computers can reach this address, but `admin` has no `allow_from`",
            "add the networks that may connect, such as allow_from: [10.0.0.0/8], or listen on 127.0.0.1:8081, which the \
             health check of a container can reach",
        );
    }
    if scope == AdminScope::TokenHolders && keys.token.is_none() {
        report.error(
            address.span,
            "other computers can reach this address, but `admin` has no `token`",
            "store at least 16 random characters and say where: token: { env: BCPROXY_ADMIN_TOKEN }, or { file: … }",
        );
    }
}

/// Warns if the commands that talk to a running bcproxy can't reach it.
pub fn warn_of_unreachable_commands(file: &TopLevelKeys, admin: &Admin, report: &mut Report) {
    let has = |scope| admin.listen.iter().any(|listener| AdminScope::of(listener) == scope);
    let Some(listen) = file.admin_keys().and_then(|keys| keys.listen.as_ref()) else { return };
    if !has(AdminScope::ThisMachine) && !has(AdminScope::TokenHolders) {
        report.warning(
            listen.span,
            "`bcproxy status`, `reload` and `stop` can't use the admin listener: without `tls`, it serves only metrics and \
             health checks here",
            "add 127.0.0.1:8081 to the list",
        );
    }
}
