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
use crate::entra::Token;

/// The companies for which a fresh token was refused; `None` stands for requests outside any company of ours.
#[derive(Debug, Default)]
pub struct Suspicion {
    refused: Mutex<HashMap<Option<CompanyId>, Refused>>,
    /// Whether there is any: an answer that was not refused has nothing to take a lock for.
    is_any: AtomicBool,
}

#[derive(Debug)]
struct Refused {
    at: Instant,
    /// Another secret may belong to an application that is set up.
    secret_generation: u64,
}

impl Suspicion {
    /// Whether a refused token may be at fault, so that a new one is worth asking for.
    pub fn falls_on(&self, token: &Token, company: Option<CompanyId>) -> bool {
        let Ok(refused) = self.refused.lock() else { return false };
        refused
            .get(&company)
            .is_none_or(|refused| refused.secret_generation != token.secret_generation || refused.at.elapsed() > QUIET)
    }

    /// Notes that a fresh token was refused too.
    pub fn clear_of(&self, token: &Token, company: Option<CompanyId>) {
        if let Ok(mut refused) = self.refused.lock() {
            refused.insert(company, Refused { at: Instant::now(), secret_generation: token.secret_generation });
            self.is_any.store(true, Ordering::Relaxed);
        }
    }

    /// Notes that a token was taken: the set-up is mended, and the next refusal may be the token's fault again.
    pub fn lift(&self, company: Option<CompanyId>) {
        if self.is_any.load(Ordering::Relaxed)
            && let Ok(mut refused) = self.refused.lock()
        {
            refused.remove(&company);
            self.is_any.store(!refused.is_empty(), Ordering::Relaxed);
        }
    }
}

/// How long a route that was refused with a fresh token causes no other.
const QUIET: Duration = Duration::from_secs(300);
