//! The read cache of routes that have one: identical reads share one request, and its answer is given again for as long as `cache` says.
//!
//! What is kept is Business Central's answer as it came. It is turned for each who gets it, so that clients which call us by different
//! names, with and without gzip, over HTTP/1.0 and 1.1, share it; and two requests are identical when what is sent for them is. Whether a
//! client may ask at all was judged by the steps before.
//!
//! The promise: a read that begins after the answer to a change never sees the data as it was before ([`changes`]).

mod changes;
mod flight;
mod kept;
mod key;
mod status;
mod store;
mod terms;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use changes::Stage;
pub use changes::{Change, Changes, Extent};
use flight::{Flight, ForOne, Landed};
use futures_util::future::Either;
use hyper::body::Body;
use hyper::{Response, StatusCode};
use kept::Kept;
use key::Key;
use status::Asked;
pub use status::{Alone, Use};
pub use store::Answers;
use store::{Found, Ticket};
pub use terms::forbidden;
use terms::{LARGEST, Wishes};
use tokio::time::Instant;
use tower::Service;

use crate::proxy::body::memory_budget::Room;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::dispatch::forward::Fault;
use crate::proxy::dispatch::upstream::UpstreamBody;
use crate::proxy::exchange::Exchange;
use crate::proxy::rejection::{Kind, Refusal};
use crate::proxy::request::authorize::Draft;
use crate::proxy::step::Drafted;

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
    S: Service<Drafted, Response = Response<UpstreamBody>, Error = Refusal, Future: Send> + Clone + Send + 'static,
{
    type Response = Response<UpstreamBody>;
    type Error = Refusal;
    type Future = Either<S::Future, Pin<Box<dyn Future<Output = Result<Response<UpstreamBody>, Refusal>> + Send>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, drafted: Drafted) -> Self::Future {
        let extent = drafted.draft.changes(&drafted.body);
        match (extent, drafted.draft.route.settings.cache) {
            (Extent::Nothing, None) => Either::Left(self.inner.call(drafted)),
            (Extent::Nothing, Some(time)) => Either::Right(Box::pin(self.clone().read(drafted, time))),
            (extent, _) => Either::Right(Box::pin(self.clone().change(drafted, extent))),
        }
    }
}

