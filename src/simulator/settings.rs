//! What a simulator is made of.

use std::time::Duration;

use uuid::Uuid;

use super::breakage::Breakage;

/// What a simulator is made of; the default is a small tenant with three companies.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Directory (tenant) ID.
    pub tenant_id: Uuid,
    /// A verified domain of the tenant, as good as its id.
    pub tenant_domain: String,
    /// Application (client) ID.
    pub client_id: Uuid,
    pub client_secret: String,
    /// The only environment.
    pub environment: String,
    pub companies: Vec<CompanySettings>,
    /// The name of the company a request falls back to when it names none; without one such a request is refused.
    pub default_company: Option<String>,
    /// How long tokens are valid, in whole seconds.
    pub token_lifetime: Duration,
    /// Entra's `refresh_in`, where it is to be sent.
    pub token_refresh_in: Option<Duration>,
    /// Records in one OData page, unless the client asks for another number.
    pub page_size: usize,
    /// Customers each company starts with.
    pub customers: usize,
    /// Whether absolute addresses in answers name the tenant.
    pub tenant_in_links: TenantInLinks,
    /// Whether answers are compressed with gzip for clients that ask for it; never for `Range`.
    pub compress_responses: bool,
    /// Whether JSON is written with `\/` for `/`, as some serializers do.
    pub escape_slashes: bool,
    /// How much Business Central takes at a time; everything by default.
    pub limits: Option<Limits>,
    /// How many requests the record keeps at least; twice as many at most.
    pub request_log_limit: usize,
    /// The one thing that is wrong with the set-up.
    pub broken: Option<Breakage>,
    /// Port of the Entra listener; any free one by default.
    pub entra_port: Option<u16>,
    /// Port of the Business Central listener; any free one by default.
    pub business_central_port: Option<u16>,
}

/// What Business Central takes of one application, and of SOAP calls together; more is answered with 429.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests in work at once.
    pub concurrency: usize,
    /// Requests within `per`.
    pub requests: usize,
    pub per: Duration,
}

/// A company: its immutable id, its technical name (at most 30 characters) and the name printed on its documents.
#[derive(Debug, Clone)]
pub struct CompanySettings {
    pub id: Uuid,
    pub name: String,
    pub display_name: String,
}

/// Whether absolute addresses in answers name the tenant. The real service is seen to do either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantInLinks {
    /// As the request did.
    AsRequested,
    Always,
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

fn company(number: u128, name: &str, display_name: &str) -> CompanySettings {
    let id = Uuid::from_u128(0x824820a2_508c_ed11_aada_000000000000 | number);
    CompanySettings { id, name: name.to_owned(), display_name: display_name.to_owned() }
}
