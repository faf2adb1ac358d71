//! Relaying: Business Central's response is made fit for this client.

use std::fmt::Display;
use std::sync::Arc;

use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Response, Version};

use super::body::ResponseBody;
use super::body_plan::{BodyPlan, List};
use super::diagnosis::{Diagnosis, diagnose};
use super::links::Links;
use super::transformed_body::TransformedBody;
use crate::business_central::soap;
use crate::business_central::subscriptions::SubscriptionFilter;
use crate::error_chain::root_cause;
use crate::proxy::body::idle_timeout::IdleTimeout;
use crate::proxy::exchange::Exchange;
use crate::proxy::headers::{self, PROXY_STATUS, REQUEST_ID};
use crate::proxy::observe::access_log::AccessRecord;
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::request::target::Target;
use crate::proxy::step::Received;

/// The response for the client: links rewritten, in a content coding and framing that it supports.
pub async fn relay(
    exchange: &Arc<Exchange>,
    Received { target, mut response, plan }: Received,
) -> Result<Response<ResponseBody>, Rejection> {
    let diagnosed = diagnose(&mut response).await;
    let (mut head, body) = response.into_parts();
    let broken = |error: &dyn Display, headers: &HeaderMap| {
        Rejection::broken_response(error).caused_by(exchange.response_ids(headers))
    };
    let diagnosis = diagnosed.map_err(|error| broken(&root_cause(&error), &head.headers))?;
    let response_ids = AccessRecord::ids_of(exchange, &head);
    headers::towards_client(&mut head.headers);
    head.headers.insert(REQUEST_ID, exchange.id_value.clone());
    // From here on hyper chooses the version.
    head.version = Version::HTTP_11;
    let idle = target.route.settings.timeouts.body_idle;
    let BodyPlan { document, filtered, is_decoded } = plan;
    exchange.client.set_idle_limit(idle);
    let links = Links { exchange: exchange.clone(), target: target.clone() };

    let mut body = TransformedBody::new(IdleTimeout::new(body, idle), is_decoded);
    links.in_headers(&mut head.headers);
    if let Some(document) = document {
        body = body.with_links(document, &links);
    }
    if let Some(list) = filtered {
        headers::of_changed_body(&mut head.headers);
        let length = filter_list(list, &target, &mut body).await;
        let length = length.map_err(|rejection| rejection.caused_by(exchange.response_ids(&head.headers)))?;
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    } else if plan.changes_body() {
        headers::of_changed_body(&mut head.headers);
        let limit = if exchange.version == Version::HTTP_10 { MEASURED_BYTES_HTTP_10 } else { MEASURED_BYTES };
        // HEAD would need the length of GET's response, which is not known here.
        if exchange.method != Method::HEAD
            && let Some(length) = body.measure(limit).await.map_err(|error| broken(&error, &head.headers))?
        {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
    }
    target.route.settings.headers.response.apply(&mut head.headers);
    if let Some(completion) = exchange.credentials.completion() {
        head.headers.insert(WWW_AUTHENTICATE, completion);
    }
    if let Some(field) = diagnosis.as_deref().and_then(Diagnosis::proxy_status) {
        head.headers.append(PROXY_STATUS, field);
    }
    let mut record =
        AccessRecord::new(exchange.clone(), Some(head.status), diagnosis.as_ref().map(ToString::to_string));
    record.response_ids = response_ids;
    Ok(Response::from_parts(head, ResponseBody::upstream(body, idle, record)))
}

/// Filters a list to the route's companies. Returns the new length.
async fn filter_list(list: List, target: &Target, body: &mut TransformedBody) -> Result<usize, Rejection> {
    let filtered = |response: &[u8]| {
        let companies = target.companies.within.as_deref()?;
        match list {
            List::Companies => soap::filter_companies(response, companies),
            List::Subscriptions(kind) => {
                let environment = &target.route.connector.address;
                SubscriptionFilter { kind, companies, environment }.filter_list(response)
            }
        }
    };
    let length = body.replace(FILTERED_BYTES, filtered).await.map_err(Rejection::broken_response)?;
    length.ok_or_else(|| Rejection::new(Kind::ResponseBroken, NOT_A_LIST))
}

/// A changed body is read ahead up to this size, so that its length can be sent.
pub const MEASURED_BYTES: usize = 64 * 1024;

/// The same for HTTP/1.0 clients, which would otherwise have to take the connection's end for the body's.
const MEASURED_BYTES_HTTP_10: usize = 1024 * 1024;

/// The largest list that is filtered: 300 companies or 200 subscriptions take less.
const FILTERED_BYTES: usize = 4 * 1024 * 1024;

const NOT_A_LIST: &str =
    "Business Central's response is not a list that can be filtered to the route's company. It was not forwarded.";
