//! The keys at the top level of the file, and the names of all keys.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::{
    AdminKeys, ClientAuthKeys, ClientKeys, ConnectorKeys, LogKeys, OtlpKeys, RouteKeys, SharedLimitsKeys, TelemetryKeys,
};
use crate::config::model::{Browsers, ByteSize, Count, HostName};
use crate::config::shape::{At, Form, Named, OneOrMore, OrOff, Shape, mapping};
use crate::outbound::Origin;

mapping! {
    /// The configuration of bcproxy: where it listens, how it signs in to Business Central, and where each path leads.
    TopLevelKeys: "file" {
        /// The address that clients connect to: an IP address and a port, or a list of them.
        /// Put an IPv6 address in quotation marks: `"[::1]:8080"`.
        /// An entry with `tls` serves HTTPS: `{ address: …, tls: { certificate: …, private_key: … } }`.
        /// If other computers can reach the address, every route needs `allow_from`, its own or that of `access`.
        listen: OneOrMore<ListenerKeys> = Default("127.0.0.1:8080"),
        /// The scheme, host and port of the links in responses, such as `http://erp-gw:8080`.
        /// Default: the scheme and host that the client used in its request.
        public_url: Origin = Optional,
        /// The listener for the status page, metrics, health checks, `bcproxy reload` and `bcproxy stop`.
        /// With `off`, none of these are available.
        admin: OrOff<AdminKeys> = Default("{}"),
        /// The connections to Business Central, at least one. Choose a name for each.
        connectors: Named<ConnectorKeys> = Required,
        /// Where each local path leads. If several routes match a request, bcproxy uses the one with the longest path.
        /// Default with one connector: `/api` → `api/v2.0`, `/odata` → `odata`, `/soap` → `soap`, `/nav` → `nav`, `/` →
        /// `nav`. With several connectors, this key is required.
        routes: Vec<At<RouteKeys>> = Optional,
        /// Which requests bcproxy accepts, by network, host name, and whether a web page sent them.
        access: AccessKeys = Default("{}"),
        /// The file of users for `client_auth`. `bcproxy user add` writes it; lines of `htpasswd -B` are read, too.
        /// bcproxy reloads it when it changes. Relative to the folder of `proxy.yaml`.
        users: PathBuf = Optional,
        /// Clients that bcproxy knows by name. The first entry that fits counts.
        /// The name is in the log, in metrics and on the status page.
        clients: Named<ClientKeys> = Optional,
        /// What bcproxy logs, where, and in which format.
        log: LogKeys = Default("{}"),
        /// What bcproxy sends to monitoring systems by itself. Default: nothing.
        telemetry: TelemetryKeys = Optional,
        /// Where several replicas of bcproxy share Business Central's limits.
        /// Default: nowhere, because this is the only replica.
        shared_limits: SharedLimitsKeys = Optional,
        /// How many client connections may be open. Further connections are answered with 503.
        max_connections: MaxConnectionsKeys = Default("{}"),
        /// The memory that clients may make bcproxy hold: heads and bodies of requests, queued requests, and responses
        /// that clients have not read yet. When it is full, requests of the client that holds the most are rejected
        /// with 503. Clients that hold less than their share are served.
        max_memory: ByteSize = Default("256MiB"),
        /// Where large request bodies wait until they are complete. With `off`, they wait in memory.
        spool: OrOff<SpoolKeys> = Default("{}"),
        /// How long an idle client connection stays open. Once a request begins, its head must arrive within 10
        /// seconds.
        keep_alive: Duration = Default("5m"),
        /// How bcproxy stops.
        shutdown: ShutdownKeys = Default("{}"),
    }
}

mapping! {
    /// An address that clients connect to.
    ListenerKeys: "listener", short for address: SocketAddr {
        /// An IP address and a port.
        address: SocketAddr = Required,
        /// The certificate for HTTPS (TLS 1.2 and 1.3). Without it, the listener serves HTTP.
        tls: ListenerTlsKeys = Optional,
        /// How clients prove who they are, on routes without a `client_auth` of their own. Default: not at all.
        client_auth: ClientAuthKeys = Optional,
        /// The addresses of load balancers that say with the PROXY protocol (version 1 or 2) who their clients are.
        /// The address in the header then counts as the client's: for `allow_from`, limits, fairness and the log.
        /// A loopback address in it is rejected. Connections from other addresses are those of ordinary clients.
        proxy_protocol: Vec<At<IpNet>> = Optional,
        /// The addresses of HTTP load balancers that say in `X-Forwarded-For` who their clients are.
        /// The last address in it that is none of these counts as the client's. A loopback address is rejected.
        /// From other addresses, the header counts for nothing. Not possible with `client_auth: ntlm`.
        forwarded_for: Vec<At<IpNet>> = Optional,
    }
}

