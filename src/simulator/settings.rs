//! The settings of a simulator.

use std::time::Duration;

use uuid::Uuid;

use super::breakage::Breakage;

/// The settings of a simulator. The default is a small tenant with three companies.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The directory (tenant) ID.
    pub tenant_id: Uuid,
    /// A verified domain of the tenant, accepted in place of its ID.
    pub tenant_domain: String,
    /// The application (client) ID.
    pub client_id: Uuid,
    /// The only client secret of the application.
    pub client_secret: String,
    /// The name of the only environment.
    pub environment: String,
    /// The companies of the environment.
    pub companies: Vec<CompanySettings>,
    /// The name of the company for requests that name none. Without it, such requests are rejected.
    pub default_company: Option<String>,
    /// The lifetime of tokens, in whole seconds.
    pub token_lifetime: Duration,
    /// The `refresh_in` of token responses; `None` leaves it out.
    pub token_refresh_in: Option<Duration>,
    /// The number of records in an OData page, unless the client asks for another.
    pub page_size: usize,
    /// The number of customers in each company at the start.
    pub customers: usize,
    /// Whether some records hold addresses of this Business Central as data, which a proxy must not rewrite.
    pub addresses_in_data: bool,
    /// Whether links in responses name the tenant.
    pub tenant_in_links: TenantInLinks,
    /// Whether responses are compressed with gzip for clients that accept it, except for `Range` requests.
    pub compress_responses: bool,
    /// Whether JSON is written with `\/` for `/`, as some serializers do.
    pub escape_slashes: bool,
    /// Business Central's operational limits; none by default.
    pub limits: Option<ThrottleLimits>,
    /// The minimum number of requests in the log; the maximum is twice as many.
    pub request_log_limit: usize,
    /// The one thing that is wrong with the set-up, if any.
    pub broken: Option<Breakage>,
    /// The port of the Entra listener; any free one by default.
    pub entra_port: Option<u16>,
    /// The port of the Business Central listener; any free one by default.
    pub business_central_port: Option<u16>,
}

/// The operational limits of one application; all SOAP calls share `concurrency`. Requests beyond them are answered
/// with 429.
#[derive(Debug, Clone, Copy)]
pub struct ThrottleLimits {
    /// The number of requests in progress.
    pub concurrency: usize,
    /// The number of requests within `per`.
    pub requests: usize,
    /// The length of the sliding window of `requests`.
    pub per: Duration,
}

/// A company.
#[derive(Debug, Clone)]
pub struct CompanySettings {
    /// The immutable ID.
    pub id: Uuid,
    /// The technical name, at most 30 characters.
    pub name: String,
    /// The name printed on documents.
    pub display_name: String,
}

/// Whether links in responses name the tenant. The real service does either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantInLinks {
    /// If the path of the request did.
    AsRequested,
    /// In every link.
    Always,
    /// In no link.
    Never,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tenant_id: Uuid::from_u128(0x5d2c1f6e_0b7a_4c39_9e84_71a3c0de0001),
            tenant_domain: "cronus.onmicrosoft.com".to_owned(),
            client_id: Uuid::from_u128(0x3f2504e0_4f89_41d3_9a0c_0305e82c3301),
            client_secret: "simulator~secret-value".to_owned(),
            environment: "Production".to_owned(),
            companies: vec![
                company(0xa1, "CRONUS International Ltd.", "CRONUS International Ltd."),
                company(0xa2, "Müller & Söhne's Großhandel", "Müller & Söhne GmbH & Co. KG"),
                company(0xa3, "My Company", "My Company"),
            ],
            default_company: Some("My Company".to_owned()),
            token_lifetime: Duration::from_secs(3600),
            token_refresh_in: None,
            page_size: 20,
            customers: 50,
            addresses_in_data: true,
            tenant_in_links: TenantInLinks::AsRequested,
            compress_responses: true,
            escape_slashes: false,
            limits: None,
            request_log_limit: 10_000,
            broken: None,
            entra_port: None,
            business_central_port: None,
        }
    }
}

impl Settings {
    /// The settings of the services where [`broken`](Self::broken) makes them differ from those of the client.
    pub(super) fn as_deployed(&self) -> Self {
        let mut actual = self.clone();
        match self.broken {
            Some(Breakage::Tenant) => {
                actual.tenant_id = OTHER_ID;
                actual.tenant_domain = "another.onmicrosoft.com".to_owned();
            }
            Some(Breakage::Application) => actual.client_id = OTHER_ID,
            Some(Breakage::Secret) => actual.client_secret = "another~secret-value".to_owned(),
            Some(Breakage::Environment) => actual.environment = "Another".to_owned(),
            Some(Breakage::Company) => {
                if let Some(first) = actual.companies.first_mut() {
                    first.name = "Another Company".to_owned();
                    first.display_name.clone_from(&first.name);
                }
            }
            _ => {}
        }
        actual
    }
}

fn company(number: u128, name: &str, display_name: &str) -> CompanySettings {
    let id = Uuid::from_u128(0x824820a2_508c_ed11_aada_000000000000 | number);
    CompanySettings { id, name: name.to_owned(), display_name: display_name.to_owned() }
}

const OTHER_ID: Uuid = Uuid::from_u128(0xa0a0a0a0_0000_4000_8000_000000000000);
