//! The listeners, and the conflicts between their addresses.

use std::net::{IpAddr, SocketAddr};

use super::routes::networks;
use crate::config::model::{Listener, TlsFiles};
use crate::config::shape::{At, OrOff};
use crate::config::vocabulary::{ListenerKeys, ListenerTlsKeys, RouteKeys, TopLevelKeys};
use crate::config::yaml::Report;

/// Builds the listeners of a file, and reports addresses that conflict.
pub fn read(file: &TopLevelKeys, report: &mut Report) -> Vec<Listener> {
    let mut seen: Vec<&At<SocketAddr>> = Vec::new();
    let mut listeners = Vec::new();
    for (address, keys) in written(file) {
        if report.is_full() {
            break;
        }
        if let Some(first) = seen.iter().find(|other| conflict(other.value, address.value)) {
            let line = report.line(first.span);
            let (message, help) = if first.value == address.value {
                (format!("this address is already listed in line {line}"), "keep one of the two")
            } else {
                let message = format!(
                    "this address conflicts with the one in line {line}: one of them receives all connections to this port"
                );
                (
                    message,
                    "keep only 0.0.0.0 or [::], which means every address of this machine, or list single addresses",
                )
            };
            report.error(address.span, message, help);
        }
        seen.push(address);
        let tls = match &keys.tls {
            None => None,
            Some(At { value: ListenerTlsKeys { certificate: Some(certificate), private_key: Some(key) }, .. }) => {
                Some(TlsFiles { certificate: certificate.value.clone(), private_key: key.value.clone() })
            }
            // The missing key is already reported.
            Some(_) => continue,
        };
        listeners.push(Listener {
            address: address.value,
            tls,
            proxy_protocol: networks(keys.proxy_protocol.as_ref()),
        });
    }
    listeners
}

/// The address of the admin listener. `None`: it is invalid. `Some(None)`: it is off.
pub fn admin(file: &TopLevelKeys, report: &mut Report) -> Option<Option<SocketAddr>> {
    let OrOff::On(admin) = &file.admin.as_ref()?.value else { return Some(None) };
    let address = admin.listen.as_ref()?;
    if !address.value.ip().to_canonical().is_loopback() {
        report.error(
            address.span,
            "the admin listener must use a loopback address",
            "write 127.0.0.1:8081, which the health check of a container can reach, or `admin: off`",
        );
    }
    if let Some(same) = written(file).map(|(other, _)| other).find(|other| conflict(other.value, address.value)) {
        // One of the two may be a default without a position: the later one is written in the file.
        report.error(
            address.span.max(same.span),
            "`listen` and `admin` have the same address",
            "give one of them another port; the default of `admin` is 127.0.0.1:8081",
        );
    }
    Some(Some(address.value))
}

/// Warns where every computer that reaches a listener without TLS may read and write.
pub fn warn_of_open_access(file: &TopLevelKeys, report: &mut Report) {
    let is_plain = |(address, keys): (&At<SocketAddr>, &ListenerKeys)| {
        !address.value.ip().to_canonical().is_loopback() && keys.tls.is_none()
    };
    if !written(file).any(is_plain) {
        return;
    }
    let common = file.access.as_ref().and_then(|access| access.value.allow_from.as_ref());
    let own = file.routes.iter().flat_map(|routes| &routes.value).filter_map(|route| route.value.allow_from.as_ref());
    let networks = common.into_iter().chain(own).flat_map(|list| &list.value);
    for everybody in networks.filter(|network| network.value.prefix_len() == 0) {
        report.warning(
            everybody.span,
            "every computer that reaches this machine may read and change data, over plain HTTP",
            "narrow this to the networks of your clients; for traffic that others can read, give the listener a certificate (`tls`)",
        );
    }
}

/// Reports a listener off loopback unless every route has an `allow_from`.
pub fn check_access(file: &TopLevelKeys, report: &mut Report) {
    let is_open = |route: &At<RouteKeys>| route.value.allow_from.is_none();
    let has_open_route = file.routes.as_ref().is_none_or(|routes| routes.value.iter().any(is_open));
    // An `access` section that could not be read may contain `allow_from`.
    if !has_open_route || file.access.as_ref().is_none_or(|access| access.value.allow_from.is_some()) {
        return;
    }
    let addresses = written(file).map(|(address, _)| address);
    for address in addresses.filter(|address| !address.value.ip().to_canonical().is_loopback()) {
        report.error(
            address.span,
            "other computers can reach this address, but a route has no `allow_from`",
            "add the networks of the clients, such as access: { allow_from: [127.0.0.1, 10.0.0.0/8] }, or listen on 127.0.0.1:8080",
        );
    }
}

/// The addresses in the file, each with the keys of its listener.
fn written(file: &TopLevelKeys) -> impl Iterator<Item = (&At<SocketAddr>, &ListenerKeys)> {
    let all = file.listen.iter().flat_map(|listen| &listen.value.0);
    all.filter_map(|listen| Some((listen.value.address.as_ref()?, &listen.value)))
}

/// Whether the operating system could not bind both: `0.0.0.0` is every IPv4 address, and `[::]` every IPv6 address.
/// `[::]` also receives IPv4 connections, unless another listener of the file uses IPv4 on that port.
fn conflict(one: SocketAddr, other: SocketAddr) -> bool {
    let covers =
        |one: IpAddr, other: IpAddr| one == other || (one.is_unspecified() && one.is_ipv4() == other.is_ipv4());
    one.port() != 0 && one.port() == other.port() && (covers(one.ip(), other.ip()) || covers(other.ip(), one.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_conflicts_with_every_address_of_its_version() {
        for (one, other, conflicts) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "0.0.0.0:80", true),
            ("[::]:80", "[::1]:80", true),
            ("[::]:80", "0.0.0.0:80", false),
            ("[::]:80", "127.0.0.1:80", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            assert_eq!(conflict(one.parse().unwrap(), other.parse().unwrap()), conflicts, "{one} {other}");
        }
    }
}
