//! Addresses inside a request's body, read like those of requests of their own.

use std::fmt;

use crate::business_central::address::{BodyAddress, BodyBase, EnvironmentAddress, Resource};
use crate::business_central::body_addresses::Unreadable;
use crate::config;
use crate::proxy::environment::look_up::LookUp;
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::request::company_choice::{Companies, companies_of, is_confined};
use crate::proxy::request::read_only::ReadOnly;

/// What the addresses in a body are read against.
#[derive(Debug)]
pub struct BodyContext<'a, L> {
    pub settings: &'a config::Route,
    pub environment: &'a EnvironmentAddress,
    pub read_only: ReadOnly<'a>,
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
    pub fn readable<T>(&self, read: Result<T, impl Into<Unreadable>>) -> Result<Option<T>, Rejection> {
        match read.map_err(Into::into) {
            Ok(read) => Ok(Some(read)),
            Err(_) if !self.is_confined() => Ok(None),
            Err(Unreadable::NotJson(error)) => Err(not_json(&error)),
            Err(Unreadable::Unexpected(error)) => Err(not_json(&error)),
            Err(Unreadable::TooMuch(bound)) => {
                let message = format!(
                    "The body is too much to check for addresses outside the route's company: {bound}. Send it in parts, or through \
                     a route without `company`."
                );
                Err(Rejection::new(Kind::TooLarge, message))
            }
        }
    }
}

/// The rejection of a body that can't be read as JSON.
pub fn not_json(error: &impl fmt::Display) -> Rejection {
    let message = format!("The body's JSON can't be read ({error}), so its company is not known. Correct the body.");
    Rejection::new(Kind::BadRequest, message)
}
