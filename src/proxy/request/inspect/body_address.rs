//! Addresses inside a request's body, read like those of requests of their own.

use crate::business_central::address::{BodyAddress, BodyBase, EnvironmentAddress, Resource};
use crate::config;
use crate::proxy::environment::look_up::LookUp;
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::request::company_choice::{Companies, companies_of, is_confined};

/// What the addresses in a body are read against.
#[derive(Debug)]
pub struct BodyContext<'a, L> {
    pub settings: &'a config::Route,
    pub environment: &'a EnvironmentAddress,
    pub look_up: &'a L,
    /// Scheme and authority by which the client reaches bcproxy.
    pub base_url: &'a str,
    /// What the request itself asks for.
    pub request: &'a Resource,
}

/// An address inside a body.
#[derive(Debug)]
pub struct ResolvedAddress {
    pub resource: Resource,
    pub companies: Companies,
    pub is_relative: bool,
}

impl<L: LookUp> BodyContext<'_, L> {
    /// How addresses are read.
    pub fn base(&self) -> BodyBase<'_> {
        BodyBase {
            surface: &self.settings.surface,
            route: self.settings.path.as_str(),
            base_url: self.base_url,
            environment: self.environment,
            request: self.request,
        }
    }

    /// What an address asks for; `None` when it belongs to another server.
    pub async fn resolve(
        &self,
        address: &str,
        company_headers: &[String],
    ) -> Result<Option<ResolvedAddress>, Rejection> {
        let (resource, is_relative) = match self.base().read(address, company_headers)? {
            BodyAddress::Relative(resource) => (resource, true),
            BodyAddress::Absolute(resource) => (resource, false),
            BodyAddress::Elsewhere => return Ok(None),
        };
        self.in_company(resource, is_relative).await.map(Some)
    }

    /// Checks what follows a reference to an earlier request of the batch: it must not leave what that request asks
    /// for.
    pub async fn check_reference(&self, rest: &str, company_headers: &[String]) -> Result<(), Rejection> {
        let understood = self.in_company(self.base().read_reference(rest, company_headers)?, true).await?;
        Ok(understood.resource.check_company(understood.companies.company.as_deref())?)
    }

    async fn in_company(&self, mut resource: Resource, is_relative: bool) -> Result<ResolvedAddress, Rejection> {
        let companies = companies_of(self.settings, self.look_up, &mut resource).await?;
        Ok(ResolvedAddress { resource, companies, is_relative })
    }

    /// Whether the route can't reach every company.
    pub fn is_confined(&self) -> bool {
        is_confined(self.settings)
    }

    /// What was read of a body. `None` where it can't be read and passes as it came: on a route that reaches any
    /// company, there is nothing to confine.
    pub fn readable<T>(&self, read: Result<T, serde_json::Error>) -> Result<Option<T>, Rejection> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(_) if !self.is_confined() => Ok(None),
            Err(error) => Err(not_json(&error)),
        }
    }
}

/// The rejection of a body that is no JSON.
pub fn not_json(error: &serde_json::Error) -> Rejection {
    let message = format!("The body is not valid JSON ({error}), so its company is not known. Correct the body.");
    Rejection::new(Kind::BadRequest, message)
}
