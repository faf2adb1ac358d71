//! Checks of a `$batch`: each of its requests goes through the same table as if sent alone.

use hyper::Method;

use super::addresses::{check_addresses, other_service};
use super::body_address::{BodyContext, ResolvedAddress};
use super::subscriptions::check_subscription;
use crate::business_central::address::{Resource, SubscriptionKind, SubscriptionScope};
use crate::business_central::batch::{Batch, Operation};
use crate::business_central::body_addresses::Allowance;
use crate::proxy::environment::changes::Extent;
use crate::proxy::environment::look_up::LookUp;
use crate::proxy::headers;
use crate::proxy::methods::{OVERRIDES, creates, known, only_reads};
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::request::authorize::settle;
use crate::proxy::request::company_choice::companies_of;
use crate::proxy::request::route::check_method;

/// The batch as it may be sent, each request with an upstream address in its company; and what the batch may
/// change.
pub async fn check_batch(text: &str, context: &BodyContext<'_, impl LookUp>) -> Result<(String, Extent), Rejection> {
    let mut batch = Batch::parse(text)?;
    // Of each earlier request, in their order.
    let mut abouts: Vec<About> = Vec::with_capacity(batch.operations.len());
    let (mut changes, mut allowance) = (Extent::Nothing, Allowance::default());
    for index in 0..batch.operations.len() {
        let Some((earlier, [operation, ..])) = batch.operations.split_at_mut_checked(index) else { continue };
        let (about, may_change) =
            check_operation(operation, earlier, &abouts, context, &mut allowance).await.map_err(|rejection| {
                let message = format!(
                    "Request `{}` of the batch was rejected, and nothing of the batch was sent. {}",
                    operation.id, rejection.message
                );
                Rejection { message, ..rejection }
            })?;
        abouts.push(about);
        changes = changes.and(may_change);
    }
    Ok((batch.to_json(), changes))
}

/// What a request is about, as far as it matters to one that references it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Subscriptions(SubscriptionKind),
    Companies,
    Anything,
}

impl About {
    fn of(resource: &Resource) -> Self {
        match resource.subscription {
            Some(subscription) => Self::Subscriptions(subscription),
            None if resource.lists_companies() => Self::Companies,
            None => Self::Anything,
        }
    }
}

/// Makes a request's address an upstream one. Returns what it is about and what it may change.
async fn check_operation(
    operation: &mut Operation<'_>,
    earlier: &[Operation<'_>],
    abouts: &[About],
    context: &BodyContext<'_, impl LookUp>,
    allowance: &mut Allowance,
) -> Result<(About, Extent), Rejection> {
    operation.retain_headers(|name| !headers::stays_here(name));
    let methods = methods(operation)?;
    check_method(context.settings, methods.iter().cloned())?;
    context.read_only.check_methods(methods.iter().cloned())?;
    let named: Vec<String> = operation.header(headers::COMPANY.as_str()).into_iter().collect();
    let (about, at, companies) = if let Some((to, rest)) = operation.resolve_reference(earlier) {
        context.check_reference(rest, &named).await?;
        let about = earlier.iter().zip(abouts).find(|(earlier, _)| earlier.id == to.id);
        let about = about.map_or(About::Anything, |(_, about)| *about);
        if about == About::Companies && !rest.is_empty() {
            return Err(Rejection::new(Kind::BadRequest, NO_REFERENCE));
        }
        let mut at = context.request.clone();
        let companies = companies_of(context.settings, context.look_up, &mut at).await?;
        // If the earlier request fails, the reference leads to the whole set.
        if matches!(about, About::Subscriptions(_)) && companies.within.is_some() && methods.iter().any(only_reads) {
            return Err(Rejection::new(Kind::NotAllowed, NO_REFERENCE_TO_READ));
        }
        (about, at, companies)
    } else {
        let Some(ResolvedAddress { resource: mut at, companies, .. }) = context.resolve(&operation.url, &named).await?
        else {
            return Err(other_service(&operation.url));
        };
        if at.is_batch() {
            return Err(Rejection::new(Kind::BadRequest, "A batch can't contain a batch."));
        }
        if !at.same_service_as(context.request) {
            return Err(other_service(&operation.url));
        }
        settle(&mut at, &companies, &methods, context.look_up).await?;
        if companies.within.is_some()
            && matches!(at.subscription_scope(), Some((_, SubscriptionScope::All)))
            && !creates(&methods)
        {
            return Err(Rejection::new(Kind::NotAllowed, NO_LIST_IN_BATCH));
        }
        operation.url = at.batch_part_url(companies.company.as_deref())?;
        (About::of(&at), at, companies)
    };
    let may_change = match methods.iter().all(only_reads) {
        true => Extent::Nothing,
        false => Extent::of(companies.company.as_ref().map(|company| company.id)),
    };
    if companies.company.is_some() {
        // The address names the company now.
        operation.retain_headers(|name| name != headers::COMPANY.as_str());
    }
    let body = operation.body.take();
    let changed = match (&body, about) {
        (Some(body), About::Subscriptions(subscription)) => {
            check_subscription(subscription, creates(&methods), &at, body, context, allowance).await?
        }
        (Some(body), _) => check_addresses(body, context, allowance).await?,
        (None, _) => None,
    };
    operation.body = changed.map(Into::into).or(body);
    Ok((about, may_change))
}

/// All methods that the request counts as.
fn methods(operation: &Operation<'_>) -> Result<Vec<Method>, Rejection> {
    let hidden = OVERRIDES.iter().filter_map(|name| operation.header(name));
    let method =
        |name: String| known(name.as_bytes()).ok_or_else(|| Rejection::new(Kind::NotImplemented, UNKNOWN_METHOD));
    std::iter::once(operation.method.clone()).chain(hidden).map(method).collect()
}

const UNKNOWN_METHOD: &str =
    "Business Central does not know its method. Use GET, POST, PUT, PATCH or DELETE, and no header that names another.";

/// A query of its own would replace the filter that confines the list to the route's company.
const NO_REFERENCE: &str =
    "A reference to a list of companies can't be extended. Write its address out, such as companies?$top=1.";

/// Only a response of its own is filtered.
const NO_LIST_IN_BATCH: &str = "The list of subscriptions contains those of all companies and can't be filtered inside a batch. Request it outside \
     the batch.";

const NO_REFERENCE_TO_READ: &str = "A subscription can't be read by a reference to another request of the batch. Use its address, such as subscriptions('id').";
