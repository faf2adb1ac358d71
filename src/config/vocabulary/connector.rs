//! The keys of a connector: its applications and their credentials, limits, timeouts and outbound proxy.

use std::path::PathBuf;
use std::time::Duration;

use super::scalars::{Exception, Scope, Text};
use super::secret::{Secret, SecretKeys, read_secret};
use crate::business_central::{CompanyRef, EnvironmentName};
use crate::config::model::{Count, Rate};
use crate::config::shape::{At, Form, Named, OneOrMore, OrOff, Shape, mapping};
use crate::config::yaml::{Node, Report};
use crate::entra::{ClientId, Cloud, TenantId};
use crate::outbound::{HttpsUrl, ProxyAddress};
use crate::secret::SecretSource;

mapping! {
    /// A connection to Business Central: a tenant, the application that signs in, an environment, and a company.
    ConnectorKeys: "connector", one of [client_secret, client_certificate, federated_token, managed_identity, applications] {
        /// Directory (tenant) ID: a GUID, or a domain such as `contoso.onmicrosoft.com`.
        /// Shown in the Microsoft Entra admin center: App registrations → your application → Overview.
        tenant_id: TenantId = Required,
        /// Application (client) ID: a GUID, shown on the same page.
        client_id: ClientId = Unless("applications"),
        /// Where the client secret is stored. Never write the secret itself in this file.
        /// bcproxy reads the secret again before every token request.
        /// A list is tried in order, to replace a secret without an interruption.
        client_secret: OneOrMore<Secret> = Optional,
        /// A certificate, instead of a client secret.
        /// Upload its public part in Entra: App registrations → your application → Certificates & secrets.
        /// bcproxy reads the files again before every token request.
        client_certificate: ClientCertificateKeys = Optional,
        /// A token in a file, instead of a client secret (workload identity federation).
        /// A platform such as Kubernetes refreshes the file.
        federated_token: FederatedTokenKeys = Optional,
        /// The identity of an Azure virtual machine or App Service, instead of a client secret.
        /// `{}` selects the system-assigned identity: set `client_id` to its application ID.
        managed_identity: ManagedIdentityKeys = Optional,
        /// Several applications of the tenant, instead of one `client_id`.
        /// Business Central limits each application: two applications double the throughput of API and OData requests.
        /// They also double the rate of SOAP requests, but not how many run at the same time.
        /// Give each application the same permissions and its own card in Business Central.
        applications: Vec<At<ApplicationKeys>> = Optional,
        /// The name of the environment, as shown in the Business Central admin center.
        environment: EnvironmentName = Default("Production"),
        /// The company's name, as shown on the page "Companies" in Business Central, or its ID.
        /// Leave it out if clients name the company in each request.
        company: CompanyRef = Optional,
        /// Company names that clients use on `nav` routes, each with the company's name or ID at Business Central:
        /// `{ "Old name": "New name", … }`.
        /// `nav` routes then reach only these companies and the connector's own, by old or new name.
        companies: Named<CompanyRef> = Optional,
        /// The national cloud of the tenant. It selects the `authority`, but neither `base_url` nor `scope`.
        cloud: Cloud = Default("public"),
        /// The Entra endpoint that issues tokens. Default: that of `cloud`, which is
        /// `https://login.microsoftonline.com`, `https://login.microsoftonline.us` or
        /// `https://login.partner.microsoftonline.cn`.
        authority: HttpsUrl = Optional,
        /// The address of Business Central.
        base_url: HttpsUrl = Default("https://api.businesscentral.dynamics.com"),
        /// The resource that tokens are requested for.
        scope: Scope = Default("https://api.businesscentral.dynamics.com/.default"),
        /// How many requests bcproxy sends to one environment as one application. `off` removes the limits.
        /// The defaults are Business Central's own limits.
        /// bcproxy queues requests beyond them, which Business Central would otherwise reject.
        /// SOAP requests are limited separately, with the same values. `requests` applies to each application.
        /// `concurrency` and `queue` apply to all applications of the environment together.
        limits: OrOff<LimitsKeys> = Default("{}"),
        /// A PEM file of certificates to trust in addition to those that this machine trusts.
        /// Use it for a firewall that inspects TLS. Relative to the folder of `proxy.yaml`.
        ca_file: PathBuf = Optional,
        /// The proxy through which bcproxy reaches Entra and Business Central: `http://host:port`, or `off` for none.
        /// Default: the environment variables `HTTPS_PROXY`, or else `ALL_PROXY`, and `NO_PROXY`.
        outbound_proxy: OrOff<OutboundServerKeys> = Optional,
        /// How long to wait for each part of a request.
        timeouts: TimeoutsKeys = Default("{}"),
    }
}

