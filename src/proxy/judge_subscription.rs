//! Judging the body of a subscription: what Business Central reports of its own accord is about the route's company.

use std::sync::Arc;

use super::inside::Inside;
use super::judge_body::unreadable;
use super::look_up::LookUp;
use super::refusal::{Kind, Refusal};
use crate::business_central::address::{AddressError, Resource, Subscription};
use crate::business_central::{Company, Members};

/// Refuses a subscription to another company than the route's. Its addresses are not ours to change: Business Central calls the receiver
/// itself, and names what has changed by the address that is watched.
///
/// `creates`: whether the subscription is a new one, which has to say all. `at` is where it is sent.
pub async fn judge_subscription(
    subscription: Subscription,
    creates: bool,
    at: &Resource,
    body: &str,
    inside: &Inside<'_, impl LookUp>,
) -> Result<(), Refusal> {
    let members: Members<'_> = serde_json::from_str(body).map_err(|error| unreadable(&error))?;
    match subscription {
        Subscription::Webhook => judge_webhook(at, &members, inside).await,
        Subscription::Event => judge_event(creates, at, &members, inside).await,
    }
}

async fn judge_webhook(at: &Resource, members: &Members<'_>, inside: &Inside<'_, impl LookUp>) -> Result<(), Refusal> {
    let Some(asked) = text(members, "resource")? else { return Ok(()) };
    let watched = Resource::watched(&asked.replace('#', "%23"), inside.environment)?;
    let Some(company) = routes_company(watched.as_ref().unwrap_or(at), inside).await? else { return Ok(()) };
    if let Some(watched) = &watched {
        watched.judge(Some(&company))?;
    }
    match watched.is_some_and(|watched| watched.names_its_company()) {
        true => Ok(()),
        false => Err(AddressError::Unwatchable { asked, id: company.id.to_string() }.into()),
    }
}

async fn judge_event(
    creates: bool,
    at: &Resource,
    members: &Members<'_>,
    inside: &Inside<'_, impl LookUp>,
) -> Result<(), Refusal> {
    let mut named = Vec::new();
    for member in ["companyName", "companyId"] {
        named.extend(text(members, member)?.filter(|named| !named.is_empty()));
    }
    // As in a header: judged together with what the address names.
    let about = at.clone().named_by(&named)?;
    let Some(company) = routes_company(&about, inside).await? else { return Ok(()) };
    about.judge(Some(&company))?;
    if creates && named.is_empty() && !about.names_its_company() {
        let message = format!(
            "The subscription names no company, and Business Central would take its own default; add \"companyName\": \"{}\" to it.",
            company.name
        );
        return Err(Refusal::new(Kind::BadRequest, message));
    }
    Ok(())
}

/// A member that has to be a text; `None` where it is missing or null.
fn text(members: &Members<'_>, name: &str) -> Result<Option<String>, Refusal> {
    let Some(value) = members.get(name) else { return Ok(None) };
    serde_json::from_str(value.get()).map_err(|error| unreadable(&error))
}

async fn routes_company(about: &Resource, inside: &Inside<'_, impl LookUp>) -> Result<Option<Arc<Company>>, Refusal> {
    match &inside.settings.company {
        Some(wanted) => inside.look_up.company(wanted, about).await.map(Some),
        None => Ok(None),
    }
}
