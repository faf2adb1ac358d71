//! Checks of subscriptions: what Business Central reports is about the route's company, and no client sees or changes
//! the subscriptions
//! of another one.

use hyper::Method;

use super::body_address::{BodyContext, ResolvedAddress, not_json};
use crate::business_central::address::{AddressError, Resource, SubscriptionKind, SubscriptionScope, split_query};
use crate::business_central::body_addresses::{Allowance, BodyAddresses};
use crate::business_central::{Members, join_names};
use crate::proxy::environment::look_up::LookUp;
use crate::proxy::methods::{creates, only_reads};
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::request::company_choice::{Companies, check_automation, within};

/// Rejects access to subscriptions of other companies.
///
/// An environment has one set of subscriptions for all companies. Lists are filtered when the response arrives; a
/// single subscription is
/// looked up first.
pub async fn check_access(
    resource: &Resource,
    companies: &Companies,
    methods: &[Method],
    look_up: &impl LookUp,
) -> Result<(), Rejection> {
    let (Some(within), Some((subscription, portion))) = (&companies.within, resource.subscription_scope()) else {
        return Ok(());
    };
    let only = format!("this route leads to the company `{}` only", join_names(within));
    let message = match portion {
        SubscriptionScope::One(one) => {
            match look_up.is_subscribed_in(subscription, &one, companies.company.as_deref(), within).await? {
                true => return Ok(()),
                false => format!("The subscription belongs to another company, and {only}."),
            }
        }
        SubscriptionScope::All if creates(methods) => return Ok(()),
        SubscriptionScope::All if methods.iter().all(|method| only_reads(method) || method == Method::OPTIONS) => {
            match resource.unsupported_option(subscription) {
                None => return Ok(()),
                Some(option) => format!(
                    "The list contains the subscriptions of all companies, and {only}. The response has to be filtered, which \
                     `{option}` prevents. Remove it{}.",
                    if option.ends_with("select") {
                        format!(", or add {} to it", subscription.target_members().join(" or "))
                    } else {
                        String::new()
                    }
                ),
            }
        }
        SubscriptionScope::All | SubscriptionScope::Derived => {
            format!(
                "The address leads to the subscriptions of all companies, and {only}. Request the list, or a single one by its id."
            )
        }
    };
    Err(Rejection::new(Kind::NotAllowed, message))
}

/// Rejects a subscription to another company than the route's. Returns the body with the local address of a `resource`
/// made an upstream one; `None` when there is nothing to change. The receiver's address stays: Business Central calls
/// it itself.
///
/// `creates`: whether the subscription is a new one, which has to be complete. `at` is where it is sent.
pub async fn check_subscription(
    subscription: SubscriptionKind,
    creates: bool,
    at: &Resource,
    body: &str,
    context: &BodyContext<'_, impl LookUp>,
    allowance: &mut Allowance,
) -> Result<Option<String>, Rejection> {
    let members = BodyAddresses::find(body, allowance).and_then(|_| Ok(serde_json::from_str::<Members<'_>>(body)?));
    let Some(members) = context.readable(members)? else { return Ok(None) };
    match subscription {
        SubscriptionKind::Webhook => check_webhook(at, body, &members, context).await,
        SubscriptionKind::Event => check_event(creates, at, &members, context).await.map(|()| None),
    }
}

async fn check_webhook(
    at: &Resource,
    body: &str,
    members: &Members<'_>,
    context: &BodyContext<'_, impl LookUp>,
) -> Result<Option<String>, Rejection> {
    let Some(value) = members.get("resource").filter(|value| value.get() != "null") else { return Ok(None) };
    let Some(addresses) = context.readable(BodyAddresses::of_value(body, value))? else { return Ok(None) };
    let asked = addresses.iter().next().unwrap_or_default();
    context.environment.check_target(asked)?;
    let mut watched = Resource::from_webhook(asked, context.environment)?;
    let translated = translated_webhook(asked, watched.as_ref(), context).await?;
    if let Some(translated) = &translated {
        watched = Resource::from_webhook(translated, context.environment)?;
    }
    watched = watched.map(|watched| watched.by_client(&[], context.environment)).transpose()?;
    let about = watched.as_ref().unwrap_or(at);
    check_automation(context.settings, about)?;
    if let Some(within) = within(context.settings, context.look_up, about).await? {
        let is_inside = |watched: &Resource| within.iter().any(|company| watched.is_explicitly_in(company));
        if !watched.as_ref().is_some_and(is_inside) {
            if let Some(mut watched) = watched {
                watched.restrict_to(&within)?;
            }
            let id = within.first().map_or_else(String::new, |company| company.id.to_string());
            return Err(AddressError::WebhookResource { asked: asked.to_owned(), id }.into());
        }
    }
    Ok(translated.map(|translated| addresses.replaced(&[Some(translated)])))
}

/// The upstream address of a local `resource`; `None` for any other. A path that Business Central understands is its
/// own, even if a route has the same path. `watched` is what Business Central would read.
async fn translated_webhook(
    asked: &str,
    watched: Option<&Resource>,
    context: &BodyContext<'_, impl LookUp>,
) -> Result<Option<String>, Rejection> {
    let (path, _) = split_query(asked);
    let is_local = match watched {
        None => context.base().path_at_base(path).is_some(),
        Some(watched) => watched.is_opaque() && path.starts_with('/') && context.base().below_route(path)?.is_some(),
    };
    if !is_local {
        return Ok(None);
    }
    let Some(ResolvedAddress { resource, companies, .. }) = context.resolve(asked, &[]).await? else { return Ok(None) };
    Ok(Some(resource.path_and_query(&context.environment.url(), companies.company.as_deref())?))
}

async fn check_event(
    creates: bool,
    at: &Resource,
    members: &Members<'_>,
    context: &BodyContext<'_, impl LookUp>,
) -> Result<(), Rejection> {
    let mut named = Vec::new();
    for member in SubscriptionKind::Event.target_members() {
        named.extend(text(members, member)?.filter(|named| !named.is_empty()));
    }
    // As in a header: checked together with the company that the address names.
    let mut about = at.clone().by_client(&named, context.environment)?;
    let Some(within) = within(context.settings, context.look_up, &about).await? else { return Ok(()) };
    about.restrict_to(&within)?;
    if creates && named.is_empty() && !about.has_explicit_company() {
        let company = within.first().map_or("", |company| company.name.as_str());
        let message = format!(
            "The subscription names no company, and Business Central would use its default company. Add \"companyName\": \"{company}\" to it."
        );
        return Err(Rejection::new(Kind::BadRequest, message));
    }
    Ok(())
}

/// A member that has to be a string; `None` where it is missing or null.
fn text(members: &Members<'_>, name: &str) -> Result<Option<String>, Rejection> {
    let Some(value) = members.get(name) else { return Ok(None) };
    serde_json::from_str(value.get()).map_err(|error| not_json(&error))
}
