//! The step that answers reads from the cache.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use hyper::body::Body;
use hyper::{Response, StatusCode};
use tokio::time::Instant;

use super::cached_response::CachedResponse;
use super::fetch::{Fetch, FetchOutcome};
use super::key::Key;
use super::status::{Bypass, CacheUse};
use super::store::{FetchTicket, Lookup, ResponseStore};
use super::terms::{self, ClientDirectives, MAX_BYTES, bypass_reason};
use crate::business_central::ResponseIds;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::cache::memory_budget::MemoryBudget;
use crate::proxy::dispatch::attempts::attempt;
use crate::proxy::dispatch::fault::Fault;
use crate::proxy::environment::changes::{Extent, Stage};
use crate::proxy::exchange::Exchange;
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::request::draft::{Draft, Drafted};
use crate::proxy::step::Received;
use crate::proxy::upstream::UpstreamBody;

/// The step. On a route without a cache, reads pass it untouched.
pub async fn send(store: &ResponseStore, drafted: Drafted) -> Result<Received, Rejection> {
    let extent = drafted.draft.changes(&drafted.body);
    match (extent, drafted.draft.route().settings.cache) {
        (Extent::Nothing, None) => attempt(drafted).await,
        (Extent::Nothing, Some(time)) => Box::pin(read(store, drafted, time)).await,
        (extent, _) => Box::pin(change(drafted, extent)).await,
    }
}

/// A request that may change something: entries that it affects become invalid.
async fn change(drafted: Drafted, extent: Extent) -> Result<Received, Rejection> {
    let draft = &drafted.draft;
    let is_batch = draft.batch_changes.is_some();
    let told_to = draft.route().settings.cache.map(|_| draft.exchange.clone());
    let mut change = draft.connector().changes.begin(extent).await;
    let received = attempt(drafted).await;
    let mut received = received.inspect_err(|rejection| {
        if !may_have_been_carried_out(rejection.kind) {
            change.known();
        }
    })?;
    change.answered();
    if !leaves_outcome_open(received.response.status()) {
        if !is_batch {
            change.known();
        }
        received.response.body_mut().hold(change);
    }
    Ok(match told_to {
        Some(exchange) => with_cache_status(&exchange, received, CacheUse::Bypass(Bypass::Method)),
        None => received,
    })
}

/// A request that only reads, on a route with a cache.
async fn read(store: &ResponseStore, drafted: Drafted, time: Duration) -> Result<Received, Rejection> {
    let Drafted { mut draft, body } = drafted;
    let is_media = draft.target.resource.is_media();
    if let Some(why) = bypass_reason(&draft.method, &draft.headers, is_media, !body.is_end_stream()) {
        return bypass(draft, body, why).await;
    }
    let directives = ClientDirectives::take_from(&mut draft.headers);
    let key = Arc::new(Key::new(draft.route().number, draft.senders, &draft.uri, &draft.headers));
    let mut was_rejected = false;
    loop {
        let moment = draft.connector().changes.moment(draft.company).await;
        let found =
            store.find(&key, moment, &directives, |ticket| Fetch::start(fetch(Box::new(draft.shared()), time, ticket)));
        let (fetch, is_own) = match found {
            Lookup::Hit { cached, ttl } => {
                let cache_use = CacheUse::Hit { age: cached.age(Instant::now()), ttl };
                return Ok(response(&draft, &cached, &directives, cache_use));
            }
            Lookup::Bypass(why) => return bypass(draft, body, why).await,
            Lookup::Fetch { fetch, is_own } => (fetch, is_own),
        };
        let outcome = tokio::select! {
            outcome = fetch.outcome() => outcome,
            () = draft.abandoned() => return Err(Fault::ClientGone.into()),
        };
        let asked = |cached| CacheUse::Miss { is_requested: directives.require_revalidation(), cached };
        match outcome {
            FetchOutcome::Shared { cached, is_stored } => {
                let cache_use = if is_own { asked(is_stored.then_some(time)) } else { CacheUse::Coalesced };
                return Ok(response(&draft, &cached, &directives, cache_use));
            }
            FetchOutcome::SingleUse(response) => {
                let response = response.lock().unwrap_or_else(PoisonError::into_inner).take();
                let Some(response) = response else {
                    return bypass(draft, body, Bypass::Response).await;
                };
                let received = Received::by(&draft.exchange, draft.target.clone(), response);
                return Ok(with_cache_status(&draft.exchange, received, asked(None)));
            }
            // It was another client that found the queue full; this one has its own place.
            FetchOutcome::Rejected(rejection) if rejection.kind == Kind::Busy && !is_own && !was_rejected => {
                was_rejected = true
            }
            FetchOutcome::Rejected(rejection) => return Err(rejection),
        }
    }
}

