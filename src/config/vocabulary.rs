//! The words of `proxy.yaml`: every key, its type, its default and its documentation. The published reference is made from this.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hyper::Method;
use ipnet::IpNet;

use super::header_rules::{ChangeableHeader, HeadersToSet};
use super::host_name::HostName;
use super::leaves::{AnyVersion, ConnectorName, Scope, Text, VariableName};
use super::limits::{Count, Rate};
use super::model::{Browsers, LogFormat, RoutePath};
use super::node::{Node, Value};
use super::outbound::OutboundProxy;
use super::public_url::PublicUrl;
use super::report::Report;
use super::shape::{At, Form, Named, OneOrMore, OrOff, SECRET_FORM, Shape, mapping, read_at};
use super::source::Span;
use crate::business_central::{CompanyRef, EnvironmentName, Surface};
use crate::entra::{ClientId, Cloud, TenantId};
use crate::https_url::HttpsUrl;

mapping! {
    /// The configuration of bcproxy: where programs come in, how to sign in to Business Central, and which path leads where.
    File: "file" {
        /// Where programs come in: an IP address and a port, or a list of them; one of version 6 in quotation marks: `"[::1]:8080"`.
        /// With a certificate (`{ address: …, tls: { certificate: …, private_key: … } }`) it speaks HTTPS, without one HTTP.
        /// Off loopback (such as `0.0.0.0:8080`) every route needs an `allow_from`, its own or that of `access`.
        listen: OneOrMore<Listen> = Default("127.0.0.1:8080"),
        /// What addresses in answers begin with, such as `http://erp-gw:8080`: programs follow them to bcproxy.
        /// Without it, the scheme and host that the program itself used.
        public_url: PublicUrl = Optional,
        /// The status page, metrics and the health check, and where `bcproxy reload` and `bcproxy stop` ask; or `off`.
        admin: OrOff<Admin> = Default("{}"),
        /// The connections to Business Central, by a name of your choice. At least one.
        connectors: Named<Connector> = Required,
        /// Which local path leads where. The longest path that fits a request is taken.
        /// Without it, a single connector gets `/api` → `api/v2.0`, `/odata` → `odata`, `/soap` → `soap`, `/nav` → `nav` and `/` → `nav`.
        routes: Vec<At<Route>> = Optional,
        /// Who may come in: from where, by which name, and whether web pages may.
        access: Access = Default("{}"),
        /// What is logged, and how.
        log: Log = Default("{}"),
        /// How many connections programs may have open. Who comes when there is no place left is told so, with 503, and has to come again.
        max_connections: MaxConnections = Default("{}"),
        /// How long a program may keep its connection open without asking for anything. Once it has begun, a request's head must come
        /// within 10 s.
        keep_alive: Duration = Default("5m"),
        /// How bcproxy stops.
        shutdown: Shutdown = Default("{}"),
    }
}

mapping! {
    /// One address where programs come in.
    ListenItem: "listener" {
        /// An IP address and a port.
        address: SocketAddr = Required,
        /// What makes it speak HTTPS instead of HTTP: TLS 1.2 and 1.3.
        tls: ListenTls = Optional,
    }
}

mapping! {
    /// The certificate of an HTTPS listener. `bcproxy certificate` makes both files. A change of theirs is noticed.
    ListenTls: "listener's tls section" {
        /// A PEM file with the server's certificate, and behind it those of the authorities between it and its root; relative to this
        /// file's folder.
        certificate: PathBuf = Required,
        /// A PEM file with the certificate's private key, without a password; relative to this file's folder.
        private_key: PathBuf = Required,
    }
}

mapping! {
    /// The listener of the health check, and of orders to reload and to stop. It is meant for this machine (or container) only.
    Admin: "admin listener" {
        /// A loopback address and a port.
        listen: SocketAddr = Default("127.0.0.1:8081"),
    }
}