mapping! {
    /// The certificate of an HTTPS listener. `bcproxy certificate` creates both files. bcproxy reloads them when they
    /// change.
    ListenerTlsKeys: "tls section" {
        /// A PEM file with the server's certificate, followed by the intermediate certificates, if any.
        /// Relative to the folder of `proxy.yaml`.
        certificate: PathBuf = Required,
        /// A PEM file with the private key of the certificate, without a password.
        /// Relative to the folder of `proxy.yaml`.
        private_key: PathBuf = Required,
        /// A PEM file with the authorities that sign the certificates of clients. bcproxy then asks each client for a
        /// certificate. Only `client_auth: mtls` requires one. Relative to the folder of `proxy.yaml`.
        client_ca: PathBuf = Optional,
        /// A PEM file with the revocation lists of these authorities: one for each, since a certificate without a list
        /// is rejected. An expired list still counts. Relative to the folder of `proxy.yaml`.
        client_crl: PathBuf = Optional,
    }
}

mapping! {
    /// Which requests bcproxy accepts.
    AccessKeys: "access section" {
        /// The networks that clients may connect from, for routes without an `allow_from` of their own.
        /// Default: this machine only.
        allow_from: Vec<At<IpNet>> = Optional,
        /// Further host names by which clients call bcproxy, such as a former server's: `[ oldserver,
        /// erp-gw.contoso.local ]`. bcproxy always accepts IP addresses, `localhost`, this machine's name, and the host
        /// in `public_url`. It also accepts the names in the certificates of its listeners. Requests for any other host
        /// are rejected with 421, because a web page could have sent them (DNS rebinding).
        hosts: Vec<At<HostName>> = Optional,
        /// Whether web pages may call bcproxy from a browser. With `deny`, an address typed into a browser works only
        /// over https and on `localhost`: elsewhere, browsers do not tell it from a page's request.
        /// With `allow`, any web page can call Business Central from any browser that reaches bcproxy.
        browsers: Browsers = Default("deny"),
    }
}

mapping! {
    /// How many client connections may be open.
    MaxConnectionsKeys: "max_connections section" {
        /// Connections of all clients together.
        /// Each connection uses a file descriptor. bcproxy keeps 2,048 in reserve: set the system's limit of open files
        /// that much higher. Under a lower limit, fewer connections may be open.
        total: Count = Default("16000"),
        /// Connections from one IP address.
        /// Many clients can share an address, such as those on this machine or behind a router.
        per_client: Count = Default("12000"),
    }
}

mapping! {
    /// Where large request bodies wait until they are complete. A slow upload holds no permit of the limiter meanwhile.
    /// The files have no name in the folder, and no other user can read them.
    SpoolKeys: "spool section" {
        /// The folder for the files. Relative to the folder of `proxy.yaml`. Default: systemd's `$STATE_DIRECTORY`, the
        /// folder for temporary files, or `/var/tmp`. The first one counts that bcproxy may write to and that is not in
        /// memory (tmpfs). If there is none, bodies wait in memory.
        folder: PathBuf = Optional,
        /// The size up to which a body waits in memory.
        memory: ByteSize = Default("1MiB"),
        /// The size of all files together. When it is reached, or the disk is full, requests are rejected with 503.
        disk: ByteSize = Default("4GiB"),
    }
}

mapping! {
    /// How bcproxy stops.
    ShutdownKeys: "shutdown section" {
        /// How long running requests may continue after the first stop signal. A second signal ends them immediately.
        grace: Duration = Default("10m"),
    }
}

impl TopLevelKeys {
    /// The keys of the admin listener, unless it is off.
    pub fn admin_keys(&self) -> Option<&AdminKeys> {
        match &self.admin.as_ref()?.value {
            OrOff::On(keys) => Some(keys),
            OrOff::Off => None,
        }
    }

    /// The keys of the collector, if there is one.
    pub fn otlp(&self) -> Option<&OtlpKeys> {
        Some(&self.telemetry.as_ref()?.value.otlp.as_ref()?.value)
    }
}

/// Every key of the vocabulary, sorted and without duplicates.
pub fn all_keys() -> Vec<&'static str> {
    fn collect(form: &Form, keys: &mut Vec<&'static str>) {
        if let Form::Mapping(mapping) = form.inner() {
            for field in &mapping.fields {
                keys.push(field.key);
                collect(&field.form, keys);
            }
        }
    }
    let mut keys = Vec::new();
    collect(&TopLevelKeys::form(), &mut keys);
    keys.sort_unstable();
    keys.dedup();
    keys
}
