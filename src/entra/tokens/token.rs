//! A token in use, and the moments at which it is refreshed and expires.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;
use time::Date;
use tokio::time::Instant;

use crate::entra::claims::Claims;
use crate::entra::token_request::{IssuedToken, TokenError};

/// A token in use.
#[derive(Debug)]
pub struct Token {
    /// `Bearer …`, marked sensitive.
    pub authorization: HeaderValue,
    /// The number of this token among those of its application, starting at 1.
    pub generation: u64,
    /// The number of the credential that Entra accepted, starting at 1. A new credential may fix earlier rejections.
    pub credential_generation: u64,
    /// `None` if the token is opaque.
    pub claims: Option<Claims>,
    /// The last day of the credential it was issued for, if known.
    pub last_day: Option<Date>,
    requested_at: Instant,
    pub(super) usable_until: Instant,
    pub(super) refresh_at: Instant,
}

/// Why there is no token now.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct TokenUnavailable {
    /// The error of the latest token request.
    pub error: Arc<TokenError>,
    pub(super) retry_at: Instant,
}

/// The state of an application's token, for the status page and metrics.
#[derive(Debug, Clone)]
pub struct TokenState {
    /// The usable token, if there is one.
    pub token: Option<Arc<Token>>,
    /// Why the latest token request failed; `None` if it succeeded.
    pub failure: Option<TokenUnavailable>,
    /// The last day of the credential in use, if known.
    pub last_day: Option<Date>,
    /// The number of successful token requests since the start.
    pub received: u64,
    /// The number of failed token requests since the start.
    pub failed: u64,
}

impl Token {
    /// Time since the token was requested.
    pub fn age(&self) -> Duration {
        self.requested_at.elapsed()
    }

    /// Time until the token is no longer used.
    pub fn usable_for(&self) -> Duration {
        self.usable_until.duration_since(Instant::now())
    }

    pub(super) fn new(
        issued: &IssuedToken,
        requested_at: Instant,
        generation: u64,
        credential_generation: u64,
    ) -> Self {
        let grant = &issued.grant;
        // A share of the lifetime works for the five seconds of a test as well as for ninety minutes.
        let margin = (grant.lifetime / 10).min(MAX_MARGIN);
        let usable_for = grant.lifetime - margin;
        // The jitter spreads the refreshes of tokens that were issued together.
        let refresh_after = match grant.refresh_in {
            Some(suggested) => {
                suggested + usable_for.saturating_sub(suggested).min(suggested).mul_f64(JITTER * fastrand::f64())
            }
            None => grant.lifetime.mul_f64(0.6 + JITTER * fastrand::f64()),
        };
        Self {
            authorization: grant.authorization.clone(),
            generation,
            credential_generation,
            claims: grant.claims.clone(),
            last_day: issued.last_day,
            requested_at,
            usable_until: requested_at + usable_for,
            refresh_at: requested_at + refresh_after.min(usable_for),
        }
    }
}

impl TokenUnavailable {
    /// Time until bcproxy asks Entra again; at least a second.
    pub fn retry_after(&self) -> Duration {
        self.retry_at.saturating_duration_since(Instant::now()).max(Duration::from_secs(1))
    }
}

/// The margin before its expiry within which a long-lived token is no longer used.
const MAX_MARGIN: Duration = Duration::from_secs(30);

/// The share of the time until the refresh over which refreshes are spread.
const JITTER: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::credential::Fingerprint;
    use crate::entra::token_request::TokenGrant;

    fn issued(lifetime: u64, refresh_in: Option<u64>) -> IssuedToken {
        IssuedToken {
            grant: TokenGrant {
                authorization: HeaderValue::from_static("Bearer x"),
                lifetime: Duration::from_secs(lifetime),
                refresh_in: refresh_in.map(Duration::from_secs),
                claims: None,
            },
            fingerprint: Fingerprint::of("s"),
            last_day: None,
            is_trimmed: false,
            clock_skew: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn margins_scale_with_the_lifetime() {
        let now = Instant::now();
        for lifetime in [1, 5, 3600, 5400] {
            let token = Token::new(&issued(lifetime, None), now, 1, 1);
            let lifetime = Duration::from_secs(lifetime);
            assert!(token.refresh_at - now >= lifetime.mul_f64(0.6));
            assert!(token.refresh_at - now <= lifetime.mul_f64(0.7));
            assert!(token.usable_until > token.refresh_at + lifetime / 10);
            assert!(token.usable_until < now + lifetime);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_tokens_issued_together_are_refreshed_at_different_times() {
        let now = Instant::now();
        for refresh_in in [None, Some(43_200)] {
            let moments =
                (0..1000).map(|_| (Token::new(&issued(86_400, refresh_in), now, 1, 1).refresh_at - now).as_secs());
            let mut moments: Vec<u64> = moments.collect();
            moments.sort_unstable();
            assert!(moments[0] >= refresh_in.unwrap_or(51_840) && moments[999] < 86_400 * 7 / 10);
            let busiest = (0..1000).map(|n| moments.iter().filter(|&&at| at.abs_diff(moments[n]) < 30).count()).max();
            assert!(busiest < Some(60), "{busiest:?} of 1,000 within a minute");
        }
    }
}
