//! The task that talks to Entra for one application: when it asks, and how long it waits after a failure.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use time::{Date, OffsetDateTime};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::credential::Fingerprint;
use super::token_cache::{Expiry, Shared, Token, Unavailable};
use super::token_endpoint::{Accepted, IssuedToken, TokenEndpoint};
use super::token_error::TokenError;

/// The keeper of one application's token.
pub(super) struct Keeper {
    endpoint: TokenEndpoint,
    shared: Arc<Shared>,
    turns: Arc<Semaphore>,
    attempts_failed: u32,
    /// What the credential's sources held before the latest attempt.
    glanced: Option<Fingerprint>,
    /// The credential that was accepted last.
    accepted: Option<Fingerprint>,
    secret_generation: u64,
    /// The last day on which somebody was told that the credential ends soon.
    warned_on: Option<Date>,
    is_skew_told: bool,
}

impl Keeper {
    pub fn new(endpoint: TokenEndpoint, shared: Arc<Shared>, turns: Arc<Semaphore>) -> Self {
        Self {
            endpoint,
            shared,
            turns,
            attempts_failed: 0,
            glanced: None,
            accepted: None,
            secret_generation: 0,
            warned_on: None,
            is_skew_told: false,
        }
    }

    pub async fn run(mut self) {
        loop {
            self.attempt().await;
            self.rest().await;
        }
    }

    async fn attempt(&mut self) {
        let turns = self.turns.clone();
        // Whoever is waited for does not queue.
        let _turn = tokio::select! {
            biased;
            turn = turns.acquire() => turn.ok(),
            () = self.shared.wake.notified() => None,
        };
        self.glanced = Some(self.endpoint.application().credential.glance().await);
        let asked_at = Instant::now();
        let claims = self.shared.challenge.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let claims = claims.as_ref().map(|(_, challenge)| challenge.as_str());
        match self.endpoint.request_with(claims).await {
            Ok(issued) => self.keep(&issued, asked_at),
            Err(error) => self.back_off(error),
        }
    }

