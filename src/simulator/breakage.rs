//! Broken set-ups: the one thing that an administrator forgot, mistyped or lost.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use hyper::header::{DATE, HeaderMap, HeaderValue};

/// The one thing that is wrong with the set-up. The configuration of the client is correct; the services no longer
/// match it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// Nothing listens at the address of Entra.
    Connection,
    /// A web proxy answers in place of Entra, with a web page.
    WebPage,
    /// A firewall inspects TLS: the certificates of both services are from another authority.
    Tls,
    /// The clocks of both services are two hours ahead.
    Clock,
    /// The tenant does not exist.
    Tenant,
    /// The application is not registered.
    Application,
    /// The application is disabled.
    DisabledApplication,
    /// The application has another secret.
    Secret,
    /// The secret of the application has expired.
    ExpiredSecret,
    /// Conditional Access blocks the application.
    Policy,
    /// The tenant has no Business Central.
    Subscription,
    /// The permission of the application has no admin consent.
    Consent,
    /// The environment has another name.
    Environment,
    /// Business Central has no card for the application, or a disabled one.
    Card,
    /// The card has no permission set.
    Permission,
    /// The first company has another name.
    Company,
    /// The extension behind `api/cronus/warehouse/v1.0` is not installed.
    Route,
}

/// The error for a name that is not one of [`Breakage::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("use one of: {}", Breakage::ALL.map(Breakage::name).join(", "))]
pub struct UnknownBreakage;

impl Breakage {
    /// Every breakage, in the order of the set-up steps.
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

    /// The name of the breakage in `bcproxy demo --break`.
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
}

impl FromStr for Breakage {
    type Err = UnknownBreakage;

    fn from_str(text: &str) -> Result<Self, UnknownBreakage> {
        Self::ALL.into_iter().find(|known| known.name() == text).ok_or(UnknownBreakage)
    }
}

/// Dates a response two hours ahead if the clocks are [broken](Breakage::Clock).
pub(super) fn misdate(broken: Option<Breakage>, headers: &mut HeaderMap) {
    if broken == Some(Breakage::Clock)
        && let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now() + CLOCK_ERROR))
    {
        headers.insert(DATE, date);
    }
}

const CLOCK_ERROR: Duration = Duration::from_secs(2 * 60 * 60);
