//! Business Central's switches and counters.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::data::database::{Database, Owner};
use super::data::records::Records;
use super::data::seed;
use super::data::tables::CUSTOMER;
use super::request_log::{Received, RequestLog};
use super::scripting::{Matcher, Script, Scripts};
use super::throttle::Throttle;
use crate::simulator::entra::Tokens;
use crate::simulator::lock::lock;
use crate::simulator::settings::Settings;
use crate::simulator::times::Times;

/// The simulated Business Central: its switches and counters.
pub struct BusinessCentral {
    pub(super) settings: Settings,
    /// Host and port in links for clients that send no `Host`.
    pub(super) host: String,
    pub(super) tokens: Arc<Tokens>,
    pub(super) database: Mutex<Database>,
    pub(super) request_log: RequestLog,
    pub(super) scripts: Scripts,
    pub(super) connection_rejections: Mutex<Times>,
    pub(super) throttle: Arc<Throttle>,
    pub(super) disabled: Mutex<HashSet<Uuid>>,
}

impl BusinessCentral {
    pub(in crate::simulator) fn new(settings: &Settings, base_url: &str, tokens: Arc<Tokens>) -> Self {
        Self {
            host: base_url.trim_start_matches("https://").to_owned(),
            tokens,
            database: Mutex::new(seed::database(settings, base_url)),
            request_log: RequestLog::new(settings.request_log_limit),
            scripts: Scripts::default(),
            connection_rejections: Mutex::new(Times::Next(0)),
            throttle: Arc::new(Throttle::new(settings.limits)),
            disabled: Mutex::default(),
            settings: settings.clone(),
        }
    }

    /// Adds a script for matching requests. The first match in the order of addition applies.
    pub fn script(&self, matcher: Matcher, times: Times, script: Script) {
        self.scripts.add(matcher, times, script);
    }

    /// Removes all scripts. Responses that have begun are played to their end.
    pub fn clear_scripts(&self) {
        self.scripts.clear();
    }

    /// Closes new connections immediately, before a byte is exchanged. `Times::Next(0)` accepts them again.
    pub fn reject_connections(&self, times: Times) {
        *lock(&self.connection_rejections) = times;
    }

    /// Enables or disables an application's card; a disabled one has its tokens rejected. All are enabled at first.
    pub fn set_application_enabled(&self, client_id: Uuid, is_enabled: bool) {
        let mut disabled = lock(&self.disabled);
        if is_enabled {
            disabled.remove(&client_id)
        } else {
            disabled.insert(client_id)
        };
    }

    /// The number of records created, changed or deleted so far, in all companies.
    pub fn writes(&self) -> u64 {
        lock(&self.database).writes
    }

    /// The number of executions of a method of the codeunit `Tools`.
    pub fn codeunit_calls(&self, method: &str) -> u64 {
        lock(&self.database).codeunit_calls.get(method).copied().unwrap_or(0)
    }

    /// The number of requests rejected because of the operational limits.
    pub fn throttled(&self) -> u64 {
        self.throttle.rejected()
    }

    /// Has [`peak_concurrency`](Self::peak_concurrency) count from now on.
    pub fn reset_peak_concurrency(&self) {
        self.throttle.reset_peak_concurrency();
    }

    /// The number of requests in progress now, of the application with the most or over SOAP.
    pub fn concurrency(&self) -> usize {
        self.throttle.concurrency()
    }

    /// The highest number of requests in progress at the same time, of one application or over SOAP.
    pub fn peak_concurrency(&self) -> usize {
        self.throttle.peak_concurrency()
    }

    /// The number of customers in the company of this name; `None` if there is no such company.
    pub fn customers(&self, company: &str) -> Option<usize> {
        let database = lock(&self.database);
        let company = database.companies.iter().position(|known| known.name == company)?;
        database.records(Owner::Company(company), &CUSTOMER).ok().map(Records::len)
    }

    pub(in crate::simulator) fn received(&self) -> Vec<Received> {
        self.request_log.received()
    }

    pub(in crate::simulator) async fn wait_for(&self, predicate: impl FnMut(&[Received]) -> bool) {
        self.request_log.wait_for(predicate).await;
    }
}
