//! The step that answers reads from the cache.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::Either;
use hyper::body::Body;
use hyper::{Response, StatusCode};
use tokio::time::Instant;
use tower::Service;

use super::flight::{Flight, ForOne, Landed};
use super::kept::Kept;
use super::key::Key;
use super::status::{Alone, Asked, CacheUse};
use super::store::{Answers, Found, Ticket};
use super::terms::{self, LARGEST, Wishes, forbidden};
use crate::proxy::body::memory_budget::MemoryBudget;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::dispatch::fault::Fault;
use crate::proxy::dispatch::upstream::UpstreamBody;
use crate::proxy::environment::changes::{Extent, Stage};
use crate::proxy::exchange::Exchange;
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::request::draft::{Draft, Drafted};
use crate::proxy::step::Received;

/// The step. On a route without a cache, reads pass it untouched.
#[derive(Debug, Clone)]
pub struct Cache<S> {
    answers: Answers,
    inner: S,
}

impl<S> Cache<S> {
    pub fn new(answers: Answers, inner: S) -> Self {
        Self { answers, inner }
    }
}

impl<S> Service<Drafted> for Cache<S>
where
    S: Service<Drafted, Response = Received, Error = Rejection, Future: Send> + Clone + Send + 'static,
{
    type Response = Received;
    type Error = Rejection;
    type Future = Either<S::Future, Pin<Box<dyn Future<Output = Result<Received, Rejection>> + Send>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, drafted: Drafted) -> Self::Future {
        let extent = drafted.draft.changes(&drafted.body);
        match (extent, drafted.draft.route().settings.cache) {
            (Extent::Nothing, None) => Either::Left(self.inner.call(drafted)),
            (Extent::Nothing, Some(time)) => Either::Right(Box::pin(self.clone().read(drafted, time))),
            (extent, _) => Either::Right(Box::pin(self.clone().change(drafted, extent))),
        }
    }
}

impl<S> Cache<S>
where
    S: Service<Drafted, Response = Received, Error = Rejection, Future: Send> + Clone + Send + 'static,
{
    /// A request that may change something: what was kept of that is forgotten.
    async fn change(mut self, drafted: Drafted, extent: Extent) -> Result<Received, Rejection> {
        let draft = &drafted.draft;
        let is_batch = draft.batch_changes.is_some();
        let told_to = draft.route().settings.cache.map(|_| draft.exchange.clone());
        let mut change = draft.connector().changes.begin(extent);
        let mut received = match self.inner.call(drafted).await {
            Ok(received) => received,
            Err(rejection) => {
                if !may_be_carried_out(rejection.kind) {
                    change.known();
                }
                return Err(rejection);
            }
        };
        change.answered();
        if !is_unheard_of(received.response.status()) {
            if !is_batch {
                change.known();
            }
            received.response.body_mut().hold(change);
        }
        Ok(match told_to {
            Some(exchange) => told(&exchange, received, CacheUse::Alone(Alone::Method)),
            None => received,
        })
    }

    /// A request that only reads, on a route with a cache.
    async fn read(self, drafted: Drafted, time: Duration) -> Result<Received, Rejection> {
        let Drafted { mut draft, body } = drafted;
        let is_media = draft.target.resource.is_media();
        if let Some(why) = forbidden(&draft.method, &draft.headers, is_media, !body.is_end_stream()) {
            return self.alone(draft, body, why).await;
        }
        let wishes = Wishes::take_from(&mut draft.headers);
        let key = Arc::new(Key::new(draft.route().number, &draft.uri, &draft.headers));
        let mut was_refused = false;
        loop {
            let moment = draft.connector().changes.moment(draft.company);
            let found = self
                .answers
                .find(&key, moment, &wishes, |ticket| Flight::start(self.clone().fetch(draft.shared(), time, ticket)));
            let (flight, is_own) = match found {
                Found::Kept { kept, left } => {
                    let use_ = CacheUse::Hit { age: kept.age(Instant::now()), left };
                    return Ok(answer(&draft, &kept, &wishes, use_));
                }
                Found::Alone(why) => return self.alone(draft, body, why).await,
                Found::Aloft(flight) => (flight, false),
                Found::Started(flight) => (flight, true),
            };
            let landed = tokio::select! {
                landed = flight.landed() => landed,
                () = draft.abandoned() => return Err(Fault::ClientGone.into()),
            };
            let asked = |kept| {
                let why = if wishes.are_for_a_new_one() { Asked::Wish } else { Asked::Missing };
                CacheUse::Asked { why, kept }
            };
            match landed {
                Landed::Answer { kept, stays } => {
                    let use_ = if is_own { asked(stays.then_some(time)) } else { CacheUse::Coalesced };
                    return Ok(answer(&draft, &kept, &wishes, use_));
                }
                Landed::ForOne(rest) => match rest.take() {
                    Some(response) => {
                        let received = Received { target: draft.target.clone(), response };
                        return Ok(told(&draft.exchange, received, asked(None)));
                    }
                    None => return self.alone(draft, body, Alone::Answer).await,
                },
                // The place in the queue was another client's; this one has its own.
                Landed::Refused(rejection) if rejection.kind == Kind::Busy && !is_own && !was_refused => {
                    was_refused = true
                }
                Landed::Refused(rejection) => return Err(rejection),
            }
        }
    }

    /// Asks Business Central for this client only.
    async fn alone(mut self, draft: Draft, body: RequestBody, why: Alone) -> Result<Received, Rejection> {
        let exchange = draft.exchange.clone();
        let received = self.inner.call(Drafted { draft, body }).await?;
        Ok(told(&exchange, received, CacheUse::Alone(why)))
    }

    /// Asks Business Central for all who wait.
    async fn fetch(mut self, draft: Draft, time: Duration, ticket: Ticket) -> Landed {
        let (route, company) = (draft.route().clone(), draft.company);
        let body = RequestBody::default();
        let answer = match self.inner.call(Drafted { draft, body }).await {
            Ok(received) => received.response,
            Err(rejection) => return Landed::Refused(rejection),
        };
        match take_in(answer, &ticket, route.settings.timeouts.body_idle).await {
            Ok(kept) => {
                let kept = Arc::new(kept);
                // Looked at only now that all of it is here: what changes later is for those who come later to see.
                let is_true =
                    ticket.moment().stage == Stage::Quiet && route.connector.changes.moment(company) == ticket.moment();
                let stays = is_true && terms::may_be_kept(kept.status) && ticket.keep(&kept, time);
                Landed::Answer { kept, stays }
            }
            Err(NotShared::Answer(answer)) => Landed::ForOne(ForOne::new(*answer)),
            Err(NotShared::Failed(fault)) => Landed::Refused(fault.into()),
        }
    }
}

