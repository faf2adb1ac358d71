//! What clients may make the proxy hold: bounded for all of them together, and shared fairly.

pub mod fair_budget;
mod ledger;

use crate::config::Config;
use fair_budget::FairBudget;

/// What clients may make the proxy hold.
#[derive(Debug, Clone)]
pub struct Budgets {
    /// In memory: `max_memory`.
    pub memory: FairBudget,
    /// On disk: `disk` of `spool`.
    pub disk: FairBudget,
}

impl Budgets {
    /// The budgets of this configuration; nobody holds anything.
    pub fn new(config: &Config) -> Self {
        Self { memory: FairBudget::new(config.max_memory), disk: FairBudget::new(disk_limit(config)) }
    }

    /// Changes the limits. What is held stays.
    pub fn set_limits(&self, config: &Config) {
        self.memory.set_limit(config.max_memory);
        self.disk.set_limit(disk_limit(config));
    }
}

fn disk_limit(config: &Config) -> u64 {
    config.spool.as_ref().map_or(0, |spool| spool.disk)
}
