//! The token of one application: kept in memory, refreshed ahead of time, fetched by one request at a time.
//!
//! A keeper task owns every conversation with Entra; whoever needs a token reads what it published or waits for its next attempt.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use hyper::header::HeaderValue;
use time::{Date, OffsetDateTime};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::Application;
use super::challenge::ClaimsChallenge;
use super::claims::Claims;
use super::keeper::Keeper;
use super::token_endpoint::{IssuedToken, TokenEndpoint};
use super::token_error::TokenError;

/// The token of one application. Dropping it ends the keeper task.
pub struct TokenCache {
    shared: Arc<Shared>,
    application: Application,
    _keeper: AbortOnDropHandle<()>,
}

/// A token in use.
#[derive(Debug)]
pub struct Token {
    /// `Bearer …`, marked sensitive.
    pub authorization: HeaderValue,
    /// Counts the tokens of this application from 1.
    pub generation: u64,
    /// Counts the credentials that were accepted from 1: a rotated secret may have mended what was wrong.
    pub secret_generation: u64,
    /// `None` when the token can't be looked into.
    pub claims: Option<Claims>,
    /// The last day of the credential it was got with, where that is known.
    last_day: Option<Date>,
    issued_at: Instant,
    pub(super) usable_until: Instant,
    pub(super) refresh_at: Instant,
}

/// Why there is no token now, and when it makes sense to ask again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct Unavailable {
    pub error: Arc<TokenError>,
    pub(super) retry_at: Instant,
}

/// How an application's token is doing.
#[derive(Debug, Clone)]
pub struct TokenState {
    pub token: Option<TokenAge>,
    /// Why the latest request for a token failed.
    pub failure: Option<Unavailable>,
    /// The last day of the credential in use, where that is known.
    pub last_day: Option<Date>,
    /// Token requests since the start, by how they ended.
    pub received: u64,
    pub failed: u64,
}

/// How old a usable token is.
#[derive(Debug, Clone, Copy)]
pub struct TokenAge {
    pub age: Duration,
    pub usable_for: Duration,
}

/// A credential that ends soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    pub last_day: Date,
    /// Negative when it is over.
    pub days_left: i64,
}

/// What the keeper and those who need its token share.
pub(super) struct Shared {
    pub current: ArcSwapOption<Token>,
    /// The generation Business Central refused, 0 for none.
    pub suspect: AtomicU64,
    /// What Business Central demanded when it refused a generation.
    pub challenge: Mutex<Option<(u64, ClaimsChallenge)>>,
    /// How many requests for a token there were, by how they ended.
    pub received: AtomicU64,
    pub failed: AtomicU64,
    /// Somebody waits.
    pub wake: Notify,
    /// The outcome of the latest attempt: `None` before the first and after a success.
    pub failure: watch::Sender<Option<Unavailable>>,
}

impl TokenCache {
    /// Starts the keeper, which fetches a first token as soon as it has its turn or somebody waits for it.
    ///
    /// `turns` is shared by all keepers: a thousand of them are not to ask at once what nobody needs at once.
    pub fn start(endpoint: TokenEndpoint, turns: Arc<Semaphore>) -> Self {
        let shared = Arc::new(Shared {
            current: ArcSwapOption::empty(),
            suspect: AtomicU64::new(0),
            challenge: Mutex::new(None),
            received: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            wake: Notify::new(),
            failure: watch::Sender::new(None),
        });
        let application = endpoint.application().clone();
        let keeper = Keeper::new(endpoint, shared.clone(), turns);
        Self { shared, application, _keeper: AbortOnDropHandle::new(tokio::spawn(keeper.run())) }
    }

    pub fn application(&self) -> &Application {
        &self.application
    }

    /// A usable token: at once and without a lock when there is one, otherwise that of the next attempt.
    pub async fn token(&self) -> Result<Arc<Token>, Unavailable> {
        match self.shared.usable(0) {
            Some(token) => Ok(token),
            None => self.shared.wait(0).await,
        }
    }

    /// A usable token of another generation than `refused`, which Business Central did not take.
    ///
    /// However many ask, one request is sent; until it is answered others go on using the refused one.
    pub async fn token_after(&self, refused: &Token) -> Result<Arc<Token>, Unavailable> {
        if let Some(token) = self.shared.usable(refused.generation) {
            return Ok(token);
        }
        self.suspect(refused);
        self.shared.wait(refused.generation).await
    }

    /// Whether there is no token, and Entra was asked for one in vain.
    pub fn is_failing(&self) -> bool {
        self.shared.usable(0).is_none() && self.shared.failure.borrow().is_some()
    }

    /// How it is doing now.
    pub fn state(&self) -> TokenState {
        let now = Instant::now();
        let shared = &self.shared;
        TokenState {
            token: shared
                .usable(0)
                .map(|token| TokenAge { age: token.age(), usable_for: token.usable_until.duration_since(now) }),
            failure: shared.failure.borrow().clone(),
            last_day: shared.current.load().as_ref().and_then(|token| token.last_day),
            received: shared.received.load(Ordering::Relaxed),
            failed: shared.failed.load(Ordering::Relaxed),
        }
    }

    /// Has the token replaced in the background if it is still the current one.
    pub fn suspect(&self, refused: &Token) {
        self.shared.suspect.fetch_max(refused.generation, Ordering::Relaxed);
        self.shared.wake.notify_one();
    }

