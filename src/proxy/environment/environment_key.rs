//! What an environment, and a limiter in it, is known by: to connectors that share it, and to other replicas.

use super::changes::{Changes, SharedChanges};
use crate::business_central::EnvironmentName;
use crate::config;
use crate::entra::{ClientId, TenantId};
use crate::outbound::HttpsUrl;
use crate::shared_store::{SharedStore, StoreKey};

/// An environment, whichever connector leads there.
#[derive(PartialEq, Eq, Hash)]
pub struct EnvironmentKey {
    base_url: HttpsUrl,
    tenant: TenantId,
    /// In lower case: Business Central ignores the case of an environment's name.
    environment: String,
}

/// What shares a limiter: the API and OData requests of an application to an environment, or without an application
/// all SOAP calls to it.
pub type LimiterKey = (EnvironmentKey, Option<ClientId>);

impl EnvironmentKey {
    /// The environment that a connector leads to, or a route of it.
    pub fn of(connector: &config::Connector, environment: &EnvironmentName) -> Self {
        Self {
            base_url: connector.base_url.clone(),
            tenant: connector.application.tenant_id.clone(),
            environment: environment.as_str().to_ascii_lowercase(),
        }
    }

    /// The changes in the environment, as replicas share them.
    pub fn shared_changes(&self, shared: &SharedChanges) -> Changes {
        let Self { base_url, tenant, environment } = self;
        Changes::shared(shared.environment(&[base_url.as_str(), &tenant.to_string(), environment]))
    }
}

/// The key of a limiter, for other replicas.
pub fn limiter_key(store: &SharedStore, (environment, application): &LimiterKey) -> StoreKey {
    let EnvironmentKey { base_url, tenant, environment } = environment;
    let application = application.map_or_else(|| "soap".to_owned(), |application| application.to_string());
    store.key(&["limiter", base_url.as_str(), &tenant.to_string(), environment, &application])
}
