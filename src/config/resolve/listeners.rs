//! The listeners, and the conflicts between their addresses.

use std::net::{IpAddr, SocketAddr};

use super::client_auth::{client_auth, is_required, rules_at, scheme_of};
use super::routes::networks;
use crate::config::model::{AuthScheme, Listener, TlsFiles};
use crate::config::shape::At;
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
        check_listed(address, &seen, report);
        seen.push(address);
        let tls = match &keys.tls {
            None => None,
            Some(At {
                value: tls @ ListenerTlsKeys { certificate: Some(certificate), private_key: Some(key), .. },
                ..
            }) => {
                if let (Some(lists), None) = (&tls.client_crl, &tls.client_ca) {
                    report.error(
                        lists.label,
                        "revocation lists without the authorities that sign them",
                        "add `client_ca`, or remove `client_crl`",
                    );
                }
                Some(TlsFiles {
                    certificate: certificate.value.clone(),
                    private_key: key.value.clone(),
                    client_ca: tls.client_ca.as_ref().map(|path| path.value.clone()),
                    client_crl: tls.client_crl.as_ref().map(|path| path.value.clone()),
                })
            }
            // The missing key is already reported.
            Some(_) => continue,
        };
        check_forwarders(file, keys, report);
        let has_authority = tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        listeners.push(Listener {
            address: address.value,
            tls,
            client_auth: client_auth(file, keys.client_auth.as_ref(), has_authority, report),
            proxy_protocol: networks(keys.proxy_protocol.as_ref()),
            forwarded_for: networks(keys.forwarded_for.as_ref()),
        });
    }
    listeners
}

/// Reports an address that conflicts with one before it in the same list.
pub fn check_listed(address: &At<SocketAddr>, seen: &[&At<SocketAddr>], report: &mut Report) {
    if let Some(first) = seen.iter().find(|other| addresses_conflict(other.value, address.value)) {
        let line = report.line(first.span);
        let (message, help) = if first.value == address.value {
            (format!("this address is already listed in line {line}"), "keep one of the two")
        } else {
            let message = format!(
                "this address conflicts with the one in line {line}: one of them receives all connections to this port"
            );
            (message, "keep only 0.0.0.0 or [::], which means every address of this machine, or list single addresses")
        };
        report.error(address.span, message, help);
    }
}

/// Warns where every computer that reaches a listener without TLS may read and write.
pub fn warn_of_open_access(file: &TopLevelKeys, report: &mut Report) {
    if !written(file).filter(is_plain).any(|(_, keys)| !is_required(keys.client_auth.as_ref())) {
        return;
    }
    let common = file.access.as_ref().and_then(|access| access.value.allow_from.as_ref());
    let routes = || file.routes.iter().flat_map(|routes| &routes.value).map(|route| &route.value);
    // Routes of the file, or the default ones, which have no keys of their own.
    let uses_common = |route: &RouteKeys| route.allow_from.is_none() && !is_required(route.client_auth.as_ref());
    let common = common.filter(|_| file.routes.is_none() || routes().any(uses_common));
    let own = routes().filter(|route| !is_required(route.client_auth.as_ref()));
    let networks = common.into_iter().chain(own.filter_map(|route| route.allow_from.as_ref()));
    for everybody in networks.flat_map(|list| &list.value).filter(|network| network.value.prefix_len() == 0) {
        report.warning(
            everybody.span,
            "every computer that reaches this machine may read and change data, over plain HTTP",
            "narrow this to the networks of your clients, or add `client_auth`; for traffic that others can read, give the \
             listener a certificate (`tls`)",
        );
    }
}

/// Reports NTLM behind an HTTP load balancer: the session belongs to a connection, which several users would share.
fn check_forwarders(file: &TopLevelKeys, keys: &ListenerKeys, report: &mut Report) {
    let Some(forwarders) = &keys.forwarded_for else { return };
    if let Some(ntlm) = rules_at(file, keys).find_map(|rules| scheme_of(rules, AuthScheme::Ntlm)) {
        let line = report.line(ntlm.span);
        report.error(
            forwarders.label,
            format!("behind an HTTP load balancer, `ntlm` in line {line} would take one client for another"),
            "use a TCP load balancer with `proxy_protocol`, or another scheme",
        );
    }
}

/// Warns of passwords and API keys that anybody on the network can read.
pub fn warn_of_plain_credentials(file: &TopLevelKeys, report: &mut Report) {
    let is_readable = |rules| [AuthScheme::Basic, AuthScheme::ApiKey].iter().any(|it| scheme_of(rules, *it).is_some());
    for (address, _) in written(file).filter(is_plain).filter(|(_, keys)| rules_at(file, keys).any(is_readable)) {
        report.warning(
            address.span,
            "passwords and API keys come here over plain HTTP: others on the network can read them",
            "give the listener a certificate (`tls`) if the clients can use https",
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

/// Whether other computers reach a listener, over plain HTTP.
fn is_plain((address, keys): &(&At<SocketAddr>, &ListenerKeys)) -> bool {
    !address.value.ip().to_canonical().is_loopback() && keys.tls.is_none()
}

/// The addresses in the file, each with the keys of its listener.
pub fn written(file: &TopLevelKeys) -> impl Iterator<Item = (&At<SocketAddr>, &ListenerKeys)> {
    let all = file.listen.iter().flat_map(|listen| &listen.value.0);
    all.filter_map(|listen| Some((listen.value.address.as_ref()?, &listen.value)))
}

/// Whether the operating system could not bind both: `0.0.0.0` is every IPv4 address, and `[::]` every IPv6 address.
/// `[::]` also receives IPv4 connections, unless another listener of the file uses IPv4 on that port.
pub fn addresses_conflict(one: SocketAddr, other: SocketAddr) -> bool {
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
            assert_eq!(addresses_conflict(one.parse().unwrap(), other.parse().unwrap()), conflicts, "{one} {other}");
        }
    }
}
