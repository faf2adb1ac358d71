//! A request as the surfaces see it, and the place it was sent to.

use bytes::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, IF_MATCH};
use hyper::{HeaderMap, Method};
use uuid::Uuid;

use super::address::Address;
use super::books::Books;
use super::errors::Failure;
use crate::simulator::breakage::Breakage;
use crate::simulator::settings::{Settings, TenantInLinks};

/// How much of a body a request may have, in bytes.
pub(super) const BODY_LIMIT: usize = 16 << 20;

/// Where a request's environment is, and what holds for all of it.
pub(super) struct Place<'a> {
    /// Scheme, host and port, as links name them.
    pub origin: String,
    /// The environment's absolute address, as links name it.
    pub root: String,
    pub settings: &'a Settings,
}

/// A request whose whole body has arrived.
pub(super) struct Request<'a> {
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
    /// The query as it arrived.
    pub query: &'a str,
    /// The body, or `None` when it was larger than [`BODY_LIMIT`].
    pub body: Option<&'a Bytes>,
    /// The address of a webhook's receiver that has just answered the validation request.
    pub validated: Option<&'a str>,
}

/// How much an answer says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    None,
    Minimal,
    Full,
}

impl<'a> Place<'a> {
    /// The place `address` leads to, for a client that used this host.
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

    /// Refuses an address of another tenant or environment.
    pub fn check(settings: &Settings, tenant_id: Uuid, address: &Address) -> Result<(), Failure> {
        let is_tenant = |tenant: &String| {
            let is_domain = tenant.eq_ignore_ascii_case(&settings.tenant_domain);
            let id = if is_domain { Some(settings.tenant_id) } else { Uuid::try_parse(tenant).ok() };
            id == Some(tenant_id)
        };
        if !address.tenant.as_ref().is_none_or(is_tenant) {
            return Err(Failure::InvalidCredentials);
        }
        if !address.environment.eq_ignore_ascii_case(&settings.environment) {
            return Err(Failure::NoEnvironment);
        }
        Ok(())
    }

    /// Refuses a company's data to an application without a permission set.
    pub fn expect_permission(&self) -> Result<(), Failure> {
        if self.settings.broken == Some(Breakage::Permission) { Err(Failure::NoPermission) } else { Ok(()) }
    }

    /// The company a request falls back to when it names none: the way into the wrong books.
    pub fn default_company(&self, books: &Books) -> Result<usize, Failure> {
        let name = self.settings.default_company.as_ref().ok_or(Failure::NoCompany)?;
        books.find_company(name)
    }
}

impl Request<'_> {
    pub fn expect_read(&self) -> Result<(), Failure> {
        match *self.method {
            Method::GET | Method::HEAD => Ok(()),
            _ => Err(Failure::Method(self.method.to_string())),
        }
    }

    /// The value of a query option, its name in any case.
    pub fn option(&self, name: &str) -> Option<String> {
        let mut options = form_urlencoded::parse(self.query.as_bytes());
        options.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
    }

    pub fn whole_body(&self) -> Result<&Bytes, Failure> {
        self.body.ok_or(Failure::TooLarge)
    }

    /// The type of the body, without its parameters, in lower case.
    pub fn media_type(&self) -> String {
        self.header(CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    pub fn level(&self) -> Level {
        let accepted = self.header(ACCEPT).to_ascii_lowercase();
        if accepted.contains("odata.metadata=full") {
            Level::Full
        } else if accepted.contains("odata.metadata=none") {
            Level::None
        } else {
            Level::Minimal
        }
    }

    /// Whether one of the preferences is this one.
    pub fn prefers(&self, preference: &str) -> bool {
        self.preferences().any(|known| known.eq_ignore_ascii_case(preference))
    }

    pub fn preferences(&self) -> impl Iterator<Item = &str> {
        let values = self.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split([',', ';'])).map(str::trim)
    }

    /// Whether a write of a version with this tag may happen. Without a tag it may not, where one is `required`.
    pub fn check_tag(&self, current: &str, required: bool) -> Result<(), Failure> {
        let Some(tag) = self.headers.get(IF_MATCH) else {
            return if required { Err(Failure::NoConcurrencyToken) } else { Ok(()) };
        };
        match tag.to_str() {
            Ok("*") => Ok(()),
            Ok(tag) if tag == current => Ok(()),
            Ok(tag) if tag.starts_with("W/\"") => Err(Failure::EntityChanged),
            _ => Err(Failure::NoConcurrencyToken),
        }
    }

    /// The value of a header; empty when there is none.
    pub fn header(&self, name: HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