    /// Has the next token meet what was demanded when this one was refused.
    pub fn answer_challenge(&self, refused: &Token, challenge: ClaimsChallenge) {
        *self.shared.challenge.lock().unwrap_or_else(PoisonError::into_inner) = Some((refused.generation, challenge));
    }

    /// When the credential in use ends, if that is soon.
    pub fn expiry(&self) -> Option<Expiry> {
        let token = self.shared.current.load();
        Expiry::soon(token.as_ref()?.last_day?, OffsetDateTime::now_utc().date())
    }
}

impl Token {
    /// How long ago it was asked for.
    pub fn age(&self) -> Duration {
        self.issued_at.elapsed()
    }

    pub(super) fn new(issued: &IssuedToken, issued_at: Instant, generation: u64, secret_generation: u64) -> Self {
        let granted = &issued.granted;
        // A share of the lifetime serves a test's five seconds as well as the real ninety minutes.
        let margin = (granted.lifetime / 10).min(LAST_MARGIN);
        let last = granted.lifetime - margin;
        // Tokens that were got together are not to be renewed together.
        let ahead = match granted.refresh_in {
            Some(told) => told + last.saturating_sub(told).min(told).mul_f64(JITTER * fastrand::f64()),
            None => granted.lifetime.mul_f64(0.6 + JITTER * fastrand::f64()),
        };
        Self {
            authorization: granted.authorization.clone(),
            generation,
            secret_generation,
            claims: granted.claims.clone(),
            last_day: issued.accepted.last_day,
            issued_at,
            usable_until: issued_at + last,
            refresh_at: issued_at + ahead.min(last),
        }
    }
}

impl Unavailable {
    /// How long until bcproxy asks Entra again; at least a second.
    pub fn retry_after(&self) -> Duration {
        self.retry_at.saturating_duration_since(Instant::now()).max(Duration::from_secs(1))
    }
}

impl Expiry {
    /// `None` while there is time enough.
    pub fn soon(last_day: Date, today: Date) -> Option<Self> {
        let days_left = (last_day - today).whole_days();
        (days_left <= WARNED_DAYS).then_some(Self { last_day, days_left })
    }
}

impl std::fmt::Display for Expiry {
    /// A sentence without its full stop.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let day = self.last_day;
        match self.days_left {
            ..0 => write!(f, "the credential ended on {day}; make a new one")?,
            0 => write!(f, "the credential ends today; make a new one")?,
            1 => write!(f, "the credential ends tomorrow; make a new one")?,
            days => write!(f, "the credential ends on {day}, in {days} days; make a new one")?,
        }
        f.write_str(
            " in Entra, App registrations → Certificates & secrets, and put it in its place: no restart is needed",
        )
    }
}

impl Shared {
    pub fn usable(&self, refused: u64) -> Option<Arc<Token>> {
        let token = self.current.load();
        let token = token.as_ref()?;
        (token.generation != refused && Instant::now() < token.usable_until).then(|| token.clone())
    }

    async fn wait(&self, refused: u64) -> Result<Arc<Token>, Unavailable> {
        let mut failure = self.failure.subscribe();
        loop {
            if let Some(token) = self.usable(refused) {
                return Ok(token);
            }
            // While the keeper backs off there is nothing to wait for: say what is wrong.
            if let Some(failure) = failure.borrow_and_update().as_ref().filter(|it| Instant::now() < it.retry_at) {
                return Err(failure.clone());
            }
            self.wake.notify_one();
            // The sender lives in `self`, so the channel can't close while we wait.
            let _ = failure.changed().await;
        }
    }
}

/// The margin before its end from which a long-lived token is not used any more.
const LAST_MARGIN: Duration = Duration::from_secs(30);

/// The share of the time until then over which the renewal of a token is spread.
const JITTER: f64 = 0.1;

/// How many days before its end a credential is worth a warning.
const WARNED_DAYS: i64 = 30;

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::super::credential::Fingerprint;
    use super::super::token_answer::Granted;
    use super::super::token_endpoint::Accepted;
    use super::*;

    fn issued(lifetime: u64, refresh_in: Option<u64>) -> IssuedToken {
        IssuedToken {
            granted: Granted {
                authorization: HeaderValue::from_static("Bearer x"),
                lifetime: Duration::from_secs(lifetime),
                refresh_in: refresh_in.map(Duration::from_secs),
                claims: None,
            },
            accepted: Accepted { fingerprint: Fingerprint::of("s"), last_day: None, is_trimmed: false },
            clock: None,
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
    async fn a_thousand_tokens_that_came_together_are_not_renewed_together() {
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

    #[test]
    fn a_credentials_end_is_told_from_thirty_days_before() {
        let today = date!(2027 - 04 - 01);
        assert_eq!(Expiry::soon(date!(2027 - 05 - 02), today), None);
        let said = |last_day| Expiry::soon(last_day, today).unwrap().to_string();
        assert!(
            said(date!(2027 - 05 - 01))
                .starts_with("the credential ends on 2027-05-01, in 30 days; make a new one in Entra")
        );
        assert!(said(date!(2027 - 04 - 02)).starts_with("the credential ends tomorrow"));
        assert!(said(date!(2027 - 04 - 01)).starts_with("the credential ends today"));
        assert!(said(date!(2027 - 03 - 31)).starts_with("the credential ended on 2027-03-31"));
    }
}
