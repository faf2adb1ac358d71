//! The environment that a request addresses: its URL in links, and the checks that apply to all of it.

use uuid::Uuid;

use super::address::Address;
use super::data::database::Database;
use super::errors::BusinessCentralError;
use crate::simulator::breakage::Breakage;
use crate::simulator::settings::{Settings, TenantInLinks};

/// The environment that a request addresses.
pub(super) struct Environment<'a> {
    /// Scheme, host and port of links.
    pub origin: String,
    /// The absolute URL of the environment in links.
    pub root: String,
    pub settings: &'a Settings,
}

impl<'a> Environment<'a> {
    /// The environment at `address`, for a client that used this host name.
    pub fn new(settings: &'a Settings, host: &str, address: &Address) -> Self {
        let tenant = match settings.tenant_in_links {
            TenantInLinks::AsRequested => address.tenant.clone(),
            TenantInLinks::Always => Some(settings.tenant_id.to_string()),
            TenantInLinks::Never => None,
        };
        let tenant = tenant.map(|tenant| format!("{tenant}/")).unwrap_or_default();
        let origin = format!("https://{host}");
        Self { root: format!("{origin}/v2.0/{tenant}{}", address.environment), origin, settings }
    }

    /// Rejects a path to another tenant or environment.
    pub fn check(settings: &Settings, tenant_id: Uuid, address: &Address) -> Result<(), BusinessCentralError> {
        let is_tenant = |tenant: &String| {
            let is_domain = tenant.eq_ignore_ascii_case(&settings.tenant_domain);
            let id = if is_domain { Some(settings.tenant_id) } else { Uuid::try_parse(tenant).ok() };
            id == Some(tenant_id)
        };
        if !address.tenant.as_ref().is_none_or(is_tenant) {
            return Err(BusinessCentralError::InvalidCredentials);
        }
        if !address.environment.eq_ignore_ascii_case(&settings.environment) {
            return Err(BusinessCentralError::NoEnvironment);
        }
        Ok(())
    }

    /// Rejects access to the data of a company if the application has no permission set.
    pub fn expect_permission(&self) -> Result<(), BusinessCentralError> {
        if self.settings.broken == Some(Breakage::Permission) {
            Err(BusinessCentralError::NoPermission)
        } else {
            Ok(())
        }
    }

    /// The company of a request that names none. A write may then end up in the wrong company.
    pub fn default_company(&self, database: &Database) -> Result<usize, BusinessCentralError> {
        let name = self.settings.default_company.as_ref().ok_or(BusinessCentralError::NoCompany)?;
        database.find_company(name)
    }
}