mapping! {
    /// One connection to Business Central: tenant, application, environment, company.
    Connector: "connector", one of [client_secret, client_certificate, federated_token, managed_identity, applications] {
        /// Directory (tenant) ID: a GUID, or a domain such as `contoso.onmicrosoft.com`.
        /// Microsoft Entra admin center → App registrations → your application → Overview.
        tenant_id: TenantId = Required,
        /// Application (client) ID: a GUID. It stands on the same page.
        client_id: ClientId = Unless("applications"),
        /// Where the client secret is kept. It is never written in this file.
        /// A list is tried in order, for changing secrets without a break. It is read again before every token request.
        client_secret: OneOrMore<Secret> = Optional,
        /// Instead of a secret: a certificate, whose public part is uploaded in Entra: App registrations → your application → Certificates &
        /// secrets. Its files are read again before every token request.
        client_certificate: ClientCertificate = Optional,
        /// Instead of a secret: a token that somebody else keeps fresh in a file, such as Kubernetes (workload identity federation).
        federated_token: FederatedToken = Optional,
        /// Instead of a secret, on Azure: the identity of the virtual machine or App Service. `{}` is the system-assigned one, whose
        /// application ID is `client_id` then.
        managed_identity: ManagedIdentity = Optional,
        /// Several applications of the tenant instead of one. Business Central limits each, so that two get twice as much done on api and OData
        /// routes. SOAP calls gain nothing: their limits are the environment's. Each needs the same permissions and its own card in Business Central.
        applications: Vec<At<Application>> = Optional,
        /// The environment's name, as the Business Central admin center shows it.
        environment: EnvironmentName = Default("Production"),
        /// The company's name, as the page "Companies" shows it, or its id. Leave it out when programs name the company in each request.
        company: CompanyRef = Optional,
        /// What programs call a company on `nav` routes, and its name or id at Business Central: `{ "Old name": "New name", … }`. These routes
        /// then lead to these companies and the connector's own, by either name, and to no other.
        companies: Named<CompanyRef> = Optional,
        /// The national cloud of the tenant. It decides where tokens are issued.
        cloud: Cloud = Default("public"),
        /// Where tokens are issued, if not where the cloud's are: `https://login.microsoftonline.com`, `https://login.microsoftonline.us` or
        /// `https://login.partner.microsoftonline.cn`.
        authority: HttpsUrl = Optional,
        /// Where Business Central is.
        base_url: HttpsUrl = Default("https://api.businesscentral.dynamics.com"),
        /// What tokens are for.
        scope: Scope = Default("https://api.businesscentral.dynamics.com/.default"),
        /// How much an application may ask of one environment at a time, or `off`. The defaults are Business Central's own limits: what
        /// exceeds them waits its turn here instead of being refused there. SOAP calls have limits of their own, the same again, which all
        /// applications of the environment share.
        limits: OrOff<Limits> = Default("{}"),
        /// A file of PEM certificates to trust in addition to those of this machine; relative to this file's folder.
        ca_file: PathBuf = Optional,
        /// The proxy through which this machine reaches the internet, for Entra and Business Central alike: `http://host:port`, or `off`.
        /// Without it, that of the environment (`HTTPS_PROXY` or else `ALL_PROXY`, and `NO_PROXY`), if it has one.
        outbound_proxy: OutboundProxy = Optional,
        /// How long to wait for what.
        timeouts: Timeouts = Default("{}"),
    }
}

mapping! {
    /// One of several applications.
    Application: "application", one of [client_secret, client_certificate, federated_token, managed_identity] {
        /// Application (client) ID: a GUID.
        client_id: ClientId = Required,
        /// Where its client secret is kept, as the connector's would be.
        client_secret: OneOrMore<Secret> = Optional,
        /// Instead of a secret, as the connector's would be.
        client_certificate: ClientCertificate = Optional,
        /// Instead of a secret, as the connector's would be.
        federated_token: FederatedToken = Optional,
        /// Instead of a secret, as the connector's would be.
        managed_identity: ManagedIdentity = Optional,
    }
}

mapping! {
    /// How much an application may ask at a time, and how long programs wait for their turn.
    Limits: "connector's limits" {
        /// How many requests may be in work at once.
        concurrency: Count = Default("5"),
        /// How many requests may begin within how long a time.
        requests: Rate = Default("6000 per 5m"),
        /// How many requests may wait. When there is no place left, a program that has many of them gets 429 for one.
        queue: Count = Default("10000"),
        /// How long a request waits at most, before its program gets 429.
        wait: Duration = Default("90s"),
    }
}

mapping! {
    /// Where a secret is kept: in one of three places.
    SecretPlace: "secret", one of [env, file, command] {
        /// The name of an environment variable that holds the secret.
        env: VariableName = Optional,
        /// A file that holds the secret and nothing else; relative to this file's folder. White space around it is ignored.
        file: PathBuf = Optional,
        /// A program and its arguments, run without a shell and for at most 30 s; what it prints is the secret.
        command: Vec<At<Text>> = Optional,
        /// The day on which the secret ends, as Entra showed it when it was made: `2027-05-01`. bcproxy warns from 30 days before.
        expires: time::Date = Optional,
    }
}

