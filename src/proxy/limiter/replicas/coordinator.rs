//! The task that talks to the shared store for a limiter.

use std::sync::{Arc, Weak};

use tokio::time::Instant;

use super::super::permits::Shared;
use super::call::Reply;
use super::ledger::Sent;
use super::steps::Step;
use crate::shared_store::{LIMITER, SharedStore, StoreError, WakeUp};

/// Works until the limiter is dropped or no longer shared.
pub async fn coordinate(limiter: Weak<Shared>, store: SharedStore, wake_up: Arc<WakeUp>) {
    loop {
        let health_changed = store.health_changed();
        let Some(step) = limiter.upgrade().map(|limiter| limiter.next_step(Instant::now())) else { return };
        match step {
            Step::Call => ask(&limiter).await,
            Step::Wait(until) => tokio::select! {
                () = wake_up.woken() => {}
                () = health_changed => {}
                () = tokio::time::sleep_until(until) => {}
            },
            Step::Alone => health_changed.await,
            Step::Idle => tokio::select! {
                () = wake_up.woken() => {}
                () = health_changed => {}
            },
            Step::Done => return,
        }
    }
}

/// Tells the store what there is to tell, and asks for a permit.
async fn ask(limiter: &Weak<Shared>) {
    let Some((sent, reply)) = limiter.upgrade().and_then(|limiter| limiter.call()) else { return };
    let reply = reply.await;
    if let Some(limiter) = limiter.upgrade() {
        limiter.replied(&sent, reply);
    }
}

impl Shared {
    fn next_step(self: &Arc<Self>, now: Instant) -> Step {
        let mut state = self.lock();
        let step = state.next_step(now);
        if matches!(step, Step::Alone) {
            self.grant(&mut state, now);
        }
        step
    }

    fn call(&self) -> Option<(Sent, impl Future<Output = Result<Reply, StoreError>> + use<>)> {
        let mut state = self.lock();
        let (store, key, call, sent) = state.call(Instant::now())?;
        // The call is of this moment: written before the limiter changes.
        let argument = serde_json::to_value(&call);
        let reply = async move { store.call(&LIMITER, &key, &argument?).await };
        Some((sent, reply))
    }

    fn replied(self: &Arc<Self>, sent: &Sent, reply: Result<Reply, StoreError>) {
        let now = Instant::now();
        let mut state = self.lock();
        match reply {
            Ok(reply) => {
                let granted = state.replied(sent, reply, now);
                if let Some(lane) = granted {
                    self.grant_lease(&mut state, lane, sent.lease, now);
                }
                self.note_rate_waits(&mut state, now);
            }
            Err(_) => state.failed(sent),
        }
    }
}
