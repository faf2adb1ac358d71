//! A set-up with one thing wrong, as a switch: what an administrator forgot, mistyped or lost.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use hyper::header::{DATE, HeaderMap, HeaderValue};
use uuid::Uuid;

use super::settings::Settings;

/// The one thing that is wrong with the set-up. What a client is configured with stays right; what it meets here does not fit any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// Nothing listens where Entra should be.
    Connection,
    /// A web proxy answers in Entra's place, with a page.
    WebPage,
    /// A firewall inspects TLS: both services show certificates of another authority.
    Tls,
    /// The clocks of both services are two hours ahead.
    Clock,
    /// The tenant does not exist.
    Tenant,
    /// The app is not registered.
    Application,
    /// The app is disabled.
    DisabledApplication,
    /// The app has another secret.
    Secret,
    ExpiredSecret,
    /// Conditional Access blocks the app.
    Policy,
    /// The tenant has no Business Central.
    Subscription,
    /// The app's permission was not consented to.
    Consent,
    /// The environment has another name.
    Environment,
    /// Business Central has no card for the app, or it is disabled.
    Card,
    /// The card has no permission set.
    Permission,
    /// The first company has another name.
    Company,
    /// The extension behind `api/cronus/warehouse/v1.0` is not installed.
    Route,
}

/// A word that names no breakage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what can be broken: {}", Breakage::ALL.map(Breakage::name).join(", "))]
pub struct BreakageError;

impl Breakage {
    pub const ALL: [Self; 17] = [
        Self::Connection,
        Self::WebPage,
        Self::Tls,
        Self::Clock,
        Self::Tenant,
        Self::Application,
        Self::DisabledApplication,
        Self::Secret,
        Self::ExpiredSecret,
        Self::Policy,
        Self::Subscription,
        Self::Consent,
        Self::Environment,
        Self::Card,
        Self::Permission,
        Self::Company,
        Self::Route,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::WebPage => "web-page",
            Self::Tls => "tls",
            Self::Clock => "clock",
            Self::Tenant => "tenant",
            Self::Application => "application",
            Self::DisabledApplication => "disabled-application",
            Self::Secret => "secret",
            Self::ExpiredSecret => "expired-secret",
            Self::Policy => "policy",
            Self::Subscription => "subscription",
            Self::Consent => "consent",
            Self::Environment => "environment",
            Self::Card => "card",
            Self::Permission => "permission",
            Self::Company => "company",
            Self::Route => "route",
        }
    }

    /// The settings of the services that no longer fit those a client has.
    pub(super) fn break_settings(self, settings: &mut Settings) {
        match self {
            Self::Tenant => {
                settings.tenant_id = ANOTHER;
                settings.tenant_domain = "another.onmicrosoft.com".to_owned();
            }
            Self::Application => settings.client_id = ANOTHER,
            Self::Secret => settings.client_secret = "another~secret-value".to_owned(),
            Self::Environment => settings.environment = "Another".to_owned(),
            Self::Company => {
                if let Some(first) = settings.companies.first_mut() {
                    first.name = "Another Company".to_owned();
                    first.display_name.clone_from(&first.name);
                }
            }
            _ => {}
        }
    }
}

impl FromStr for Breakage {
    type Err = BreakageError;

    fn from_str(text: &str) -> Result<Self, BreakageError> {
        Self::ALL.into_iter().find(|known| known.name() == text).ok_or(BreakageError)
    }
}

/// Dates an answer as services do whose clocks are ahead, or this machine's behind.
pub(super) fn misdate(broken: Option<Breakage>, headers: &mut HeaderMap) {
    if broken == Some(Breakage::Clock)
        && let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now() + AHEAD))
    {
        headers.insert(DATE, date);
    }
}

const AHEAD: Duration = Duration::from_secs(2 * 60 * 60);

const ANOTHER: Uuid = Uuid::from_u128(0xa0a0a0a0_0000_4000_8000_000000000000);