mapping! {
    /// One of several applications.
    ApplicationKeys: "application", one of [client_secret, client_certificate, federated_token, managed_identity] {
        /// Application (client) ID: a GUID.
        client_id: ClientId = Required,
        /// Where the client secret is stored, as in a connector.
        client_secret: OneOrMore<Secret> = Optional,
        /// A certificate, as in a connector.
        client_certificate: ClientCertificateKeys = Optional,
        /// A token in a file, as in a connector.
        federated_token: FederatedTokenKeys = Optional,
        /// An Azure identity, as in a connector.
        managed_identity: ManagedIdentityKeys = Optional,
    }
}

mapping! {
    /// A certificate and its private key in PEM files. The key must not have a password.
    /// Convert a PKCS#12 file (`.pfx`, `.p12`) with `openssl pkcs12 -in FILE -nodes -out FILE.pem`.
    ClientCertificateKeys: "client certificate" {
        /// The file with the certificate. Relative to the folder of `proxy.yaml`.
        certificate: PathBuf = Required,
        /// The file with the RSA private key (PKCS#8 or PKCS#1). Leave it out if the key is in the file of the
        /// certificate.
        private_key: PathBuf = Optional,
    }
}

mapping! {
    /// A token that another program refreshes.
    FederatedTokenKeys: "federated token" {
        /// The file with the token. Relative to the folder of `proxy.yaml`. bcproxy reads it again before every token
        /// request.
        file: PathBuf = Required,
    }
}

mapping! {
    /// An identity that Azure assigns to a virtual machine or service.
    ManagedIdentityKeys: "managed identity" {
        /// The client ID of a user-assigned identity.
        /// If it differs from the connector's `client_id`, bcproxy signs in as that application with this identity.
        /// That application then needs a federated credential for the identity.
        client_id: ClientId = Optional,
    }
}

mapping! {
    /// How many requests bcproxy sends to one environment, and how long further requests wait in the queue.
    LimitsKeys: "limits section" {
        /// How many requests may run at the same time. Business Central works on 5 and queues 95 more.
        /// On a model, 8 gained 16 % at most with the usual times of network and work, and 4 % within `requests`.
        concurrency: Count = Default("5"),
        /// How many requests may start within a period.
        /// The first half may start at once. The rest is spread over the time until earlier requests no longer count.
        requests: Rate = Default("6000 per 5m"),
        /// How many requests may wait in the queue.
        /// When the queue is full, bcproxy answers 429 to a request of the client that has the most queued.
        queue: Count = Default("10000"),
        /// How long a request may wait in the queue before bcproxy answers 429. Choose less than the clients' own
        /// timeout. A request that would certainly wait longer is answered at once.
        wait: Duration = Default("90s"),
    }
}

mapping! {
    /// How long a connector waits for each part of a request. Each timeout is longer than zero and at most `24h`.
    TimeoutsKeys: "connector's timeouts section" {
        /// Name lookup, TCP and TLS handshake together.
        connect: Duration = Default("10s"),
        /// From the last byte of the request to the first byte of the response.
        /// Business Central itself gives up after ten minutes.
        head: Duration = Default("630s"),
        /// Between two pieces of a body, in either direction.
        /// Clients must also send and receive at least 240 bytes a second while bcproxy waits for them.
        /// A client may pause for up to a minute while it sends.
        body_idle: Duration = Default("630s"),
        /// How long an unused connection to Business Central stays open for reuse.
        pool_idle: Duration = Default("90s"),
        /// A complete token request. Clients that wait for a token wait as long for a retry of one that failed.
        token: Duration = Default("10s"),
    }
}

mapping! {
    /// A proxy for connections to Entra and Business Central (HTTP `CONNECT`).
    /// Set a user name and password if the proxy requires them (Basic authentication).
    OutboundServerKeys: "outbound proxy", short for url: ProxyAddress {
        /// The address of the proxy: `http://host:port`. Without a port, it is port 80.
        url: ProxyAddress = Required,
        /// The user name.
        user: Text = Optional,
        /// Where the password is stored. Never write the password itself in this file.
        /// bcproxy reads the password again for every connection.
        password: PasswordKey = Optional,
        /// What bcproxy reaches without the proxy, as in `NO_PROXY`.
        /// Possible are hosts, domains with their subdomains (`contoso.local`), addresses and networks (`10.0.0.0/8`).
        /// With a port, as in `gateway:8443`, an entry is for that port only.
        /// This machine (`localhost`, `127.0.0.0/8`, `::1`) never needs the proxy.
        except: Vec<At<Exception>> = Optional,
    }
}

/// Where the password is stored. `None` for an invalid location, which is reported, to distinguish it from an absent
/// one.
#[derive(Debug)]
pub struct PasswordKey(pub Option<At<SecretSource>>);

impl Shape for PasswordKey {
    fn form() -> Form {
        SecretKeys::form()
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let secret = read_secret(node, "password: { env: PROXY_PASSWORD }", report);
        Some(Self(secret.map(|secret| secret.source)))
    }
}
