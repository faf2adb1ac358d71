//! The task that requests an application's tokens: when it asks Entra, and how long it backs off after a failure.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use time::{Date, OffsetDateTime};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::token::{Token, TokenUnavailable};
use super::token_slot::TokenSlot;
use crate::entra::claims_challenge::ClaimsChallenge;
use crate::entra::credential::Fingerprint;
use crate::entra::credential_expiry::CredentialExpiry;
use crate::entra::token_request::{IssuedToken, TokenEndpoint, TokenError};
use crate::guide::Event;

/// The refresher of one application's token.
pub(super) struct TokenRefresher {
    endpoint: TokenEndpoint,
    slot: Arc<TokenSlot>,
    permits: Arc<Semaphore>,
    /// Failed attempts in a row.
    failures: u32,
    /// The credential before the latest attempt.
    tried: Option<Fingerprint>,
    /// The credential that Entra accepted last.
    accepted: Option<Fingerprint>,
    credential_generation: u64,
    /// The last day on which the log warned about the credential's expiry.
    warned_on: Option<Date>,
    is_skew_logged: bool,
}

impl TokenRefresher {
    pub fn new(endpoint: TokenEndpoint, slot: Arc<TokenSlot>, permits: Arc<Semaphore>) -> Self {
        Self {
            endpoint,
            slot,
            permits,
            failures: 0,
            tried: None,
            accepted: None,
            credential_generation: 0,
            warned_on: None,
            is_skew_logged: false,
        }
    }

    /// Runs as long as it is polled.
    ///
    /// There is one for each application, which waits nearly always. So what is rare is boxed.
    #[expect(clippy::manual_async_fn, reason = "an async fn would hold its arguments twice")]
    pub fn run(mut self) -> impl Future<Output = ()> {
        async move {
            loop {
                Box::pin(self.attempt()).await;
                self.wait_for_next_attempt().await;
            }
        }
    }

    async fn attempt(&mut self) {
        let permits = self.permits.clone();
        // The wake-up means that a request waits: proceed without a permit.
        let _permit = tokio::select! {
            biased;
            permit = permits.acquire() => permit.ok(),
            () = self.slot.wake.notified() => None,
        };
        self.tried = Some(self.endpoint.application.credential.quick_fingerprint().await);
        let requested_at = Instant::now();
        let challenge = self.slot.challenge();
        match self.endpoint.request_with(challenge.as_ref().map(ClaimsChallenge::as_str)).await {
            Ok(issued) => self.store(&issued, requested_at),
            Err(error) => self.back_off(error),
        }
    }

    /// After a failure, waits for the end of the back-off or for a changed credential. Otherwise waits until the token
    /// is due for refresh or rejected.
    async fn wait_for_next_attempt(&self) {
        let failure = self.slot.failure.borrow().clone();
        if let Some(TokenUnavailable { error, retry_at }) = failure {
            tokio::select! {
                () = tokio::time::sleep_until(retry_at) => {}
                () = Box::pin(self.credential_changed()), if error.needs_setup() => {}
            }
            return;
        }
        loop {
            let (refresh_at, generation) = match self.slot.current.load().as_ref() {
                Some(token) => (token.refresh_at, token.generation),
                None => return,
            };
            if self.slot.rejected.load(Ordering::Relaxed) >= generation {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(refresh_at) => return,
                () = self.slot.wake.notified() => {}
            }
        }
    }

    /// Waits until the credential differs from the one that was tried last.
    async fn credential_changed(&self) {
        let credential = &self.endpoint.application.credential;
        let (mut polls, mut full) = (0, None);
        loop {
            tokio::time::sleep(CREDENTIAL_POLL_INTERVAL).await;
            polls += 1;
            let mut is_changed = Some(credential.quick_fingerprint().await) != self.tried;
            if credential.has_commands() && polls % POLLS_PER_COMMAND == 0 {
                let now = credential.fingerprint().await;
                is_changed |= full.replace(now).is_some_and(|before| before != now);
            }
            if is_changed {
                let application = &self.endpoint.application;
                tracing::info!(
                    tenant = %application.tenant_id, client_id = %application.client_id,
                    "the credential has changed; requesting a token again"
                );
                return;
            }
        }
    }

