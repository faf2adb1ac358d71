//! Judging a body of JSON: the addresses in it lead to Business Central, and to no other company.

use super::body_address::BodyContext;
use crate::business_central::body_addresses::{BodyAddresses, may_contain_addresses};
use crate::proxy::environment::look_up::LookUp;
use crate::proxy::rejection::{Kind, Rejection};

/// The body with its local addresses turned; `None` when it may go as it is.
pub async fn judge_addresses(body: &str, context: &BodyContext<'_, impl LookUp>) -> Result<Option<String>, Rejection> {
    if !may_contain_addresses(body.as_bytes()) {
        return Ok(None);
    }
    let addresses = BodyAddresses::find(body).map_err(|error| unreadable(&error))?;
    let mut replacements = Vec::new();
    for address in addresses.iter() {
        replacements.push(judge_address(&address.map_err(|error| unreadable(&error))?, context).await?);
    }
    let is_changed = replacements.iter().any(Option::is_some);
    Ok(is_changed.then(|| addresses.replaced(&replacements)))
}

/// An address in the body, as Business Central can follow it; `None` when it can already.
async fn judge_address(address: &str, context: &BodyContext<'_, impl LookUp>) -> Result<Option<String>, Rejection> {
    let Some(understood) = context.from_local(address, &[]).await? else {
        // It may still be Business Central's, in a spelling that only a lenient reader takes.
        let spelled_out = address.replace('\\', "/");
        return context.judge_reference(&format!("/{spelled_out}"), &[]).await.map(|()| None);
    };
    let company = understood.companies.company.as_deref();
    if !understood.resource.same_service_as(context.request) {
        return Err(elsewhere(address));
    }
    understood.resource.check_company(company)?;
    if understood.is_relative || context.environment.path_at_origin(address).is_some() {
        return Ok(None);
    }
    Ok(Some(understood.resource.path_and_query(&context.environment.url(), company)?))
}

/// The answer to an address of another service than the request's own.
pub fn elsewhere(address: &str) -> Rejection {
    let message = format!(
        "The address `{address}` inside the body belongs to another service than the request itself; write it relative to that one's \
         root, such as customers(…)."
    );
    Rejection::new(Kind::BadRequest, message)
}

/// The answer to a body that is no JSON.
pub fn unreadable(error: &serde_json::Error) -> Rejection {
    let message = format!(
        "The body can't be read as JSON ({error}), so that nobody can say which company it is about; correct it."
    );
    Rejection::new(Kind::BadRequest, message)
}
