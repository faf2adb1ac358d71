//! Authorization: company, URL and headers are those that Business Central accepts; only the token is missing.

use std::sync::Arc;

use bytes::Bytes;
use hyper::Method;
use hyper::http::uri::PathAndQuery;

use super::company_choice::{Companies, companies_of};
use super::draft::{Draft, Drafted};
use super::inspect::subscriptions::check_access;
use super::target::Target;
use crate::business_central::address::{EnvironmentAddress, Resource};
use crate::business_central::join_names;
use crate::config;
use crate::proxy::environment::look_up::LookUp;
use crate::proxy::methods::{creates, methods, only_reads};
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::step::{Inspected, Routed};

/// The step that turns a client's request into one of our application's.
pub async fn authorize(inspected: Inspected) -> Result<Drafted, Rejection> {
    let Inspected { routed, batch_changes } = inspected;
    let Routed { exchange, route, known_as, mut resource, head, body, deadline, .. } = routed;
    let methods: Vec<Method> = methods(&head.method, &head.headers).collect();
    let look_up = route.look_ups(deadline);
    let (companies, address) =
        direct(&route.settings, &route.connector.address, &look_up, &mut resource, &methods).await?;
    let target = Arc::new(Target { route, resource: *resource, companies });
    let draft = Draft::new(exchange, target, *head, &methods, address, batch_changes, deadline);
    Ok(Drafted { draft: Box::new(draft.of_client(known_as)), body })
}

/// The companies that a request is about, once they are looked up, and its path and query at Business Central.
pub async fn direct(
    settings: &config::Route,
    environment: &EnvironmentAddress,
    look_up: &impl LookUp,
    resource: &mut Resource,
    methods: &[Method],
) -> Result<(Companies, PathAndQuery), Rejection> {
    let companies = companies_of(settings, look_up, resource).await?;
    settle(resource, &companies, methods, look_up).await?;
    let address = resource.path_and_query(&environment.path, companies.company.as_deref())?;
    let address = PathAndQuery::from_maybe_shared(Bytes::from(address))
        .map_err(|_| Rejection::new(Kind::BadRequest, "The address can't be written as a URL of Business Central."))?;
    Ok((companies, address))
}

/// Makes it the resource that these methods ask for in these companies. A page and an unbound action of OData look
/// alike; only Business Central can tell them apart. Rejects changes to the set of companies, and access to
/// subscriptions of other companies.
pub async fn settle(
    resource: &mut Resource,
    companies: &Companies,
    methods: &[Method],
    look_up: &impl LookUp,
) -> Result<(), Rejection> {
    if let Some(within) = &companies.within
        && resource.lists_companies()
        && !methods.iter().all(|method| only_reads(method) || method == Method::OPTIONS)
    {
        let names = join_names(within);
        let message = format!(
            "This route leads to the company `{names}` only: companies can't be created or changed through it."
        );
        return Err(Rejection::new(Kind::NotAllowed, message));
    }
    check_access(resource, companies, methods, look_up).await?;
    if let (Some(company), Some(name)) = (&companies.company, resource.unbound_action())
        && creates(methods)
        && look_up.has_action(name).await?
    {
        resource.become_unbound_action(company);
    }
    Ok(())
}