    fn store(&mut self, issued: &IssuedToken, requested_at: Instant) {
        let application = &self.endpoint.application;
        if self.accepted.replace(issued.fingerprint) != Some(issued.fingerprint) {
            self.credential_generation += 1;
            if issued.is_trimmed {
                tracing::info!(
                    client_id = %application.client_id,
                    "ignored white space around the client secret, such as the line break an editor adds"
                );
            }
        }
        let generation = self.slot.current.load().as_ref().map_or(0, |token| token.generation) + 1;
        let token = Token::new(issued, requested_at, generation, self.credential_generation);
        tracing::info!(
            tenant = %application.tenant_id, client_id = %application.client_id, generation,
            lifetime_s = issued.grant.lifetime.as_secs(), after_failures = self.failures, "token received"
        );
        let today = OffsetDateTime::now_utc().date();
        if let Some(expiry) = issued.last_day.and_then(|last_day| CredentialExpiry::soon(last_day, today))
            && self.warned_on != Some(today)
        {
            tracing::warn!(
                event_id = Event::CredentialExpires.id(),
                client_id = %application.client_id, last_day = %expiry.last_day, "{expiry}"
            );
            self.warned_on = Some(today);
        }
        if let Some(skew) = issued.clock_skew.filter(|_| !self.is_skew_logged) {
            tracing::warn!(event_id = Event::ClockWrong.id(), "{skew}");
        }
        self.is_skew_logged = issued.clock_skew.is_some();
        self.failures = 0;
        self.slot.received.fetch_add(1, Ordering::Relaxed);
        self.slot.clear_challenge_before(generation);
        self.slot.current.store(Some(Arc::new(token)));
        self.slot.failure.send_replace(None);
    }

    fn back_off(&mut self, error: TokenError) {
        self.failures = self.failures.saturating_add(1);
        self.slot.failed.fetch_add(1, Ordering::Relaxed);
        let usable_for = self.slot.usable(0).map(|token| token.usable_for());
        let pause = back_off_time(&error, self.failures, usable_for);
        let application = &self.endpoint.application;
        tracing::warn!(
            tenant = %application.tenant_id, client_id = %application.client_id, failures = self.failures,
            retry_in_ms = pause.as_millis() as u64, still_usable = usable_for.is_some(), "no token: {error}"
        );
        let failure = TokenUnavailable { error: Arc::new(error), retry_at: Instant::now() + pause };
        self.slot.failure.send_replace(Some(failure));
    }
}

/// The pause after the n-th failure in a row. It doubles each time, with jitter.
///
/// It is longer if an administrator has to act first, or if the current token stays usable for a while.
fn back_off_time(error: &TokenError, failures: u32, usable_for: Option<Duration>) -> Duration {
    let (first, max) = match usable_for {
        _ if error.needs_setup() => SETUP_BACK_OFF,
        Some(left) => (FAULT_BACK_OFF.0, (left / 4).clamp(FAULT_BACK_OFF.1, MAX_BACK_OFF_WITH_TOKEN)),
        None => FAULT_BACK_OFF,
    };
    let doubled = first.saturating_mul(1 << (failures - 1).min(16)).min(max);
    let jittered = doubled.mul_f64(0.75 + 0.5 * fastrand::f64());
    error.retry_after().map_or(jittered, |requested| jittered.max(requested))
}

/// First and longest pause after a temporary fault. The longest is short, to notice a recovered Entra soon.
const FAULT_BACK_OFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// The longest pause after a temporary fault while the current token is usable.
const MAX_BACK_OFF_WITH_TOKEN: Duration = Duration::from_secs(60);

/// First and longest pause while the set-up has to be fixed.
const SETUP_BACK_OFF: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(300));

/// How often the credential's files and variables are checked for a change while the set-up has to be fixed.
const CREDENTIAL_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// How many such checks pass between two runs of a command, which costs a process and perhaps a call to a vault.
const POLLS_PER_COMMAND: u32 = 8;

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        let not_entra = |retry_after| TokenError::NotEntra {
            host: "login".into(),
            status: StatusCode::BAD_GATEWAY,
            problem: "the body is not JSON",
            retry_after,
        };
        assert!(back_off_time(&not_entra(None), 1, None) <= FAULT_BACK_OFF.0.mul_f64(1.25));
        assert!(back_off_time(&not_entra(None), u32::MAX, None) <= FAULT_BACK_OFF.1.mul_f64(1.25));
        assert!(back_off_time(&not_entra(Some(Duration::from_secs(60))), 1, None) >= Duration::from_secs(60));
        let hour = Duration::from_secs(3600);
        assert!(back_off_time(&not_entra(None), u32::MAX, Some(hour)) >= MAX_BACK_OFF_WITH_TOKEN.mul_f64(0.75));
        let minute = Duration::from_secs(60);
        assert!(back_off_time(&not_entra(None), u32::MAX, Some(minute)) <= (minute / 4).mul_f64(1.25));
    }
}