mapping! {
    /// A certificate and its private key, as PEM files; the key without a passphrase. A PKCS#12 file (`.pfx`, `.p12`) is made into one with
    /// `openssl pkcs12 -in FILE -nodes -out FILE.pem`.
    ClientCertificate: "client certificate" {
        /// The file of the certificate; relative to this file's folder.
        certificate: PathBuf = Required,
        /// The file of its RSA key (PKCS#8 or PKCS#1), if it is not in the same file.
        private_key: PathBuf = Optional,
    }
}

mapping! {
    /// A token that somebody else keeps fresh.
    FederatedToken: "federated token" {
        /// The file of the token; relative to this file's folder. It is read again before every token request.
        file: PathBuf = Required,
    }
}

mapping! {
    /// An identity that Azure gives to a machine or service.
    ManagedIdentity: "managed identity" {
        /// The client ID of a user-assigned identity. If it is not the connector's own `client_id`, it vouches for that application, which
        /// needs a federated credential for it.
        client_id: ClientId = Optional,
    }
}

mapping! {
    /// How long a connector waits for what. From more than nothing up to `24h`.
    Timeouts: "connector's timeouts" {
        /// Name look-up, TCP and TLS together.
        connect: Duration = Default("10s"),
        /// From the request's last byte to the answer's first. Business Central itself gives up after ten minutes.
        head: Duration = Default("630s"),
        /// Between two pieces of a body, from Business Central or towards a program. A program has to keep up 240 bytes a second in either
        /// direction, counted only while it is waited for; what it sends may pause for a minute.
        body_idle: Duration = Default("630s"),
        /// How long an unused connection to Business Central is kept.
        pool_idle: Duration = Default("90s"),
        /// One token request, all of it.
        token: Duration = Default("10s"),
    }
}

mapping! {
    /// A local path, and where it leads.
    Route: "route" {
        /// The beginning of the local path, such as `/api`; `/` takes what no other route takes. `/unrouted` is bcproxy's own.
        path: RoutePath = Required,
        /// Where it leads: `api/v2.0`, `api/{publisher}/{group}/{version}`, `odata`, `soap`, `nav` (addresses as they were on the premises) or
        /// `environment` (everything below the environment, unconfined).
        to: Surface = Required,
        /// The connector it uses. Not needed when there is only one.
        connector: ConnectorName = Optional,
        /// Another environment than the connector's.
        environment: EnvironmentName = Optional,
        /// Another company than the connector's. Not together with `to: environment`.
        company: CompanyRef = Optional,
        /// The methods that may be used. Without it, all that Business Central knows.
        methods: Vec<At<Method>> = Optional,
        /// The networks programs may come from. Without it, that of `access`, or else this machine only.
        allow_from: Vec<At<IpNet>> = Optional,
        /// The version a change is made to when the program names none: `"*"`, any. It is sent as `If-Match` with PATCH, PUT, MERGE and DELETE.
        /// Without it, Business Central refuses such changes, so that nobody overwrites what another has just written.
        if_match: AnyVersion = Optional,
        /// Headers to change on the way.
        headers: RouteHeaders = Optional,
        /// How long the answer to a GET is given again to whoever asks the same: from a moment up to `24h`. Programs that ask the same at the same
        /// time share one request. What is changed through bcproxy is seen at once, since a change forgets what is kept of its company; what is
        /// changed in Business Central itself is seen that much later. Without it, nothing is kept.
        cache: Duration = Optional,
        /// How long to wait for what, where it differs from the connector's.
        timeouts: RouteTimeouts = Default("{}"),
    }
}

mapping! {
    /// Headers to change on the way. Those that frame bodies, belong to one connection, sign in or keep a session can't be among them, nor
    /// `Host`, `Company` and those that hide a method.
    RouteHeaders: "route's headers" {
        /// In requests, on their way to Business Central.
        request: HeaderChanges = Optional,
        /// In Business Central's answers, on their way to the program. It has the same keys.
        response: HeaderChanges = Optional,
    }
}

mapping! {
    /// Headers to change in one direction.
    HeaderChanges: "headers section" {
        /// Headers to write, whatever was there before: `{ Accept-Language: de-DE }`.
        set: HeadersToSet = Optional,
        /// Headers to leave out.
        remove: Vec<At<ChangeableHeader>> = Optional,
    }
}