impl<S> Cache<S>
where
    S: Service<Drafted, Response = Response<UpstreamBody>, Error = Refusal, Future: Send> + Clone + Send + 'static,
{
    /// A request that may change something: what was kept of that is forgotten.
    async fn change(mut self, drafted: Drafted, extent: Extent) -> Result<Response<UpstreamBody>, Refusal> {
        let Draft { exchange, route, .. } = &drafted.draft;
        let is_batch = exchange.batch_changes().is_some();
        let told_to = route.settings.cache.map(|_| exchange.clone());
        let mut change = route.destination.changes.begin(extent);
        let mut answer = match self.inner.call(drafted).await {
            Ok(answer) => answer,
            Err(refusal) => {
                if !may_be_carried_out(refusal.kind) {
                    change.known();
                }
                return Err(refusal);
            }
        };
        change.answered();
        if !is_unheard_of(answer.status()) {
            if !is_batch {
                change.known();
            }
            answer.body_mut().settles(change);
        }
        Ok(match told_to {
            Some(exchange) => told(&exchange, answer, Use::Alone(Alone::Method)),
            None => answer,
        })
    }

    /// A request that only reads, on a route with a cache.
    async fn read(self, drafted: Drafted, time: Duration) -> Result<Response<UpstreamBody>, Refusal> {
        let Drafted { mut draft, body } = drafted;
        let is_media = draft.exchange.asked().is_some_and(|(asked, _)| asked.is_media());
        if let Some(why) = forbidden(&draft.method, &draft.headers, is_media, !body.is_end_stream()) {
            return self.alone(draft, body, why).await;
        }
        let wishes = Wishes::take_from(&mut draft.headers);
        let key = Arc::new(Key::new(draft.route.number, &draft.target, &draft.headers));
        let mut was_refused = false;
        loop {
            let moment = draft.route.destination.changes.moment(draft.company);
            let found = self
                .answers
                .find(&key, moment, &wishes, |ticket| Flight::start(self.clone().fetch(draft.shared(), time, ticket)));
            let (flight, is_own) = match found {
                Found::Kept { kept, left } => {
                    let use_ = Use::Hit { age: kept.age(Instant::now()), left };
                    return Ok(answer(&draft, &kept, &wishes, use_));
                }
                Found::Alone(why) => return self.alone(draft, body, why).await,
                Found::Aloft(flight) => (flight, false),
                Found::Started(flight) => (flight, true),
            };
            let landed = tokio::select! {
                landed = flight.landed() => landed,
                () = draft.left() => return Err(Fault::ClientGone.into()),
            };
            let asked = |kept| {
                let why = if wishes.are_for_a_new_one() { Asked::Wish } else { Asked::Missing };
                Use::Asked { why, kept }
            };
            match landed {
                Landed::Answer { kept, stays } => {
                    let use_ = if is_own { asked(stays.then_some(time)) } else { Use::Coalesced };
                    return Ok(answer(&draft, &kept, &wishes, use_));
                }
                Landed::ForOne(rest) => match rest.take() {
                    Some(answer) => return Ok(told(&draft.exchange, answer, asked(None))),
                    None => return self.alone(draft, body, Alone::Answer).await,
                },
                // The place in the queue was another client's; this one has its own.
                Landed::Refused(refusal) if refusal.kind == Kind::Busy && !is_own && !was_refused => was_refused = true,
                Landed::Refused(refusal) => return Err(refusal),
            }
        }
    }

    /// Asks Business Central for this client only.
    async fn alone(mut self, draft: Draft, body: RequestBody, why: Alone) -> Result<Response<UpstreamBody>, Refusal> {
        let exchange = draft.exchange.clone();
        let answer = self.inner.call(Drafted { draft, body }).await?;
        Ok(told(&exchange, answer, Use::Alone(why)))
    }

    /// Asks Business Central for all who wait.
    async fn fetch(mut self, draft: Draft, time: Duration, ticket: Ticket) -> Landed {
        let (route, company) = (draft.route.clone(), draft.company);
        let body = RequestBody::default();
        let answer = match self.inner.call(Drafted { draft, body }).await {
            Ok(answer) => answer,
            Err(refusal) => return Landed::Refused(refusal),
        };
        match take_in(answer, &ticket, route.settings.timeouts.body_idle).await {
            Ok(kept) => {
                let kept = Arc::new(kept);
                // Looked at only now that all of it is here: what changes later is for those who come later to see.
                let is_true = ticket.moment().stage == Stage::Quiet
                    && route.destination.changes.moment(company) == ticket.moment();
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
    Room::shrink(&mut room, head + length);
    Ok(Kept::new(answer.into_parts().0, bytes, room))
}

/// What a client gets of an answer that is at hand.
fn answer(draft: &Draft, kept: &Kept, wishes: &Wishes, use_: Use) -> Response<UpstreamBody> {
    let has_it = kept.status == StatusCode::OK && wishes.know(kept.headers());
    let answer = if has_it { kept.not_modified() } else { kept.answer() };
    told(&draft.exchange, answer, use_)
}

/// With what the cache has to say.
fn told(exchange: &Exchange, mut answer: Response<UpstreamBody>, use_: Use) -> Response<UpstreamBody> {
    exchange.cached(use_);
    use_.tell(answer.headers_mut());
    answer
}

/// Whether a change that ended so for us may be carried out nevertheless.
fn may_be_carried_out(kind: Kind) -> bool {
    matches!(kind, Kind::AnswerBroken | Kind::AnswerTimeout | Kind::Internal)
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
