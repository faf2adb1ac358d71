//! The checks of `bcproxy doctor`, run by the service itself: with its account, its variables and its configuration.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::control::{Control, Status};
use crate::config;
use crate::config::SharedLimits;
use crate::doctor::{
    Finding, Findings, are_fine, examine, examine_store, line, store_is_fine, store_line, unchecked_line,
    unchecked_store_line,
};
use crate::proxy::{Condition, Connector};

/// The doctor of the admin listener. Clones share it.
#[derive(Debug, Clone)]
pub struct Doctor(Arc<Semaphore>);

/// Why there are no findings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DoctorError {
    /// One run at a time: each makes requests to Entra and Business Central.
    #[error("The set-up is being checked already. Wait until that has ended.")]
    Busy,
    /// The name is not in the configuration.
    #[error("No connector has this name.")]
    UnknownConnector,
    /// The service ends.
    #[error("bcproxy is stopping.")]
    Stopping,
}

impl Default for Doctor {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Doctor {
    /// Checks the set-up of a connector, or of all: of those that are not ready first, and of 20 at most. With all, it
    /// checks the shared store, too.
    ///
    /// The findings are text, as `bcproxy doctor` prints them. A check that takes longer than two minutes is canceled.
    pub async fn examine(&self, connector: Option<&str>, control: &Control) -> Result<String, DoctorError> {
        let _permit = self.0.try_acquire().map_err(|_| DoctorError::Busy)?;
        let status = control.status();
        let mut connectors: Vec<&Arc<Connector>> = status.view.connectors.iter().collect();
        match connector {
            Some(name) => connectors.retain(|connector| connector.settings.name == name),
            None => connectors.sort_by_key(|connector| matches!(connector.condition(), Condition::Ready(_))),
        }
        if connectors.is_empty() {
            return Err(DoctorError::UnknownConnector);
        }
        let left_off = connectors.len().saturating_sub(MAX_CONNECTORS);
        let (deadline, canceled) = (Instant::now() + TIMEOUT, CancellationToken::new());
        let _cancel = canceled.clone().drop_guard();
        let slots = Arc::new(Semaphore::new(MAX_CONCURRENT));
        let mut checks = Vec::new();
        for connector in connectors.into_iter().take(MAX_CONNECTORS) {
            let (connector, routes) = (connector.clone(), routes_of(connector, &status));
            let (canceled, slots) = (canceled.clone(), slots.clone());
            checks.push(control.on_data_path_thread(move || async move {
                let _slot = slots.acquire().await;
                canceled.run_until_cancelled(check(&connector.settings, &routes, deadline)).await.unwrap_or_default()
            }));
        }
        if let (None, Some(store)) = (connector, &status.view.shared_store) {
            let (store, canceled) = (store.clone(), canceled.clone());
            checks.push(control.on_data_path_thread(move || async move {
                canceled.run_until_cancelled(check_store(store.settings())).await.unwrap_or_default()
            }));
        }
        let mut sections = Vec::new();
        for check in checks {
            sections.push(check.await.map_err(|_| DoctorError::Stopping)?);
        }
        let mut text = sections.join("\n");
        if left_off > 0 {
            let _ = writeln!(text, "\n{left_off} more connectors were not checked. Choose one of them.");
        }
        Ok(text)
    }
}

fn routes_of(connector: &Arc<Connector>, status: &Status) -> Vec<config::Route> {
    let own = status.view.routes.iter().filter(|route| route.settings.connector.name == connector.settings.name);
    own.map(|route| route.settings.clone()).collect()
}

/// The findings about a connector.
async fn check(connector: &config::Connector, routes: &[config::Route], deadline: Instant) -> String {
    let mut findings = Findings::new(|_| {});
    let in_time = tokio::time::timeout_at(deadline, examine(connector, routes, &mut findings)).await;
    let findings: Vec<Finding> = findings.into_all();
    let mut text = format!("{}\n", connector.name);
    text.extend(findings.iter().map(|finding| line(finding, false)));
    match in_time {
        Ok(()) => text += &unchecked_line(&findings),
        Err(_) => text += "  ✗ The checks took longer than two minutes and were canceled.\n",
    }
    if in_time.is_ok() && are_fine(&findings) {
        text += "  The set-up works.\n";
    }
    text
}

/// The findings about the shared store.
async fn check_store(settings: &SharedLimits) -> String {
    let findings = examine_store(settings, |_| {}).await;
    let mut text = format!("shared store {}\n", settings.url);
    text.extend(findings.iter().map(|finding| store_line(finding, false)));
    text += &unchecked_store_line(&findings);
    if store_is_fine(&findings) {
        text += "  The shared store works.\n";
    }
    text
}

const MAX_CONNECTORS: usize = 20;

const MAX_CONCURRENT: usize = 4;

const TIMEOUT: Duration = Duration::from_secs(120);
