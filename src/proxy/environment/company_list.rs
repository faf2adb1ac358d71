//! The companies of an environment, as they were last listed.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::business_central::companies::{self, MatchError};
use crate::business_central::{Company, CompanyRef};
use crate::proxy::rejection::Rejection;

/// A list of companies that is looked up by one request at a time; the others wait for its result.
#[derive(Default)]
pub struct CompanyList {
    /// The last list, and when it was made.
    listed: ArcSwapOption<(Vec<Company>, Instant)>,
    /// Why the last look-up failed, and when.
    failure: Mutex<Option<(Rejection, Instant)>>,
}

/// The right to look the list up. Dropping it lets the next request try.
pub struct LookUpGuard<'l> {
    list: &'l CompanyList,
    failure: MutexGuard<'l, Option<(Rejection, Instant)>>,
}

impl CompanyList {
    /// The company, from the list at hand. `None` when it has to be looked up: there is no list, or the company may be
    /// newer than it.
    pub fn find(&self, wanted: &CompanyRef, now: Instant) -> Option<Result<Arc<Company>, Rejection>> {
        let listed = self.listed.load();
        let (companies, listed_at) = &**listed.as_ref()?;
        match companies::find(companies, wanted) {
            Ok(company) => Some(Ok(Arc::new(company.clone()))),
            Err(_) if *listed_at + TRUSTED_FOR < now => None,
            Err(error) => Some(Err(error.into())),
        }
    }

    /// The company or the failure of the last look-up, without waiting for one that is in flight; `None` before the
    /// first.
    pub fn last_known(&self, wanted: &CompanyRef) -> Option<Result<Arc<Company>, Rejection>> {
        if let Some(listed) = self.listed.load().as_ref() {
            let found = companies::find(&listed.0, wanted);
            return Some(found.map(|company| Arc::new(company.clone())).map_err(Rejection::from));
        }
        let failure = self.failure.try_lock().ok()?;
        failure.as_ref().map(|(rejection, _)| Err(rejection.clone()))
    }

    /// Waits for the right to look the list up.
    pub async fn lock(&self) -> LookUpGuard<'_> {
        LookUpGuard { list: self, failure: self.failure.lock().await }
    }
}

impl LookUpGuard<'_> {
    /// The failure of a look-up that ended less than a second before `now`: repeating it would add load to a service
    /// that is down.
    pub fn recent_failure(&self, now: Instant) -> Option<Rejection> {
        self.failure.as_ref().filter(|(_, at)| *at + RETRY_PAUSE > now).map(|(rejection, _)| rejection.clone())
    }

    /// Stores the outcome of a look-up.
    pub fn store(mut self, outcome: Result<Vec<Company>, Rejection>) -> Result<(), Rejection> {
        let at = Instant::now();
        *self.failure = outcome.as_ref().err().map(|rejection| (rejection.clone(), at));
        self.list.listed.store(Some(Arc::new((outcome?, at))));
        Ok(())
    }
}

/// The answer for a company when not even a fresh list is left to search.
pub fn unknown(wanted: &CompanyRef) -> Rejection {
    MatchError::Unknown { wanted: wanted.clone(), existing: Vec::new() }.into()
}

/// How long a failed look-up answers for the requests that follow it.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How long a list that lacks the wanted company is trusted.
const TRUSTED_FOR: Duration = Duration::from_secs(30);
