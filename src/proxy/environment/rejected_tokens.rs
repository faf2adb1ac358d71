//! Which refusals of Business Central are worth a new token.
//!
//! Business Central answers 401 for an expired token and for a missing permission alike. A new token mends only the first, so
//! whoever was refused with a fresh token (a route, the company look-up) does not get another one made for a while: one wrong set-up must not
//! cause a storm of token requests.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::business_central::CompanyId;
use crate::entra::{ClientId, Token};

/// The cases in which a fresh token was refused.
#[derive(Debug, Default)]
pub struct RejectedTokens {
    refused: Mutex<HashMap<Case, Refused>>,
    /// Whether there is any: an answer that was not refused has nothing to take a lock for.
    is_any: AtomicBool,
}

/// Who was refused, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Case {
    pub application: ClientId,
    /// `None` stands for requests outside any company of ours.
    pub company: Option<CompanyId>,
}

#[derive(Debug)]
struct Refused {
    at: Instant,
    /// Another secret may belong to an application that is set up.
    credential_generation: u64,
}

impl RejectedTokens {
    /// Whether a refused token may be at fault, so that a new one is worth asking for.
    pub fn is_worth_a_refresh(&self, token: &Token, case: Case) -> bool {
        let Ok(refused) = self.refused.lock() else { return false };
        refused.get(&case).is_none_or(|refused| {
            refused.credential_generation != token.credential_generation || refused.at.elapsed() > QUIET
        })
    }

    /// Notes that a fresh token was refused too.
    pub fn record(&self, token: &Token, case: Case) {
        if let Ok(mut refused) = self.refused.lock() {
            refused.insert(case, Refused { at: Instant::now(), credential_generation: token.credential_generation });
            self.is_any.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a request of this kind is likely to be refused again.
    pub fn rejects(&self, case: Case) -> bool {
        self.is_any.load(Ordering::Relaxed)
            && self
                .refused
                .lock()
                .is_ok_and(|refused| refused.get(&case).is_some_and(|refused| refused.at.elapsed() <= QUIET))
    }

    /// Notes that a token was taken: the set-up is mended, and the next refusal may be the token's fault again.
    pub fn clear(&self, case: Case) {
        if self.is_any.load(Ordering::Relaxed)
            && let Ok(mut refused) = self.refused.lock()
        {
            refused.remove(&case);
            self.is_any.store(!refused.is_empty(), Ordering::Relaxed);
        }
    }
}

/// How long a route that was refused with a fresh token causes no other.
const QUIET: Duration = Duration::from_secs(300);
