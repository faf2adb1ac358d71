//! The keys of a connector.

use std::path::PathBuf;
use std::time::Duration;

use super::credentials::{ApplicationKeys, ClientCertificateKeys, FederatedTokenKeys, ManagedIdentityKeys};
use super::outbound_proxy::OutboundServerKeys;
use super::scalars::Scope;
use super::secret::Secret;
use crate::business_central::{CompanyRef, EnvironmentName};
use crate::config::model::limits::{Count, Rate};
use crate::config::shape::collections::{Named, OneOrMore, OrOff};
use crate::config::shape::mapping::mapping;
use crate::config::shape::read::At;
use crate::entra::{ClientId, Cloud, TenantId};
use crate::outbound::HttpsUrl;

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