/// Why an answer can't be shared.
enum NotShared {
    Answer(Box<Response<UpstreamBody>>),
    Failed(Fault),
}

/// All of an answer, if it can be shared. `time`: how long its body may take.
async fn take_in(mut answer: Response<UpstreamBody>, ticket: &Ticket, time: Duration) -> Result<Kept, NotShared> {
    if !terms::may_be_shared(answer.headers()) {
        ticket.remember_unshared();
        return Err(NotShared::Answer(Box::new(answer)));
    }
    let head = ticket.key().size() + Kept::size_of_head(answer.headers());
    let length = answer.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
    let Some(mut room) = ticket.answers().room(head + length.unwrap_or(LARGEST)) else {
        return Err(NotShared::Answer(Box::new(answer)));
    };
    let is_whole = answer.body_mut().read_ahead(LARGEST, time).await;
    let is_whole = is_whole.map_err(|error| NotShared::Failed(Fault::CutShort(error)))?;
    let length = answer.body().ahead().map(|piece| piece.len()).sum();
    if !is_whole || length > LARGEST {
        ticket.remember_unshared();
        return Err(NotShared::Answer(Box::new(answer)));
    }
    let mut bytes = Vec::with_capacity(length);
    answer.body().ahead().for_each(|piece| bytes.extend_from_slice(piece));
    MemoryBudget::shrink(&mut room, head + length);
    Ok(Kept::new(answer.into_parts().0, bytes, room))
}

/// What a client gets of an answer that is at hand.
fn answer(draft: &Draft, kept: &Kept, wishes: &Wishes, use_: CacheUse) -> Received {
    let has_it = kept.status == StatusCode::OK && wishes.know(kept.headers());
    let response = if has_it { kept.not_modified() } else { kept.answer() };
    told(&draft.exchange, Received { target: draft.target.clone(), response }, use_)
}

/// With what the cache has to say.
fn told(exchange: &Exchange, mut received: Received, use_: CacheUse) -> Received {
    exchange.notes.cache.set(use_);
    use_.tell(received.response.headers_mut());
    received
}

/// Whether a change that ended so for us may be carried out nevertheless.
fn may_be_carried_out(kind: Kind) -> bool {
    matches!(kind, Kind::ResponseBroken | Kind::ResponseTimeout | Kind::Internal)
}

/// Whether an answer with this status says nothing of what becomes of a change: somebody on the way has given up.
fn is_unheard_of(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}
