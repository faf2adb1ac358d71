//! Whether a connector can serve requests now.

use std::sync::Arc;

use super::connector::Connector;
use super::token_attempts::TokenAttempts;
use crate::business_central::Company;
use crate::entra::TokenState;
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

impl Connector {
    /// Fetches what a request needs: a token and, where one is set, the connector's company, which is returned.
    pub async fn ready(&self) -> Result<Option<Arc<Company>>, Rejection> {
        TokenAttempts::default().next(self.look_up_scope()).await?;
        match &self.settings.company {
            Some(wanted) => self.company(wanted, self.deadline()).await.map(Some),
            None => Ok(None),
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
