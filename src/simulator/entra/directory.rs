//! The directory: the applications of the tenant, and what their tokens say.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::registration::{AppRegistration, SecretState};
use super::tokens::API_READ_WRITE_ALL;
use crate::simulator::breakage::Breakage;
use crate::simulator::settings::Settings;

/// The part of Entra's state that a test can change.
pub(super) struct Directory {
    pub applications: HashMap<Uuid, AppRegistration>,
    /// The application permissions in tokens.
    pub roles: Vec<String>,
    /// The lifetime of tokens.
    pub lifetime: Duration,
    /// The `refresh_in` of token responses.
    pub refresh_in: Option<Duration>,
    /// How far Entra's clock is ahead of this machine's, in seconds.
    pub clock_offset: i64,
    /// The claims that every token request must ask for.
    pub required_claims: Option<String>,
}

impl Directory {
    pub fn new(settings: &Settings) -> Self {
        let is_expired = settings.broken == Some(Breakage::ExpiredSecret);
        let state = if is_expired { SecretState::Expired } else { SecretState::Valid };
        let registration = AppRegistration::with(HashMap::from([(settings.client_secret.clone(), state)]));
        let is_consented = settings.broken != Some(Breakage::Consent);
        Self {
            applications: HashMap::from([(settings.client_id, registration)]),
            roles: is_consented.then(|| API_READ_WRITE_ALL.to_owned()).into_iter().collect(),
            lifetime: settings.token_lifetime,
            refresh_in: settings.token_refresh_in,
            clock_offset: 0,
            required_claims: None,
        }
    }

    /// The time on Entra's clock.
    pub fn now(&self) -> SystemTime {
        let offset = Duration::from_secs(self.clock_offset.unsigned_abs());
        if self.clock_offset < 0 { SystemTime::now() - offset } else { SystemTime::now() + offset }
    }
}
