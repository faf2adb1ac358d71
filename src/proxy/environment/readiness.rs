//! Whether a connector can serve requests now.

use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use super::connector::Connector;
use super::token_attempts::TokenAttempts;
use crate::business_central::Company;
use crate::entra::TokenState;
use crate::guide::Event;
use crate::proxy::rejection::Rejection;

/// What is known of a connector without asking Entra or Business Central.
#[derive(Debug, Clone)]
pub enum Condition {
    /// A request could be served now; in this company, unless clients name it.
    Ready(Option<Arc<Company>>),
    /// Entra or Business Central has not answered yet.
    Waiting,
    /// A request would be rejected, for this reason.
    NotReady(Rejection),
}

/// Whether the log last said that a connector is ready; `None`: nothing yet.
#[derive(Debug, Default)]
pub struct LoggedReadiness(Mutex<Option<bool>>);

impl LoggedReadiness {
    /// Whether this differs from what was logged last.
    fn is_news(&self, is_ready: bool) -> bool {
        self.0.lock().is_ok_and(|mut last| last.replace(is_ready) != Some(is_ready))
    }
}

impl Connector {
    /// Fetches what a request needs: a token and, where one is set, the connector's company, which is returned.
    pub async fn ready(&self) -> Result<Option<Arc<Company>>, Rejection> {
        TokenAttempts::default().next(self.look_up_scope()).await?;
        match &self.settings.company {
            Some(wanted) => self.company(wanted, self.deadline(Instant::now())).await.map(Some),
            None => Ok(None),
        }
    }

    /// Logs that it is ready, or why it is not, when that has changed since the log last said so.
    pub fn log_readiness(&self, condition: &Condition) {
        let name = self.settings.name.as_str();
        match condition {
            Condition::Waiting => {}
            Condition::Ready(company) if self.logged_readiness.is_news(true) => {
                let (company, id) =
                    company.as_ref().map(|company| (company.name.as_str(), company.id.to_string())).unzip();
                tracing::info!(
                    event_id = Event::ConnectorReady.id(),
                    connector = name,
                    company,
                    id,
                    "connector is ready"
                );
            }
            Condition::NotReady(rejection) if self.logged_readiness.is_news(false) => {
                tracing::warn!(
                    event_id = Event::ConnectorNotReady.id(),
                    connector = name,
                    "connector is not ready: {}",
                    rejection.message
                );
            }
            Condition::Ready(_) | Condition::NotReady(_) => {}
        }
    }

    /// Whether a request could be served now, as far as that is known.
    pub fn condition(&self) -> Condition {
        let states: Vec<TokenState> = self.pool.members().map(|member| member.tokens.state()).collect();
        if states.iter().all(|state| state.token.is_none()) {
            let failure = states.into_iter().find_map(|state| state.failure);
            return failure.map_or(Condition::Waiting, |failure| Condition::NotReady(failure.into()));
        }
        let Some(wanted) = &self.settings.company else { return Condition::Ready(None) };
        match self.companies.last_known(wanted) {
            Some(Ok(company)) => Condition::Ready(Some(company)),
            Some(Err(rejection)) => Condition::NotReady(rejection),
            None => Condition::Waiting,
        }
    }
}
