//! The keys of a connector.

use std::path::PathBuf;
use std::time::Duration;

use super::credentials::{ApplicationKeys, ClientCertificateKeys, FederatedTokenKeys, ManagedIdentityKeys};
use super::outbound_proxy::OutboundProxyKey;
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
    /// One connection to Business Central: tenant, application, environment, company.
    ConnectorKeys: "connector", one of [client_secret, client_certificate, federated_token, managed_identity, applications] {
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
        client_certificate: ClientCertificateKeys = Optional,
        /// Instead of a secret: a token that somebody else keeps fresh in a file, such as Kubernetes (workload identity federation).
        federated_token: FederatedTokenKeys = Optional,
        /// Instead of a secret, on Azure: the identity of the virtual machine or App Service. `{}` is the system-assigned one, whose
        /// application ID is `client_id` then.
        managed_identity: ManagedIdentityKeys = Optional,
        /// Several applications of the tenant instead of one. Business Central limits each, so that two get twice as much done on api and OData
        /// routes. SOAP calls gain nothing: their limits are the environment's. Each needs the same permissions and its own card in Business Central.
        applications: Vec<At<ApplicationKeys>> = Optional,
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
        limits: OrOff<LimitsKeys> = Default("{}"),
        /// A file of PEM certificates to trust in addition to those of this machine; relative to this file's folder.
        ca_file: PathBuf = Optional,
        /// The proxy through which this machine reaches the internet, for Entra and Business Central alike: `http://host:port`, or `off`.
        /// Without it, that of the environment (`HTTPS_PROXY` or else `ALL_PROXY`, and `NO_PROXY`), if it has one.
        outbound_proxy: OutboundProxyKey = Optional,
        /// How long to wait for what.
        timeouts: TimeoutsKeys = Default("{}"),
    }
}

mapping! {
    /// How much an application may ask at a time, and how long programs wait for their turn.
    LimitsKeys: "connector's limits" {
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
    /// How long a connector waits for what. From more than nothing up to `24h`.
    TimeoutsKeys: "connector's timeouts" {
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