/// Sends the request for this client only.
async fn bypass(draft: Box<Draft>, body: RequestBody, why: Bypass) -> Result<Received, Rejection> {
    let exchange = draft.exchange.clone();
    let received = attempt(Drafted { draft, body }).await?;
    Ok(with_cache_status(&exchange, received, CacheUse::Bypass(why)))
}

/// Sends the request for all clients that wait for it.
async fn fetch(draft: Box<Draft>, time: Duration, ticket: FetchTicket) -> FetchOutcome {
    let (route, company) = (draft.route().clone(), draft.company);
    let body = RequestBody::default();
    let response = match attempt(Drafted { draft, body }).await {
        Ok(received) => received.response,
        Err(rejection) => return FetchOutcome::Rejected(rejection),
    };
    match buffer(response, &ticket, route.settings.timeouts.body_idle).await {
        Ok(cached) => {
            let cached = Arc::new(cached);
            // Checked only when the body is complete: a later change is seen by later requests.
            let is_stored = ticket.moment.stage == Stage::Quiet
                && terms::may_be_stored(cached.status)
                && route.connector.changes.moment(company).await == ticket.moment
                && ticket.keep(&cached, time);
            FetchOutcome::Shared { cached, is_stored }
        }
        Err(outcome) => outcome,
    }
}

/// The whole response, if it can be shared; otherwise what the waiting clients get. `time`: how long its body may take.
async fn buffer(
    mut response: Response<UpstreamBody>,
    ticket: &FetchTicket,
    time: Duration,
) -> Result<CachedResponse, FetchOutcome> {
    if !terms::may_be_shared(response.headers()) {
        ticket.remember_unshared();
        return Err(FetchOutcome::single_use(response));
    }
    let head = ticket.key.size() + CachedResponse::size_of_head(response.headers());
    let length = response.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
    let Some(mut budget) = ticket.store.budget(head + length.unwrap_or(MAX_BYTES)) else {
        return Err(FetchOutcome::single_use(response));
    };
    let is_whole = response.body_mut().read_ahead(MAX_BYTES, time).await;
    let cut_short = |error| Fault::CutShort(error, ResponseIds::of(response.headers()));
    let is_whole = is_whole.map_err(|error| FetchOutcome::Rejected(cut_short(error).into()))?;
    let length = response.body().ahead().map(|piece| piece.len()).sum();
    if !is_whole || length > MAX_BYTES {
        ticket.remember_unshared();
        return Err(FetchOutcome::single_use(response));
    }
    let mut bytes = Vec::with_capacity(length);
    response.body().ahead().for_each(|piece| bytes.extend_from_slice(piece));
    MemoryBudget::shrink(&mut budget, head + length);
    Ok(CachedResponse::new(response.into_parts().0, bytes, budget))
}

/// What a client gets of a stored or shared response.
fn response(draft: &Draft, cached: &CachedResponse, directives: &ClientDirectives, cache_use: CacheUse) -> Received {
    let has_it = cached.status == StatusCode::OK && directives.has_version_of(&cached.headers);
    let response = if has_it { cached.not_modified() } else { cached.response() };
    with_cache_status(&draft.exchange, Received::by(&draft.exchange, draft.target.clone(), response), cache_use)
}

/// Adds what the cache did, to the response and to the notes.
fn with_cache_status(exchange: &Exchange, mut received: Received, cache_use: CacheUse) -> Received {
    let _ = exchange.notes.cache.set(cache_use);
    cache_use.add_to(received.response.headers_mut());
    received
}

/// Whether a write that was rejected by us may have been carried out nevertheless.
fn may_have_been_carried_out(kind: Kind) -> bool {
    matches!(kind, Kind::ResponseBroken | Kind::ResponseTimeout | Kind::Internal)
}

/// Whether a status leaves open what becomes of a write: somebody on the way gave up waiting.
fn leaves_outcome_open(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}
