//! The applications of a connector: as which of them a request goes out.
//!
//! Business Central limits each application, so several get more done. One that is throttled, has no token or is refused is passed over
//! while others can do the work; when its time is over, it is tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::rejected_tokens::{Case, RejectedTokens};
use crate::business_central::CompanyId;
use crate::entra::{ClientId, CredentialExpiry, TokenCache};
use crate::proxy::dispatch::limiter::Limiter;

/// The applications a connector can use: one, mostly.
#[derive(Debug)]
pub struct Pool {
    first: Arc<Member>,
    others: Vec<Arc<Member>>,
    /// Whose turn it is among those with equally much to do.
    next: AtomicUsize,
}

/// An application in an environment.
pub struct Member {
    pub client_id: ClientId,
    pub tokens: Arc<TokenCache>,
    /// What lets its api and OData requests through to Business Central; `None`: it limits nothing that we know of.
    pub limiter: Option<Limiter>,
}

/// How fit a member is for a request; the smaller, the fitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fitness {
    Fit,
    /// Business Central asked it to pause.
    Throttled,
    /// It has no token, or Business Central does not take it.
    Broken,
}

impl Pool {
    pub fn new(first: Member, others: impl IntoIterator<Item = Member>) -> Self {
        Self { first: Arc::new(first), others: others.into_iter().map(Arc::new).collect(), next: AtomicUsize::new(0) }
    }

    /// The fittest one with the least to do, of those that are not excluded; `None` when all are.
    ///
    /// `rejected_tokens` and `company` tell whom Business Central refuses.
    pub fn choose(
        &self,
        rejected_tokens: &RejectedTokens,
        company: Option<CompanyId>,
        excluded: &[ClientId],
    ) -> Option<Arc<Member>> {
        if self.others.is_empty() {
            return excluded.is_empty().then(|| self.first.clone());
        }
        let start = self.next.fetch_add(1, Ordering::Relaxed) % (self.others.len() + 1);
        let members = self.members().cycle().skip(start).take(self.others.len() + 1);
        let candidates = members.filter(|member| !excluded.contains(&member.client_id));
        candidates.min_by_key(|member| (member.fitness(rejected_tokens, company), member.load())).cloned()
    }

    /// The end of the credential that ends first, if that is soon.
    pub fn expiry(&self) -> Option<CredentialExpiry> {
        self.members().filter_map(|member| member.tokens.expiry()).min_by_key(|expiry| expiry.last_day)
    }

    /// Whether another member could do what waits for this one.
    pub fn has_alternative(&self, member: &Member) -> bool {
        let is_open = |other: &Member| !other.tokens.is_failing() && !other.is_paused();
        self.members().any(|other| other.client_id != member.client_id && is_open(other))
    }

    /// Whether it has the same applications with the same tokens as another one.
    pub fn is_made_of(&self, other: &Self) -> bool {
        let is_same = |(one, other): (&Arc<Member>, &Arc<Member>)| Arc::ptr_eq(&one.tokens, &other.tokens);
        self.others.len() == other.others.len() && self.members().zip(other.members()).all(is_same)
    }

    pub fn members(&self) -> impl Iterator<Item = &Arc<Member>> + Clone {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl Member {
    fn fitness(&self, rejected_tokens: &RejectedTokens, company: Option<CompanyId>) -> Fitness {
        let case = Case { application: self.client_id, company };
        if rejected_tokens.rejects(case) || self.tokens.is_failing() {
            return Fitness::Broken;
        }
        if self.is_paused() { Fitness::Throttled } else { Fitness::Fit }
    }

    fn is_paused(&self) -> bool {
        self.limiter.as_ref().is_some_and(Limiter::is_paused)
    }

    fn load(&self) -> usize {
        self.limiter.as_ref().map_or(0, Limiter::load)
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}
