//! Which 401 responses of Business Central are worth a token refresh.
//!
//! Business Central answers 401 for an expired token and for a missing permission alike. A refresh fixes only the
//! first. A route, or the company look-up, that was rejected with a fresh token causes no refresh for a while. One
//! wrong set-up must not cause a storm of token requests.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::business_central::CompanyId;
use crate::entra::{ClientId, Token};

/// The uses for which Business Central rejected a fresh token.
#[derive(Debug, Default)]
pub struct RejectedTokens {
    /// When, and with a token of which generation of the credential: a changed secret may belong to an application
    /// that is set up correctly.
    recent: Mutex<HashMap<TokenUse, (Instant, u64)>>,
    /// Whether there is any: accepted requests then need no lock.
    any_rejected: AtomicBool,
}

/// What a token was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenUse {
    pub application: ClientId,
    /// `None` for requests outside any known company.
    pub company: Option<CompanyId>,
}

impl RejectedTokens {
    /// Whether a rejected token may be at fault, so that a refresh is worth it.
    pub fn is_worth_a_refresh(&self, token: &Token, token_use: TokenUse) -> bool {
        let Ok(recent) = self.recent.lock() else { return false };
        let is_old =
            |(at, generation): &(Instant, u64)| *generation != token.credential_generation || at.elapsed() > COOL_DOWN;
        recent.get(&token_use).is_none_or(is_old)
    }

    /// Records that a fresh token was rejected. Whether the last one for this use was not.
    pub fn record(&self, token: &Token, token_use: TokenUse) -> bool {
        let Ok(mut recent) = self.recent.lock() else { return false };
        let before = recent.insert(token_use, (Instant::now(), token.credential_generation));
        self.any_rejected.store(true, Ordering::Relaxed);
        before.is_none()
    }

    /// Whether this use is likely to be rejected again.
    pub fn rejects(&self, token_use: TokenUse) -> bool {
        let is_recent = |(at, _): &(Instant, u64)| at.elapsed() <= COOL_DOWN;
        self.has_any() && self.recent.lock().is_ok_and(|recent| recent.get(&token_use).is_some_and(is_recent))
    }

    /// Whether there may be any.
    pub fn has_any(&self) -> bool {
        self.any_rejected.load(Ordering::Relaxed)
    }

    /// The uses that are likely to be rejected again, and for how long bcproxy assumes so.
    pub fn recent(&self) -> Vec<(TokenUse, Duration)> {
        let Ok(recent) = self.recent.lock() else { return Vec::new() };
        let left = recent.iter().map(|(token_use, (at, _))| (*token_use, COOL_DOWN.saturating_sub(at.elapsed())));
        left.filter(|(_, left)| !left.is_zero()).collect()
    }

    /// Records that a token was accepted: the set-up works, and the next 401 may be the token's fault again. Whether a
    /// token was rejected for this use before.
    pub fn clear(&self, token_use: TokenUse) -> bool {
        if !self.has_any() {
            return false;
        }
        let Ok(mut recent) = self.recent.lock() else { return false };
        let before = recent.remove(&token_use);
        self.any_rejected.store(!recent.is_empty(), Ordering::Relaxed);
        before.is_some()
    }
}

/// How long a use that was rejected with a fresh token causes no refresh.
const COOL_DOWN: Duration = Duration::from_secs(300);
