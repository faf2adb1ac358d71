//! When the service control manager is told the status, and what a control leads to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::status::{Control, Status, StatusSink};
use crate::admin::Liveness;
use crate::daemon::service_manager::ServiceManager;
use crate::daemon::signals::Controls;

/// Reports the status of the service, and passes on controls.
pub struct Reporter {
    sink: Box<dyn StatusSink>,
    controls: Arc<Controls>,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    status: Status,
    /// The end of the grace period, once it is known.
    until: Option<Instant>,
}

impl Reporter {
    /// Reports that the service starts.
    pub fn new(sink: Box<dyn StatusSink>, controls: Arc<Controls>) -> Self {
        let status = Status::Starting { checkpoint: 1 };
        sink.report(status);
        Self { sink, controls, state: Mutex::new(State { status, until: None }) }
    }

    /// Reacts to a control. Windows sends the next one after this has returned.
    pub fn control(&self, control: Control) {
        match control {
            Control::Stop | Control::Preshutdown => {
                // Reported here and not by the drain: until then, Windows would send more controls.
                self.begin_stop();
                self.controls.stop();
            }
            Control::ParamChange => self.controls.reload(),
        }
    }

    /// Reports that the service has ended. The process may be killed at any time after this call.
    pub fn stopped(&self, code: u8) {
        self.set(&mut self.state(), Status::Stopped { code });
    }

    fn begin_stop(&self) {
        let mut state = self.state();
        if matches!(state.status, Status::Starting { .. } | Status::Running) {
            self.set(&mut state, Status::Stopping { checkpoint: 1 });
        }
    }

    /// Reports progress. After the grace period there is none.
    fn advance(&self) {
        let mut state = self.state();
        let is_late = state.until.is_some_and(|until| Instant::now() > until);
        if let Some(next) = state.status.advanced().filter(|_| !is_late) {
            self.set(&mut state, next);
        }
    }

    /// The lock is held during the report, so that Windows hears of changes in their order.
    fn set(&self, state: &mut MutexGuard<'_, State>, status: Status) {
        state.status = status;
        self.sink.report(status);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServiceManager for Reporter {
    fn ready(&self, _status: &str) {
        let mut state = self.state();
        if matches!(state.status, Status::Starting { .. }) {
            self.set(&mut state, Status::Running);
        }
    }

    fn stopping(&self, grace: Duration) {
        self.begin_stop();
        self.state().until = Some(Instant::now() + grace + AFTER_GRACE);
    }

    fn heartbeat(self: Arc<Self>, _liveness: Liveness) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let mut ticks = tokio::time::interval(CHECKPOINT_INTERVAL);
            loop {
                ticks.tick().await;
                self.advance();
            }
        })
    }
}

/// Well below the wait hints.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(2);

/// The time for what follows the grace period: aborted requests, the last telemetry.
const AFTER_GRACE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use tokio::runtime::Handle;
    use tokio::time;

    use super::*;
    use crate::daemon::service_manager::windows::tests::Reports;

    fn reporter() -> (Arc<Reporter>, Reports) {
        let reports = Reports::default();
        (Arc::new(Reporter::new(Box::new(reports.clone()), Arc::default())), reports)
    }

    #[test]
    fn a_start_a_stop_and_the_end_are_reported_once_each() {
        let (reporter, reports) = reporter();
        reporter.ready("");
        reporter.ready("after a reload");
        reporter.control(Control::Stop);
        // The drain begins, as the control asks for.
        reporter.stopping(Duration::from_secs(600));
        reporter.ready("a reload ends while the service stops");
        reporter.stopped(0);
        assert_eq!(
            reports.all(),
            [
                Status::Starting { checkpoint: 1 },
                Status::Running,
                Status::Stopping { checkpoint: 1 },
                Status::Stopped { code: 0 }
            ]
        );
    }

    #[test]
    fn a_stop_that_windows_did_not_ask_for_is_reported_too() {
        let (reporter, reports) = reporter();
        reporter.ready("");
        reporter.stopping(Duration::from_secs(600));
        assert_eq!(reports.latest(), Status::Stopping { checkpoint: 1 });
    }

    #[test]
    fn a_failed_start_ends_with_its_code() {
        let (reporter, reports) = reporter();
        reporter.stopped(2);
        assert_eq!(reports.all(), [Status::Starting { checkpoint: 1 }, Status::Stopped { code: 2 }]);
    }

    #[tokio::test(start_paused = true)]
    async fn checkpoints_grow_until_some_seconds_after_the_grace_period() {
        let (reporter, reports) = reporter();
        tokio::spawn(reporter.clone().heartbeat(Liveness::watch(Handle::current())));
        time::sleep(Duration::from_secs(5)).await;
        assert!(matches!(reports.latest(), Status::Starting { checkpoint: 3.. }), "{:?}", reports.latest());
        reporter.ready("");
        time::sleep(Duration::from_secs(60)).await;
        assert_eq!(reports.latest(), Status::Running, "a service that serves has no progress to report");

        reporter.control(Control::Preshutdown);
        reporter.stopping(Duration::from_secs(30));
        for _ in 0..15 {
            let before = reports.all().len();
            time::sleep(CHECKPOINT_INTERVAL).await;
            assert_eq!(reports.all().len(), before + 1);
            assert!(CHECKPOINT_INTERVAL < reports.latest().wait_hint());
        }
        time::sleep(AFTER_GRACE).await;
        let late = reports.latest();
        assert!(matches!(late, Status::Stopping { checkpoint: 15..=21 }), "{late:?}");
        time::sleep(Duration::from_secs(600)).await;
        assert_eq!(reports.latest(), late, "what takes longer is not reported as progress");
    }
}
