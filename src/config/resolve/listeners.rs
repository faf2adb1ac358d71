//! The listeners, and which addresses can't go together.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::config::model::listener::{Listener, TlsFiles};
use crate::config::shape::collections::OrOff;
use crate::config::shape::read::At;
use crate::config::vocabulary::listener::{ListenerEntry, ListenerTlsKeys};
use crate::config::vocabulary::top_level::TopLevelKeys;
use crate::config::yaml::report::Report;

/// The listeners of a file. Those that can't be open together are reported.
pub fn read(file: &TopLevelKeys, folder: &Path, report: &mut Report) -> Vec<Listener> {
    let mut seen: Vec<&At<SocketAddr>> = Vec::new();
    let mut listeners = Vec::new();
    for listen in written(file) {
        if report.is_full() {
            break;
        }
        let address = &listen.address;
        if let Some(first) = seen.iter().find(|other| clash(other.value, address.value)) {
            let line = report.line(first.span);
            let (message, help) = if first.value == address.value {
                (format!("this address is already listed, in line {line}"), "keep one of the two")
            } else {
                let message = format!(
                    "this address and the one in line {line} can't both be open: one of them takes all that come to this port"
                );
                (
                    message,
                    "keep the one with 0.0.0.0 or [::], which means every address of this machine, or name the addresses one by one",
                )
            };
            report.error(address.span, message, help);
        }
        seen.push(address);
        let tls = match &listen.tls {
            None => None,
            Some(At { value: ListenerTlsKeys { certificate: Some(certificate), private_key: Some(key) }, .. }) => {
                Some(TlsFiles { certificate: folder.join(&certificate.value), private_key: folder.join(&key.value) })
            }
            // What is missing was reported.
            Some(_) => continue,
        };
        listeners.push(Listener { address: address.value, tls });
    }
    listeners
}

/// The address of the health check. `None`: it is wrong. `Some(None)`: it is turned off.
pub fn admin(file: &TopLevelKeys, report: &mut Report) -> Option<Option<SocketAddr>> {
    let OrOff::On(admin) = &file.admin.as_ref()?.value else { return Some(None) };
    let address = admin.listen.as_ref()?;
    if !address.value.ip().to_canonical().is_loopback() {
        report.error(
            address.span,
            "the health check can only listen on loopback",
            "write 127.0.0.1:8081 (a container's own health check reaches it there), or `admin: off`",
        );
    }
    if let Some(same) = written(file).map(|listen| &listen.address).find(|other| clash(other.value, address.value)) {
        // One of the two may be a default, which has no place: the later one is written.
        report.error(
            address.span.max(same.span),
            "`listen` and `admin` have the same address",
            "give one of them another port; the health check has 127.0.0.1:8081 unless `admin` says otherwise",
        );
    }
    Some(Some(address.value))
}

/// Off loopback, nobody gets in by accident: every route must say who may.
pub fn check_access(file: &TopLevelKeys, has_default: bool, report: &mut Report) {
    let open_routes = match &file.routes {
        Some(routes) => routes.value.iter().filter(|route| route.value.allow_from.is_none()).count(),
        None => 1,
    };
    // An `access` that could not be read may well say it.
    if has_default || open_routes == 0 || file.access.is_none() {
        return;
    }
    let addresses = written(file).map(|listen| &listen.address);
    for address in addresses.filter(|address| !address.value.ip().to_canonical().is_loopback()) {
        report.error(
            address.span,
            "other computers can reach this address, and a route does not say which of them may use it",
            "name their networks, such as access: { allow_from: [127.0.0.1, 10.0.0.0/8] }, or listen on 127.0.0.1:8080",
        );
    }
}

fn written(file: &TopLevelKeys) -> impl Iterator<Item = &ListenerEntry> {
    file.listen.iter().flat_map(|listen| &listen.value.0).map(|listen| &listen.value)
}

/// Whether the system would refuse to open the second: `0.0.0.0` is every address of version 4, `[::]` every one of
/// version 6 (and of 4 where nothing else of this file takes them).
fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    let covers =
        |one: IpAddr, other: IpAddr| one == other || (one.is_unspecified() && one.is_ipv4() == other.is_ipv4());
    one.port() != 0 && one.port() == other.port() && (covers(one.ip(), other.ip()) || covers(other.ip(), one.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_a_version_leaves_no_room_for_another_of_it() {
        for (one, other, clashes) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "0.0.0.0:80", true),
            ("[::]:80", "[::1]:80", true),
            ("[::]:80", "0.0.0.0:80", false),
            ("[::]:80", "127.0.0.1:80", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            assert_eq!(clash(one.parse().unwrap(), other.parse().unwrap()), clashes, "{one} {other}");
        }
    }
}