    /// Waits until it is time to ask again: the refresh moment, the end of the back-off or a change that may end it, or a token that became
    /// suspect.
    async fn rest(&self) {
        let failure = self.shared.failure.borrow().clone();
        if let Some(Unavailable { error, retry_at }) = failure {
            tokio::select! {
                () = tokio::time::sleep_until(retry_at) => {}
                () = self.changed(), if error.needs_setup() => {}
            }
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

    /// Ends when the credential's sources hold something else than before the latest attempt.
    async fn changed(&self) {
        let credential = &self.endpoint.application().credential;
        let (mut glances, mut looked) = (0, None);
        loop {
            tokio::time::sleep(GLANCE).await;
            glances += 1;
            let mut is_changed = Some(credential.glance().await) != self.glanced;
            if credential.has_commands() && glances % GLANCES_PER_LOOK == 0 {
                let now = credential.look().await;
                is_changed |= looked.replace(now).is_some_and(|before| before != now);
            }
            if is_changed {
                let application = self.endpoint.application();
                tracing::info!(
                    tenant = %application.tenant_id, client_id = %application.client_id,
                    "the credential was changed; asking Entra again"
                );
                return;
            }
        }
    }

    fn keep(&mut self, issued: &IssuedToken, asked_at: Instant) {
        let application = self.endpoint.application();
        let Accepted { fingerprint, last_day, is_trimmed } = issued.accepted;
        if self.accepted.replace(fingerprint) != Some(fingerprint) {
            self.secret_generation += 1;
            if is_trimmed {
                tracing::info!(
                    client_id = %application.client_id,
                    "white space around the client secret was left out, such as the line break an editor adds"
                );
            }
        }
        let generation = self.shared.current.load().as_ref().map_or(0, |token| token.generation) + 1;
        let token = Token::new(issued, asked_at, generation, self.secret_generation);
        tracing::info!(
            tenant = %application.tenant_id, client_id = %application.client_id, generation,
            lifetime_s = issued.granted.lifetime.as_secs(), after_failures = self.attempts_failed, "token received"
        );
        let today = OffsetDateTime::now_utc().date();
        if let Some(expiry) = last_day.and_then(|last_day| Expiry::soon(last_day, today))
            && self.warned_on != Some(today)
        {
            tracing::warn!(client_id = %application.client_id, last_day = %expiry.last_day, "{expiry}");
            self.warned_on = Some(today);
        }
        if let Some(skew) = issued.clock.filter(|_| !self.is_skew_told) {
            tracing::warn!("{skew}");
        }
        self.is_skew_told = issued.clock.is_some();
        self.attempts_failed = 0;
        self.shared.received.fetch_add(1, Ordering::Relaxed);
        self.forget_challenge(generation);
        self.shared.current.store(Some(Arc::new(token)));
        self.shared.failure.send_replace(None);
    }

    /// A challenge to a token before this one is met; one that came meanwhile is not.
    fn forget_challenge(&self, generation: u64) {
        let mut challenge = self.shared.challenge.lock().unwrap_or_else(PoisonError::into_inner);
        challenge.take_if(|(refused, _)| *refused < generation);
    }

    fn back_off(&mut self, error: TokenError) {
        self.attempts_failed = self.attempts_failed.saturating_add(1);
        self.shared.failed.fetch_add(1, Ordering::Relaxed);
        let usable_for = self.shared.usable(0).map(|token| token.usable_until.duration_since(Instant::now()));
        let pause = pause(&error, self.attempts_failed, usable_for);
        let application = self.endpoint.application();
        tracing::warn!(
            tenant = %application.tenant_id, client_id = %application.client_id, failures = self.attempts_failed,
            retry_in_ms = pause.as_millis() as u64, still_usable = usable_for.is_some(), "no token: {error}"
        );
        let failure = Unavailable { error: Arc::new(error), retry_at: Instant::now() + pause };
        self.shared.failure.send_replace(Some(failure));
    }
}

/// How long to leave Entra alone after the n-th failure in a row: doubling, with jitter, longer where somebody has to act first or where
/// the token at hand is good for a while.
fn pause(error: &TokenError, failures: u32, usable_for: Option<Duration>) -> Duration {
    let (first, longest) = match usable_for {
        _ if error.needs_setup() => SETUP_PAUSE,
        Some(left) => (FAULT_PAUSE.0, (left / 4).clamp(FAULT_PAUSE.1, UNHURRIED_PAUSE)),
        None => FAULT_PAUSE,
    };
    let doubled = first.saturating_mul(1 << (failures - 1).min(16)).min(longest);
    let jittered = doubled.mul_f64(0.75 + 0.5 * fastrand::f64());
    error.retry_after().map_or(jittered, |asked| jittered.max(asked))
}

/// First and longest pause after a fault that passes by itself. The longest is short: a recovered Entra is noticed soon.
const FAULT_PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// The longest pause while nobody misses a new token.
const UNHURRIED_PAUSE: Duration = Duration::from_secs(60);

/// First and longest pause while somebody has to mend the set-up.
const SETUP_PAUSE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(300));

/// How often the credential's files and variables are looked at while somebody has to mend something.
const GLANCE: Duration = Duration::from_secs(2);

/// A command costs a process, and perhaps a question to a vault.
const GLANCES_PER_LOOK: u32 = 8;

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        let not_entra = |retry_after| TokenError::NotEntra {
            host: "login".into(),
            status: StatusCode::BAD_GATEWAY,
            problem: "no JSON",
            retry_after,
        };
        assert!(pause(&not_entra(None), 1, None) <= FAULT_PAUSE.0.mul_f64(1.25));
        assert!(pause(&not_entra(None), u32::MAX, None) <= FAULT_PAUSE.1.mul_f64(1.25));
        assert!(pause(&not_entra(Some(Duration::from_secs(60))), 1, None) >= Duration::from_secs(60));
        let hour = Duration::from_secs(3600);
        assert!(pause(&not_entra(None), u32::MAX, Some(hour)) >= UNHURRIED_PAUSE.mul_f64(0.75));
        let minute = Duration::from_secs(60);
        assert!(pause(&not_entra(None), u32::MAX, Some(minute)) <= (minute / 4).mul_f64(1.25));
    }
}