mapping! {
    /// How long a route waits for what, where it differs from its connector.
    RouteTimeouts: "route's timeouts" {
        /// From the request's last byte to the answer's first.
        head: Duration = Optional,
        /// Between two pieces of a body, from Business Central or towards a program.
        body_idle: Duration = Optional,
    }
}

mapping! {
    /// Who may come in: from where, by which name, and whether web pages may.
    Access: "access section" {
        /// The networks programs may come from, on routes that don't say it themselves. Without it, this machine only.
        allow_from: Vec<At<IpNet>> = Optional,
        /// Names that programs call bcproxy by, such as that of the former server: `[ oldserver, erp-gw.contoso.local ]`. Known without being
        /// listed: every IP address, `localhost`, this machine's own name, the name in `public_url` and those in the listeners' certificates.
        /// A request to any other name is refused with 421: a web page could have pointed it here.
        hosts: Vec<At<HostName>> = Optional,
        /// Whether web pages may call bcproxy from a browser. With `allow`, pages of any site can, as whoever opens them
        /// in a browser that reaches bcproxy.
        browsers: Browsers = Default("deny"),
    }
}

mapping! {
    /// What is logged, and how.
    Log: "log section" {
        /// The form of a line; `auto` is text on a terminal and JSON otherwise.
        format: LogFormat = Default("auto"),
        /// How much is logged.
        level: tracing::Level = Default("info"),
        /// Whether there is a line for each request.
        requests: bool = Default("true"),
    }
}

mapping! {
    /// How many connections programs may have open.
    MaxConnections: "connections' limits" {
        /// All together. Each takes a file, so the system's limit of open files should be a little higher.
        total: Count = Default("16000"),
        /// From one address. It is generous, since many programs may share one: those of this machine, and those behind a router.
        per_client: Count = Default("12000"),
    }
}

mapping! {
    /// How bcproxy stops.
    Shutdown: "shutdown section" {
        /// How long running requests may go on after the first stop signal. A second one ends everything.
        grace: Duration = Default("10m"),
    }
}

/// One address where programs come in.
#[derive(Debug)]
pub struct Listen {
    pub address: At<SocketAddr>,
    pub tls: Option<At<ListenTls>>,
}

impl Shape for Listen {
    fn form() -> Form {
        Form::Short { text: Box::new(SocketAddr::form()), full: Box::new(ListenItem::form()) }
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        if !matches!(node.value, Value::Mapping(_)) {
            return Some(Self { address: read_at(node, report)?, tls: None });
        }
        let item = ListenItem::read(node, report)?;
        Some(Self { address: item.address?, tls: item.tls })
    }
}

/// Where a secret is kept, and until when it is good.
#[derive(Debug)]
pub struct Secret {
    pub place: Place,
    pub expires: Option<At<time::Date>>,
}

/// Where a secret is kept.
#[derive(Debug)]
pub enum Place {
    Env(VariableName, Span),
    File(PathBuf, Span),
    Command(Vec<String>),
}

impl Shape for Secret {
    fn form() -> Form {
        SecretPlace::form()
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        read_place(node, SECRET_FORM, report).map(|(place, expires)| Self { place, expires })
    }
}

/// Where a secret is kept, and its last day. `form`: the right form, for messages.
pub fn read_place(node: &Node, form: &str, report: &mut Report) -> Option<(Place, Option<At<time::Date>>)> {
    let right_form = format!("write where it is kept: {form}, or {{ file: … }}, or {{ command: [ … ] }}");
    let is_a_place = |entry: &&(Node, Node)| entry.0.text() != Some("expires");
    match &node.value {
        Value::Scalar { .. } => {
            report.error(node.span, "a secret is never written in this file", right_form);
            None
        }
        Value::Mapping(entries) if entries.iter().filter(is_a_place).count() != 1 => {
            entries.iter().for_each(|(_, value)| report.mask(value.span));
            report.error(node.label, "a secret is kept in exactly one place: `env`, `file` or `command`", right_form);
            None
        }
        _ => {
            let SecretPlace { env, file, command, expires } = SecretPlace::read(node, report)?;
            let argv = |argv: At<Vec<At<Text>>>| argv.value.into_iter().map(|argument| argument.value.0).collect();
            let place = env.map(|name| Place::Env(name.value, name.span));
            let place = place.or_else(|| file.map(|path| Place::File(path.value, path.span)));
            let place = place.or_else(|| command.map(|command| Place::Command(argv(command))));
            place.map(|place| (place, expires))
        }
    }
}
