//! A connector in service: one environment of Business Central, with the applications, the limiters and the connections
//! that lead there.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::StatusCode;
use tokio::time::Instant;
use tower::retry::budget::TpsBudget;

use super::application_pool::{ApplicationPool, Member, Senders};
use super::changes::Changes;
use super::company_list::CompanyList;
use super::readiness::LoggedReadiness;
use super::rejected_tokens::{RejectedTokens, TokenUse};
use super::token_attempts::TokenScope;
use super::unbound_actions::UnboundActions;
use crate::business_central::EnvironmentName;
use crate::business_central::address::EnvironmentAddress;
use crate::entra::Token;
use crate::outbound::HttpClient;
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::upstream::Upstream;
use crate::{config, guide};

/// A connector in service. Routes to another environment of the same connector have a `Connector` of their own.
pub struct Connector {
    /// The connector as configured.
    pub settings: Arc<config::Connector>,
    /// Its applications.
    pub pool: ApplicationPool,
    /// The connections to Business Central.
    pub upstream: Upstream,
    /// Bounds retries after faults.
    pub retry_budget: TpsBudget,
    /// Writes in flight to the environment, by whichever connector.
    pub changes: Arc<Changes>,
    /// The environment's addresses at Business Central.
    pub address: EnvironmentAddress,
    pub(super) companies: CompanyList,
    pub(super) unbound_actions: UnboundActions,
    pub(super) http: HttpClient,
    /// Whether Business Central keeps rejecting our own look-ups.
    pub(super) rejected_tokens: RejectedTokens,
    pub(super) logged_readiness: LoggedReadiness,
    last_busy_line: Mutex<Option<Instant>>,
}

impl Connector {
    /// Puts a connector into service; nothing is asked yet.
    pub fn new(
        settings: Arc<config::Connector>,
        environment: &EnvironmentName,
        pool: ApplicationPool,
        upstream: Upstream,
        changes: Arc<Changes>,
        http: HttpClient,
    ) -> Self {
        let address = EnvironmentAddress::new(&settings.base_url, &settings.application.tenant_id, environment);
        Self {
            settings,
            pool,
            upstream,
            retry_budget: retry_budget(),
            changes,
            address,
            companies: CompanyList::default(),
            unbound_actions: UnboundActions::default(),
            http,
            rejected_tokens: RejectedTokens::default(),
            logged_readiness: LoggedReadiness::default(),
            last_busy_line: Mutex::default(),
        }
    }

    /// Whether a connector made of these parts would equal this one.
    pub fn is_made_of(
        &self,
        settings: &config::Connector,
        environment: &EnvironmentName,
        pool: &ApplicationPool,
        upstream: &Upstream,
    ) -> bool {
        *self.settings == *settings
            && self.address.environment == *environment
            && self.pool.is_made_of(pool)
            && self.upstream.is_same(upstream)
    }

    /// Until when a request that arrived at this time may wait for look-ups, permits and retries.
    pub fn deadline(&self, arrived: Instant) -> Instant {
        arrived + self.settings.limits.map_or(MAX_WAIT_WITHOUT_LIMITS, |limits| limits.wait)
    }

    /// The rejection of a request for which no permit was free; `why` completes "and …". The log says so once an hour.
    pub fn busy(&self, why: &str, retry_after: Duration) -> Rejection {
        let now = Instant::now();
        let is_due = |last: &mut Option<Instant>| {
            let is_due = last.is_none_or(|last| now.duration_since(last) >= BUSY_LINE_INTERVAL);
            is_due.then(|| *last = Some(now)).is_some()
        };
        if self.last_busy_line.lock().is_ok_and(|mut last| is_due(&mut last)) {
            tracing::warn!(
                event_id = guide::Event::RequestsRejected.id(),
                connector = self.settings.name,
                "requests are rejected with 429: {why}. This line comes once an hour at most"
            );
        }
        let message = format!(
            "Too many requests for connector `{}`: Business Central limits what one application may send, and {why}. \
             Nothing was carried out. Send the request again later.",
            self.settings.name
        );
        Rejection::new(Kind::Busy, message).retry_after(retry_after)
    }

