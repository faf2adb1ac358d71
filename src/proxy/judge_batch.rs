//! Judging a `$batch`: each of its requests goes through the same table as one that came alone.

use hyper::Method;

use super::destination::Route;
use super::inside::Inside;
use super::judge_body::{elsewhere, judge_addresses, judge_subscription};
use super::refusal::{Kind, Refusal};
use super::route::{METHOD_HEADERS, allows};
use crate::business_central::batch::{Batch, Operation};

/// The batch as it may be sent: every address one at Business Central, and every request in the company it may be in.
pub async fn judge_batch(text: &str, inside: &Inside<'_>) -> Result<String, Refusal> {
    let mut batch = Batch::parse(text)?;
    let mut subscriptions: Vec<String> = Vec::new();
    for index in 0..batch.operations.len() {
        let Some((earlier, [operation, ..])) = batch.operations.split_at_mut_checked(index) else { continue };
        let is_subscription = judge_operation(operation, earlier, &subscriptions, inside).await.map_err(|refusal| {
            let message = format!(
                "Request `{}` of the batch was refused, and nothing of it sent. {}",
                operation.id, refusal.message
            );
            Refusal { message, ..refusal }
        })?;
        if is_subscription {
            subscriptions.push(operation.id.clone());
        }
    }
    Ok(batch.to_json())
}

/// Has the operation lead to Business Central; says whether it is about webhooks.
async fn judge_operation(
    operation: &mut Operation<'_>,
    earlier: &[Operation<'_>],
    subscriptions: &[String],
    inside: &Inside<'_>,
) -> Result<bool, Refusal> {
    may_use(inside.route, operation)?;
    let named: Vec<String> = operation.header(COMPANY).into_iter().collect();
    let referred = operation.refers_to(earlier).map(|(to, rest)| (to.id.clone(), rest.to_owned()));
    let (is_subscription, company) = if let Some((to, rest)) = referred {
        inside.judge_reference(&rest, &named).await?;
        (subscriptions.contains(&to), inside.route.company_of(&mut inside.request.clone()).await?)
    } else {
        let Some(understood) = inside.understand(&operation.url, &named).await? else {
            return Err(elsewhere(&operation.url));
        };
        let resource = &understood.resource;
        if resource.is_batch() {
            return Err(Refusal::new(Kind::BadRequest, "A batch can't hold a batch."));
        }
        if !resource.is_served_with(inside.request) {
            return Err(elsewhere(&operation.url));
        }
        operation.url = resource.in_batch(understood.company.as_deref())?;
        (resource.is_subscription(), understood.company)
    };
    if company.is_some() {
        // The address names the company now.
        operation.drop_header(COMPANY);
    }
    let body = operation.body.take();
    let judged = match &body {
        Some(body) if is_subscription => judge_subscription(body, inside).await.map(|()| None)?,
        Some(body) => judge_addresses(body, inside).await?,
        None => None,
    };
    operation.body = judged.map(Into::into).or(body);
    Ok(is_subscription)
}

fn may_use(route: &Route, operation: &Operation<'_>) -> Result<(), Refusal> {
    let hidden = METHOD_HEADERS.iter().filter_map(|name| operation.header(name));
    let mut methods = Vec::new();
    for name in std::iter::once(operation.method.clone()).chain(hidden) {
        let method = Method::from_bytes(name.to_ascii_uppercase().as_bytes());
        methods.push(method.map_err(|_| Refusal::new(Kind::BadRequest, format!("`{name}` is no method.")))?);
    }
    allows(route, methods)
}

/// In a request of a batch it chooses the company (BC, "Use OData batch").
const COMPANY: &str = "company";
