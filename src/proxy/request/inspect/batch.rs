//! Judging a `$batch`: each of its requests goes through the same table as one that came alone.

use hyper::Method;

use super::addresses::{elsewhere, judge_addresses};
use super::body_address::{BodyContext, Understood};
use super::subscriptions::judge_subscription;
use crate::business_central::address::{Resource, SubscriptionKind, SubscriptionScope};
use crate::business_central::batch::{Batch, Operation};
use crate::proxy::environment::changes::Extent;
use crate::proxy::environment::look_up::LookUp;
use crate::proxy::methods::{METHOD_HEADERS, creates, only_reads};
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::request::authorize::settle;
use crate::proxy::request::company_choice::companies_of;
use crate::proxy::request::route::allows;

/// The batch as it may be sent: every address one at Business Central, and every request in the company it may be in. And what it may
/// change.
pub async fn judge_batch(text: &str, context: &BodyContext<'_, impl LookUp>) -> Result<(String, Extent), Rejection> {
    let mut batch = Batch::parse(text)?;
    let mut judged: Vec<Judged> = Vec::with_capacity(batch.operations.len());
    let mut changes = Extent::Nothing;
    for index in 0..batch.operations.len() {
        let Some((earlier, [operation, ..])) = batch.operations.split_at_mut_checked(index) else { continue };
        let (about, may_change) = judge_operation(operation, earlier, &judged, context).await.map_err(|rejection| {
            let message = format!(
                "Request `{}` of the batch was refused, and nothing of it sent. {}",
                operation.id, rejection.message
            );
            Rejection { message, ..rejection }
        })?;
        judged.push(Judged { id: operation.id.clone(), about });
        changes = changes.and(may_change);
    }
    Ok((batch.to_json(), changes))
}

/// A request of the batch that a later one may refer to.
struct Judged {
    id: String,
    about: About,
}

/// What a request is about, as far as it matters to one that refers to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Subscriptions(SubscriptionKind),
    Companies,
    Anything,
}

impl About {
    fn of(resource: &Resource) -> Self {
        match resource.subscription_kind() {
            Some(subscription) => Self::Subscriptions(subscription),
            None if resource.lists_companies() => Self::Companies,
            None => Self::Anything,
        }
    }
}

/// Has the operation lead to Business Central; says what it is about, and what it may change.
async fn judge_operation(
    operation: &mut Operation<'_>,
    earlier: &[Operation<'_>],
    judged: &[Judged],
    context: &BodyContext<'_, impl LookUp>,
) -> Result<(About, Extent), Rejection> {
    let methods = methods(operation)?;
    allows(context.settings, methods.iter().cloned())?;
    let named: Vec<String> = operation.header(COMPANY).into_iter().collect();
    let referred = operation.resolve_reference(earlier).map(|(to, rest)| (to.id.clone(), rest.to_owned()));
    let (about, at, companies) = if let Some((to, rest)) = referred {
        context.judge_reference(&rest, &named).await?;
        let about = judged.iter().find(|judged| judged.id == to).map_or(About::Anything, |judged| judged.about);
        if about == About::Companies && !rest.is_empty() {
            return Err(Rejection::new(Kind::BadRequest, NO_REFERENCE));
        }
        let mut at = context.request.clone();
        let companies = companies_of(context.settings, context.look_up, &mut at).await?;
        // Where the earlier one fails, the reference leads to the set of all.
        if matches!(about, About::Subscriptions(_)) && companies.within.is_some() && methods.iter().any(only_reads) {
            return Err(Rejection::new(Kind::NotAllowed, NO_REFERENCE_TO_READ));
        }
        (about, at, companies)
    } else {
        let Some(Understood { resource, companies, .. }) = context.from_local(&operation.url, &named).await? else {
            return Err(elsewhere(&operation.url));
        };
        if resource.is_batch() {
            return Err(Rejection::new(Kind::BadRequest, "A batch can't hold a batch."));
        }
        if !resource.same_service_as(context.request) {
            return Err(elsewhere(&operation.url));
        }
        let at = settle(resource, &companies, &methods, context.look_up).await?;
        if companies.within.is_some()
            && matches!(at.subscription_scope(), Some((_, SubscriptionScope::All)))
            && !creates(&methods)
        {
            return Err(Rejection::new(Kind::NotAllowed, NO_LIST));
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
        operation.drop_header(COMPANY);
    }
    let body = operation.body.take();
    let changed = match (&body, about) {
        (Some(body), About::Subscriptions(subscription)) => {
            judge_subscription(subscription, creates(&methods), &at, body, context).await.map(|()| None)?
        }
        (Some(body), _) => judge_addresses(body, context).await?,
        (None, _) => None,
    };
    operation.body = changed.map(Into::into).or(body);
    Ok((about, may_change))
}

/// All that the request can count as.
fn methods(operation: &Operation<'_>) -> Result<Vec<Method>, Rejection> {
    let hidden = METHOD_HEADERS.iter().filter_map(|name| operation.header(name));
    let method = |name: String| {
        Method::from_bytes(name.to_ascii_uppercase().as_bytes())
            .map_err(|_| Rejection::new(Kind::BadRequest, format!("`{name}` is no method.")))
    };
    std::iter::once(operation.method.clone()).chain(hidden).map(method).collect()
}

/// In a request of a batch it chooses the company (BC, "Use OData batch").
const COMPANY: &str = "company";

/// A query of its own would take the place of the condition that keeps the list to the route's company.
const NO_REFERENCE: &str =
    "A reference to a list of companies can't go on; write its address out, such as companies?$top=1.";

/// Only an answer of its own is narrowed down.
const NO_LIST: &str = "The list of subscriptions holds those of all companies, which are left out of an answer of its own only; ask for it outside \
     the batch.";

const NO_REFERENCE_TO_READ: &str = "A subscription is read by its own address only, such as subscriptions('id'), not by a reference to a request of the batch.";
