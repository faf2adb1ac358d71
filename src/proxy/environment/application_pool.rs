//! The application pool of a connector, and the choice of the application that sends a request.
//!
//! Business Central limits each application, so several get more done. An application that is throttled, has no token
//! or is rejected is
//! skipped while others can serve. Once its pause is over, it is tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::rejected_tokens::{RejectedTokens, TokenUse};
use crate::business_central::CompanyId;
use crate::entra::{ClientId, TokenCache};
use crate::proxy::limiter::Limiter;

/// The applications of a connector; mostly a single one.
#[derive(Debug)]
pub struct ApplicationPool {
    first: Arc<Member>,
    others: Vec<Arc<Member>>,
    /// Rotates the choice among applications with equal load.
    next: AtomicUsize,
}

/// An application of the pool.
pub struct Member {
    /// The application's client ID.
    pub client_id: ClientId,
    /// Its token.
    pub tokens: Arc<TokenCache>,
    /// Whether a client has it for itself (`clients`).
    pub is_dedicated: bool,
    /// Limits its API and OData requests; `None` when limits are off.
    pub limiter: Option<Limiter>,
    /// Limits its SOAP calls, for which all applications share the concurrency and the queue of the environment. `None`
    /// when limits are off.
    pub soap_limiter: Option<Limiter>,
    /// Requests that have chosen it and wait for its token.
    pub awaiting_token: AwaitingToken,
}

/// A count of requests that wait for a token.
#[derive(Debug, Default)]
pub struct AwaitingToken(AtomicUsize);

/// One of them, until it is dropped.
#[derive(Debug)]
pub struct Awaiting<'a>(&'a AtomicUsize);

impl AwaitingToken {
    /// Counts a request.
    pub fn begin(&self) -> Awaiting<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Awaiting(&self.0)
    }
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Which applications may send a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Senders {
    /// Any: bcproxy asks on its own behalf.
    Any,
    /// Those that no client has for itself.
    Shared,
    /// The one that the request's client has for itself.
    Only(ClientId),
}

/// How fit a member is for a request: the smaller, the fitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fitness {
    Fit,
    /// Business Central asked it to pause.
    Throttled,
    /// It has no token, or Business Central rejects it.
    Broken,
}

impl ApplicationPool {
    pub fn new(first: Member, others: impl IntoIterator<Item = Member>) -> Self {
        Self { first: Arc::new(first), others: others.into_iter().map(Arc::new).collect(), next: AtomicUsize::new(0) }
    }

    /// The fittest application with the least load among the senders that are not excluded; `None` when all are.
    ///
    /// `is_soap`: for a SOAP call. `rejected_tokens` and `company` tell which of them Business Central rejects.
    pub fn choose(
        &self,
        senders: Senders,
        is_soap: bool,
        rejected_tokens: &RejectedTokens,
        company: Option<CompanyId>,
        excluded: &[ClientId],
    ) -> Option<Arc<Member>> {
        if self.others.is_empty() {
            return (senders.include(&self.first) && excluded.is_empty()).then(|| self.first.clone());
        }
        let start = self.next.fetch_add(1, Ordering::Relaxed) % (self.others.len() + 1);
        let members = self.members().cycle().skip(start).take(self.others.len() + 1);
        let candidates = members.filter(|member| senders.include(member) && !excluded.contains(&member.client_id));
        candidates
            .min_by_key(|member| (member.fitness(is_soap, rejected_tokens, company), member.load(is_soap)))
            .cloned()
    }

    /// The senders of a request whose client has this application for itself, if the pool has it.
    pub fn senders(&self, dedicated: Option<ClientId>) -> Senders {
        match dedicated.filter(|wanted| self.members().any(|member| member.client_id == *wanted)) {
            Some(client_id) => Senders::Only(client_id),
            None => Senders::Shared,
        }
    }

    /// How many applications these senders are.
    pub fn count(&self, senders: Senders) -> usize {
        self.members().filter(|member| senders.include(member)).count()
    }

    /// Whether another member could serve what is queued for this one, except SOAP calls: these share a queue.
    pub fn has_alternative(&self, member: &Member) -> bool {
        let is_open = |other: &Member| !other.is_dedicated && !other.tokens.is_failing() && !other.is_paused(false);
        !member.is_dedicated && self.members().any(|other| other.client_id != member.client_id && is_open(other))
    }

    /// Whether it has the same applications with the same tokens as another pool.
    pub fn is_made_of(&self, other: &Self) -> bool {
        let is_same = |(one, other): (&Arc<Member>, &Arc<Member>)| Arc::ptr_eq(&one.tokens, &other.tokens);
        self.others.len() == other.others.len() && self.members().zip(other.members()).all(is_same)
    }

    pub fn members(&self) -> impl Iterator<Item = &Arc<Member>> + Clone {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl Senders {
    fn include(self, member: &Member) -> bool {
        match self {
            Self::Any => true,
            Self::Shared => !member.is_dedicated,
            Self::Only(client_id) => member.client_id == client_id,
        }
    }
}

impl Member {
    /// The limiter of its SOAP calls, or of all others; `None` when limits are off.
    pub fn limiter(&self, is_soap: bool) -> Option<&Limiter> {
        if is_soap { self.soap_limiter.as_ref() } else { self.limiter.as_ref() }
    }

    fn fitness(&self, is_soap: bool, rejected_tokens: &RejectedTokens, company: Option<CompanyId>) -> Fitness {
        let token_use = TokenUse { application: self.client_id, company };
        if rejected_tokens.rejects(token_use) || self.tokens.is_failing() {
            return Fitness::Broken;
        }
        if self.is_paused(is_soap) { Fitness::Throttled } else { Fitness::Fit }
    }

    fn is_paused(&self, is_soap: bool) -> bool {
        self.limiter(is_soap).is_some_and(Limiter::is_paused)
    }

    /// Requests in flight, queued or without a token yet; where these are equal, whether the rate delays the next one.
    fn load(&self, is_soap: bool) -> (usize, bool) {
        // Without those that wait, all requests at a start would choose the application whose token comes last.
        let awaiting = self.awaiting_token.0.load(Ordering::Relaxed);
        self.limiter(is_soap)
            .map_or((awaiting, false), |limiter| (limiter.load() + awaiting, limiter.is_delayed_by_rate()))
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}
