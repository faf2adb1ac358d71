//! What an attempt needs: an application, its token, and a permit of its limiter.

use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::attempts::{Attempt, Dispatch};
use super::fault::Fault;
use crate::proxy::environment::application_pool::Member;
use crate::proxy::environment::connector::NO_PERMIT;
use crate::proxy::limiter::{AcquireError, ClientKey, Permit, Priority};
use crate::proxy::notes::Queued;
use crate::proxy::observe::stages::Stage;
use crate::proxy::rejection::Rejection;

impl Dispatch {
    /// Waits until one of the applications has a token and a permit.
    pub(super) async fn acquire(&mut self) -> Result<Attempt, Rejection> {
        loop {
            let member = self.tokens.choose(self.draft.token_scope())?;
            self.draft.exchange.notes.set_application(member.client_id);
            // The token comes first: a permit must not be held while waiting for Entra.
            let awaiting = member.awaiting_token.begin();
            let token = {
                let mut token = pin!(self.tokens.token(self.draft.token_scope(), &member));
                match futures_util::poll!(&mut token) {
                    Poll::Ready(token) => token?,
                    Poll::Pending => {
                        let began = Instant::now();
                        let token = token.await;
                        self.draft.exchange.note_stage(Stage::Token, began);
                        token?
                    }
                }
            };
            drop(awaiting);
            let Some(mut token) = token else { continue };
            match self.acquire_permit(&member).await? {
                Ok(permit) => {
                    if permit.as_ref().is_some_and(|permit| !permit.waited.is_zero()) {
                        // It may have been refreshed while the request was queued.
                        token = member.tokens.token().await?;
                    }
                    return Ok(Attempt { member, token, permit });
                }
                Err(AcquireError::Evicted) if self.priority == Priority::New => self.priority = Priority::Requeued,
                Err(AcquireError::Evicted) => {}
                Err(AcquireError::Full { retry_after }) => {
                    let why = "the queue is full (`queue` of the connector's `limits`)";
                    return Err(self.draft.connector().busy(why, retry_after));
                }
                Err(AcquireError::TimedOut { retry_after }) => {
                    return Err(self.draft.connector().busy(NO_PERMIT, retry_after));
                }
            }
        }
    }

    /// A permit; none where limits are off. Nothing was sent yet, so a client that leaves takes its request along.
    async fn acquire_permit(&mut self, member: &Member) -> Result<Result<Option<Permit>, AcquireError>, Rejection> {
        let Some(limiter) = self.draft.limiter(member) else { return Ok(Ok(None)) };
        let exchange = &self.draft.exchange;
        let route = &self.draft.route().settings;
        let fingerprint = (route.path.as_str(), exchange.user_agent.as_ref(), self.draft.identity());
        let client = ClientKey::new(exchange.ip, route.weight.0, fingerprint);
        let mut acquire = pin!(limiter.acquire(client, self.draft.deadline, self.priority));
        let (acquired, waited) = match futures_util::poll!(&mut acquire) {
            Poll::Ready(acquired) => (Ok(acquired), Duration::ZERO),
            // Boxed: otherwise the future of each request would be larger by it.
            Poll::Pending => Box::pin(self.wait_in_queue(acquire)).await?,
        };
        let ahead = match &acquired {
            Ok(Ok(permit)) => Some(permit.ahead),
            _ => None,
        };
        self.waited += waited;
        // Another application's queue is next.
        if !matches!(acquired, Ok(Err(AcquireError::Evicted))) {
            exchange.notes.set_queued(Queued { waited: self.waited, ahead });
        }
        acquired.map(|acquired| acquired.map(Some))
    }

    /// What comes of waiting, and how long it took.
    async fn wait_in_queue<P>(
        &self,
        acquire: Pin<&mut impl Future<Output = P>>,
    ) -> Result<(Result<P, Rejection>, Duration), Rejection> {
        let exchange = &self.draft.exchange;
        let began = Instant::now();
        let memory = &exchange.memory;
        // Without the memory for a queued request, this one leaves the queue at once.
        let _held = memory.hold(QUEUED_BYTES)?;
        let _queued = exchange.snapshot.records.observed_clients.queued(exchange.client_marks());
        let acquired = tokio::select! {
            biased;
            acquired = memory.or_evicted(acquire) => acquired.map_err(Rejection::from),
            () = self.draft.abandoned() => Err(Fault::ClientGone.into()),
        };
        let waited = began.elapsed();
        exchange.note_stage_of(Stage::Queue, began, waited);
        Ok((acquired, waited))
    }
}

/// What a queued request takes besides its body: its head, its connection's buffers and its tasks.
const QUEUED_BYTES: u64 = 16 * 1024;