    /// Pauses an application's limiter after a response with this status, as Business Central asked for. Whether other
    /// applications take over meanwhile.
    pub fn throttle(&self, member: &Member, is_soap: bool, status: StatusCode, pause: Duration) -> bool {
        let Some(limiter) = member.limiter(is_soap) else { return false };
        let others_take_over = !is_soap && self.pool.has_alternative(member);
        if limiter.throttle(pause, others_take_over) {
            let effect = match (is_soap, others_take_over) {
                (true, _) => "all SOAP calls to this environment wait",
                (false, true) => "other applications of the connector take over meanwhile",
                (false, false) => "this application's requests wait",
            };
            tracing::warn!(
                event_id = guide::Event::LimiterPaused.id(),
                connector = self.settings.name, client_id = %member.client_id,
                "Business Central answered {}; the limiter is paused for {} s: {effect}",
                status.as_u16(), pause.as_secs_f32().ceil()
            );
        }
        others_take_over
    }

    /// What the tokens of our own look-ups are used for.
    pub(super) fn look_up_scope(&self) -> TokenScope<'_> {
        TokenScope {
            connector: self,
            senders: Senders::Any,
            is_soap: false,
            rejected_tokens: &self.rejected_tokens,
            company: None,
        }
    }

    /// The applications whose look-ups Business Central rejects, and for how long bcproxy assumes so.
    pub fn rejected_look_ups(&self) -> Vec<(TokenUse, Duration)> {
        self.rejected_tokens.recent()
    }

    /// The rejection of a request whose fresh token Business Central rejected; names the set-up step that is wrong.
    pub fn credentials_rejected(&self, member: &Member, token: &Token) -> Rejection {
        let lacks_role = token.claims.as_ref().is_some_and(|claims| !claims.has_data_role());
        let known_error = if lacks_role { guide::MISSING_ROLE } else { guide::APPLICATION_REJECTED };
        let consent = member.tokens.application.consent_advice().filter(|_| lacks_role);
        let consent = consent.map_or_else(String::new, |advice| format!(" {advice}"));
        let message = format!(
            "Business Central rejects the token of connector `{}` (environment {}, client ID {}). {known_error}{consent}",
            self.settings.name, self.address.environment, member.client_id
        );
        Rejection::new(Kind::CredentialsRejected, message).at(known_error.step)
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector")
            .field("name", &self.settings.name)
            .field("address", &self.address.url())
            .finish_non_exhaustive()
    }
}

/// Why a request is rejected that waited for a permit.
pub const NO_PERMIT: &str = "no permit was free within `wait` of the connector's `limits`";

/// The shortest time between two lines about requests that were rejected for want of a permit.
const BUSY_LINE_INTERVAL: Duration = Duration::from_secs(60 * 60);

const MAX_WAIT_WITHOUT_LIMITS: Duration = Duration::from_secs(90);

/// A tenth of the requests of 20 s, and one retry a second in any case. In an outage, retrying everything would make
/// it worse.
fn retry_budget() -> TpsBudget {
    TpsBudget::new(Duration::from_secs(20), 1, 0.1)
}

#[cfg(test)]
mod tests {
    use tower::retry::budget::Budget;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_budget_is_a_tenth_and_a_few() {
        let budget = retry_budget();
        let retries = || (0..100).filter(|_| budget.withdraw()).count();
        assert_eq!(retries(), 20);
        (0..95).for_each(|_| budget.deposit());
        assert_eq!(retries(), 9);
        for _ in 0..2 {
            tokio::time::advance(Duration::from_secs(3600)).await;
            assert_eq!(retries(), 20);
        }
    }
}
