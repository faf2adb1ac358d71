//! What a message from another replica wakes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Notify;

/// Wakes a task, because of something here or because of a message.
#[derive(Debug, Default)]
pub struct WakeUp {
    notify: Notify,
    has_message: AtomicBool,
}

impl WakeUp {
    /// Wakes the task: something here has changed.
    pub fn wake(&self) {
        self.notify.notify_one();
    }

    /// Waits until it is woken. A wake-up before the wait counts.
    pub async fn woken(&self) {
        self.notify.notified().await;
    }

    /// Whether a message has come since the last call.
    pub fn take_message(&self) -> bool {
        self.has_message.swap(false, Ordering::AcqRel)
    }
}

/// The tasks that messages wake, by the key that a message names.
#[derive(Debug, Default)]
pub(super) struct WakeUps(Mutex<HashMap<String, Weak<WakeUp>>>);

impl WakeUps {
    /// Messages with this key wake that task, as long as it exists.
    pub fn add(&self, key: &str, wake_up: &Arc<WakeUp>) {
        let mut wake_ups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wake_ups.insert(key.to_owned(), Arc::downgrade(wake_up));
        if wake_ups.len() > 2 * wake_ups.values().filter(|one| one.strong_count() > 0).count() + 64 {
            wake_ups.retain(|_, one| one.strong_count() > 0);
        }
    }

    /// A message with this key has come.
    pub fn message(&self, key: &str) {
        let wake_ups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wake_up) = wake_ups.get(key).and_then(Weak::upgrade) {
            wake_up.has_message.store(true, Ordering::Release);
            wake_up.wake();
        }
    }

    /// Wakes all tasks.
    pub fn wake_all(&self) {
        let wake_ups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wake_ups.values().filter_map(Weak::upgrade).for_each(|wake_up| wake_up.wake());
    }
}
