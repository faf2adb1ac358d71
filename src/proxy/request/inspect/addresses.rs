//! Checks of JSON bodies: the addresses in them lead to Business Central, and to no other company.

use tokio::task::coop::consume_budget;

use super::body_address::BodyContext;
use crate::business_central::body_addresses::{Allowance, BodyAddresses, may_contain_addresses};
use crate::proxy::environment::look_up::LookUp;
use crate::proxy::rejection::{Kind, Rejection};

/// The body with its local addresses made upstream ones; `None` when there is nothing to change.
///
/// On a route that is confined to companies, a body that can't be read is rejected, whatever it holds.
pub async fn check_addresses(
    body: &str,
    context: &BodyContext<'_, impl LookUp>,
    allowance: &mut Allowance,
) -> Result<Option<String>, Rejection> {
    if body.trim_ascii().is_empty() || !context.is_confined() && !may_contain_addresses(body.as_bytes()) {
        return Ok(None);
    }
    let Some(addresses) = context.readable(BodyAddresses::find(body, allowance))? else { return Ok(None) };
    let mut replacements = Vec::new();
    for address in addresses.iter() {
        // Each takes a few microseconds, and there may be thousands.
        consume_budget().await;
        replacements.push(check_address(address, context).await?);
    }
    let is_changed = replacements.iter().any(Option::is_some);
    Ok(is_changed.then(|| addresses.replaced(&replacements)))
}

/// An address in the body as Business Central can follow it; `None` when it needs no change.
async fn check_address(address: &str, context: &BodyContext<'_, impl LookUp>) -> Result<Option<String>, Rejection> {
    let Some(understood) = context.resolve(address, &[]).await? else {
        // Business Central may still accept it, if it reads addresses leniently.
        let spelled_out = address.replace('\\', "/");
        context.check_reference(&format!("/{spelled_out}"), &[]).await?;
        return Ok(context.environment.check_target(address).map(|()| None)?);
    };
    let company = understood.companies.company.as_deref();
    if !understood.resource.same_service_as(context.request) {
        return Err(other_service(address));
    }
    understood.resource.check_company(company)?;
    if understood.is_relative || context.environment.path_at_origin(address).is_some() {
        return Ok(None);
    }
    Ok(Some(understood.resource.path_and_query(&context.environment.url(), company)?))
}

/// The rejection of an address that belongs to another service than the request.
pub fn other_service(address: &str) -> Rejection {
    let message = format!(
        "The address `{address}` in the body belongs to another service than the request. Write it relative to the root of the request's \
         service, such as customers(…)."
    );
    Rejection::new(Kind::BadRequest, message)
}
