//! The token of one application: kept in memory, refreshed ahead of time, fetched by one request at a time.
//!
//! A keeper task owns every conversation with Entra; whoever needs a token reads what it published or waits for its next attempt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use hyper::header::HeaderValue;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::Application;
use super::claims::Claims;
use super::credential::Secret;
use super::token_endpoint::{IssuedToken, TokenEndpoint, TokenError};

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
    /// Counts the secrets that were accepted from 1: a rotated secret may have mended what was wrong.
    pub secret_generation: u64,
    /// `None` when the token can't be looked into.
    pub claims: Option<Claims>,
    issued_at: Instant,
    usable_until: Instant,
    refresh_at: Instant,
}

/// Why there is no token now, and when it makes sense to ask again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct Unavailable {
    pub error: Arc<TokenError>,
    retry_at: Instant,
}

struct Shared {
    current: ArcSwapOption<Token>,
    /// The generation Business Central refused, 0 for none.
    suspect: AtomicU64,
    /// Somebody waits.
    wake: Notify,
    /// The outcome of the latest attempt: `None` before the first and after a success.
    failure: watch::Sender<Option<Unavailable>>,
}

impl TokenCache {
    /// Starts the keeper, which fetches a first token at once.
    pub fn start(endpoint: TokenEndpoint) -> Self {
        let shared = Arc::new(Shared {
            current: ArcSwapOption::empty(),
            suspect: AtomicU64::new(0),
            wake: Notify::new(),
            failure: watch::Sender::new(None),
        });
        let application = endpoint.application().clone();
        let keeper =
            Keeper { endpoint, shared: shared.clone(), attempts_failed: 0, secret: None, secret_generation: 0 };
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

    /// Has the token replaced in the background if it is still the current one.
    pub fn suspect(&self, refused: &Token) {
        self.shared.suspect.fetch_max(refused.generation, Ordering::Relaxed);
        self.shared.wake.notify_one();
    }
}

impl Token {
    /// How long ago it was asked for.
    pub fn age(&self) -> Duration {
        self.issued_at.elapsed()
    }

    fn new(issued: &IssuedToken, issued_at: Instant, generation: u64, secret_generation: u64) -> Self {
        // A share of the lifetime serves a test's five seconds as well as the real ninety minutes.
        let margin = (issued.lifetime / 10).min(LAST_MARGIN);
        let ahead = issued.lifetime.mul_f64(0.6 + 0.1 * fastrand::f64());
        Self {
            authorization: issued.authorization.clone(),
            generation,
            secret_generation,
            claims: issued.claims.clone(),
            issued_at,
            usable_until: issued_at + issued.lifetime - margin,
            refresh_at: issued_at + issued.refresh_in.unwrap_or(ahead).min(issued.lifetime - margin),
        }
    }
}

impl Unavailable {
    /// How long until bcproxy asks Entra again; at least a second.
    pub fn retry_after(&self) -> Duration {
        self.retry_at.saturating_duration_since(Instant::now()).max(Duration::from_secs(1))
    }
}

impl Shared {
    fn usable(&self, refused: u64) -> Option<Arc<Token>> {
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

/// The task that talks to Entra.
struct Keeper {
    endpoint: TokenEndpoint,
    shared: Arc<Shared>,
    attempts_failed: u32,
    secret: Option<Secret>,
    secret_generation: u64,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            self.attempt().await;
            self.rest().await;
        }
    }

    async fn attempt(&mut self) {
        let asked_at = Instant::now();
        match self.endpoint.request().await {
            Ok(issued) => self.keep(&issued, asked_at),
            Err(error) => self.back_off(error),
        }
    }

    /// Waits until it is time to ask again: the refresh moment, the end of the back-off, or a token that became suspect.
    async fn rest(&self) {
        let blocked_until = self.shared.failure.borrow().as_ref().map(|failure| failure.retry_at);
        if let Some(retry_at) = blocked_until {
            tokio::time::sleep_until(retry_at).await;
            return;
        }
        loop {
            let (refresh_at, generation) = match self.shared.current.load().as_ref() {
                Some(token) => (token.refresh_at, token.generation),
                None => return,
            };
            if self.shared.suspect.load(Ordering::Relaxed) >= generation {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(refresh_at) => return,
                () = self.shared.wake.notified() => {}
            }
        }
    }

    fn keep(&mut self, issued: &IssuedToken, asked_at: Instant) {
        if self.secret.as_ref() != Some(&issued.secret) {
            self.secret = Some(issued.secret.clone());
            self.secret_generation += 1;
        }
        let generation = self.shared.current.load().as_ref().map_or(0, |token| token.generation) + 1;
        let token = Token::new(issued, asked_at, generation, self.secret_generation);
        let application = self.endpoint.application();
        tracing::info!(
            tenant = %application.tenant_id, client_id = %application.client_id, generation,
            lifetime_s = issued.lifetime.as_secs(), after_failures = self.attempts_failed, "token received"
        );
        self.attempts_failed = 0;
        self.shared.current.store(Some(Arc::new(token)));
        self.shared.failure.send_replace(None);
    }

    fn back_off(&mut self, error: TokenError) {
        self.attempts_failed = self.attempts_failed.saturating_add(1);
        let pause = pause(&error, self.attempts_failed);
        let application = self.endpoint.application();
        tracing::warn!(
            tenant = %application.tenant_id, client_id = %application.client_id, failures = self.attempts_failed,
            retry_in_ms = pause.as_millis() as u64, still_usable = self.shared.usable(0).is_some(), "no token: {error}"
        );
        let failure = Unavailable { error: Arc::new(error), retry_at: Instant::now() + pause };
        self.shared.failure.send_replace(Some(failure));
    }
}

/// How long to leave Entra alone after the n-th failure in a row: doubling, with jitter, longer where somebody has to act first.
fn pause(error: &TokenError, failures: u32) -> Duration {
    let (first, longest) = if error.needs_setup() { SETUP_PAUSE } else { FAULT_PAUSE };
    let doubled = first.saturating_mul(1 << (failures - 1).min(16)).min(longest);
    let jittered = doubled.mul_f64(0.75 + 0.5 * fastrand::f64());
    error.retry_after().map_or(jittered, |asked| jittered.max(asked))
}

/// The margin before its end from which a long-lived token is not used any more.
const LAST_MARGIN: Duration = Duration::from_secs(30);

/// First and longest pause after a fault that passes by itself. The longest is short: a recovered Entra is noticed soon.
const FAULT_PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// First and longest pause while somebody has to mend the set-up.
const SETUP_PAUSE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(300));

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::StatusCode;

    fn issued(lifetime: u64, refresh_in: Option<u64>) -> IssuedToken {
        IssuedToken {
            authorization: HeaderValue::from_static("Bearer x"),
            lifetime: Duration::from_secs(lifetime),
            refresh_in: refresh_in.map(Duration::from_secs),
            claims: None,
            secret: Secret::new("s".into()),
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
        let told = Token::new(&issued(3600, Some(1000)), now, 1, 1);
        assert_eq!(told.refresh_at - now, Duration::from_secs(1000));
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        let not_entra = |retry_after| TokenError::NotEntra {
            host: "login".into(),
            status: StatusCode::BAD_GATEWAY,
            problem: "no JSON",
            retry_after,
        };
        assert!(pause(&not_entra(None), 1) <= FAULT_PAUSE.0.mul_f64(1.25));
        assert!(pause(&not_entra(None), u32::MAX) <= FAULT_PAUSE.1.mul_f64(1.25));
        assert!(pause(&not_entra(Some(Duration::from_secs(60))), 1) >= Duration::from_secs(60));
    }
}
