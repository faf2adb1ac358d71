//! What needs attention although requests are answered: for each of these, the reason and until when.

use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use super::format::{end_of_day, rfc3339};
use crate::proxy::{Connector, LimiterState, Member, Rejection, Route};

/// A condition that needs attention although requests are answered.
#[derive(Debug, Clone, Serialize)]
pub struct Warning {
    pub kind: WarningKind,
    /// What is wrong and what to do: complete sentences.
    pub reason: String,
    /// When it ends by itself, or when it becomes an outage; `None` where that is not known.
    pub until: Option<String>,
}

/// The kind of a warning. Its name is a label of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    /// The data path runs no task.
    Stalled,
    /// The changed configuration file is not in service.
    ConfigurationRejected,
    /// The shared store is slow or away.
    SharedStore,
    /// A listener's certificate expires soon.
    CertificateExpiry,
    /// An application's credential expires soon.
    CredentialExpiry,
    /// An application has a token, but gets no new one.
    TokenRefresh,
    /// An application is not used, or rejected by Business Central, while others may serve.
    ApplicationSetAside,
    /// A rate limit is used up, or Business Central requested a pause.
    RateLimit,
    /// The circuit breaker is open.
    Unreachable,
}

impl WarningKind {
    /// The kinds that concern the service.
    pub const OF_SERVICE: [Self; 4] =
        [Self::Stalled, Self::ConfigurationRejected, Self::SharedStore, Self::CertificateExpiry];

    /// The kinds that concern one connector.
    pub const OF_CONNECTOR: [Self; 5] =
        [Self::CredentialExpiry, Self::TokenRefresh, Self::ApplicationSetAside, Self::RateLimit, Self::Unreachable];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stalled => "stalled",
            Self::ConfigurationRejected => "configuration_rejected",
            Self::SharedStore => "shared_store",
            Self::CertificateExpiry => "certificate_expiry",
            Self::CredentialExpiry => "credential_expiry",
            Self::TokenRefresh => "token_refresh",
            Self::ApplicationSetAside => "application_set_aside",
            Self::RateLimit => "rate_limit",
            Self::Unreachable => "unreachable",
        }
    }
}

impl Warning {
    pub fn new(kind: WarningKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), until: None }
    }

    /// The data path has run no task for this time.
    pub fn stalled(time: Duration) -> Self {
        let reason = format!("The data path has run no task for {} s. Restart bcproxy.", time.as_secs());
        Self::new(WarningKind::Stalled, reason)
    }

    pub fn until(self, until: OffsetDateTime) -> Self {
        Self { until: Some(rfc3339(until)), ..self }
    }

    fn ends_in(self, left: Duration) -> Self {
        self.until(OffsetDateTime::now_utc() + left)
    }

    /// All warnings of a connector. `routes`: at least those on which Business Central rejects an application.
    pub fn of_connector(connector: &Connector, routes: &[&Route]) -> Vec<Self> {
        let mut warnings = Vec::new();
        if let Some(because) = connector.upstream.open_circuit() {
            let reason = format!("Business Central can't be reached: {because}. bcproxy retries automatically.");
            warnings.push(Self::new(WarningKind::Unreachable, reason));
        }
        // Without any token, the connector is not ready and says why itself.
        let serves = connector.pool.members().any(|member| member.tokens.state().token.is_some());
        for member in connector.pool.members().filter(|_| serves) {
            warnings.extend(Self::of_application(member));
        }
        let rejected = routes.iter().flat_map(|route| {
            let path = format!("route {}", route.settings.path);
            route.rejected_tokens.recent().into_iter().map(move |rejected| (path.clone(), rejected))
        });
        let look_ups = connector.rejected_look_ups().into_iter().map(|rejected| ("look-ups".to_owned(), rejected));
        for (subject, (token_use, left)) in rejected.chain(look_ups) {
            let company = token_use.company.map_or_else(String::new, |company| format!(", company {company}"));
            let reason = format!(
                "Business Central rejects application {} ({subject}{company}). \
                 To see which set-up step is wrong, run `bcproxy doctor {}`.",
                token_use.application, connector.settings.name
            );
            warnings.push(Self::new(WarningKind::ApplicationSetAside, reason).ends_in(left));
        }
        warnings
    }

    fn of_application(member: &Member) -> Vec<Self> {
        let mut warnings = Vec::new();
        let (client_id, state) = (member.client_id, member.tokens.state());
        if let Some(failure) = state.failure {
            let warning = match state.token {
                Some(token) => {
                    let message = Rejection::from(failure).message;
                    let reason = format!("Application {client_id} gets no new token and uses its last one. {message}");
                    Self::new(WarningKind::TokenRefresh, reason).ends_in(token.usable_for())
                }
                None => {
                    let left = failure.retry_after();
                    let message = Rejection::from(failure).message;
                    let reason = format!("Application {client_id} is not used, because it has no token. {message}");
                    Self::new(WarningKind::ApplicationSetAside, reason).ends_in(left)
                }
            };
            warnings.push(warning);
        }
        if let Some(expiry) = member.tokens.expiry() {
            let reason = format!("Application {client_id}: {expiry}.");
            let warning = Self::new(WarningKind::CredentialExpiry, reason);
            warnings.push(match end_of_day(expiry.last_day) {
                Some(end) => warning.until(end),
                None => warning,
            });
        }
        let limiters = [("API and OData requests", &member.limiter), ("SOAP calls", &member.soap_limiter)];
        for (what, limiter) in limiters {
            let subject = format!("{what} of application {client_id}");
            warnings.extend(limiter.as_ref().and_then(|limiter| Self::of_limiter(&subject, &limiter.state())));
        }
        warnings
    }

    /// `subject`: what the limiter is for.
    fn of_limiter(subject: &str, state: &LimiterState) -> Option<Self> {
        let LimiterState { limits, recent, waiting, paused_for, rate_limited, next_permit, .. } = *state;
        let reason = if paused_for.is_some() {
            format!("Business Central requested a pause for {subject}.")
        } else if let Some(rate_limited) = rate_limited {
            let since = rfc3339(rate_limited.since);
            format!("Because of the rate limit, {subject} have been waiting since {since}.")
        } else if recent >= limits.requests.count {
            format!("The rate limit is used up for {subject}.")
        } else {
            return None;
        };
        let queued = match waiting {
            0 => String::new(),
            1 => " 1 is queued.".to_owned(),
            _ => format!(" {waiting} are queued."),
        };
        let warning = Self::new(WarningKind::RateLimit, reason + &queued);
        // The time at which a new request would be served.
        Some(match next_permit {
            Some(left) => warning.ends_in(left),
            None => warning,
        })
    }
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)?;
        match &self.until {
            Some(until) => write!(f, " Until {until}."),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Limits, Rate};

    #[test]
    fn queued_requests_are_counted_in_words() {
        let limits = Limits {
            concurrency: 5,
            requests: Rate { count: 6000, per: Duration::from_secs(300) },
            queue: 100,
            wait: Duration::from_secs(60),
        };
        for (waiting, text) in
            [(0, "for SOAP calls."), (1, "for SOAP calls. 1 is queued."), (2, "for SOAP calls. 2 are queued.")]
        {
            let state = LimiterState {
                shared: None,
                limits,
                in_flight: 0,
                waiting,
                recent: 6000,
                paused_for: None,
                rate_limited: None,
                next_permit: None,
            };
            let warning = Warning::of_limiter("SOAP calls", &state).unwrap();
            assert_eq!(warning.reason, format!("The rate limit is used up {text}"));
        }
    }
}
