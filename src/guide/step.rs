//! The steps of the set-up guide, `docs/setup.md`, in its order.

use std::fmt;

/// A step of the set-up guide. The order is the guide's, and the one in which `bcproxy doctor` looks at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    Configuration,
    Name,
    Connection,
    Tls,
    Clock,
    Tenant,
    Application,
    Credential,
    Policy,
    Subscription,
    Consent,
    Environment,
    Card,
    PermissionSet,
    Company,
    Route,
}

impl Step {
    /// All of them, in the guide's order.
    pub const ALL: [Self; 16] = [
        Self::Configuration,
        Self::Name,
        Self::Connection,
        Self::Tls,
        Self::Clock,
        Self::Tenant,
        Self::Application,
        Self::Credential,
        Self::Policy,
        Self::Subscription,
        Self::Consent,
        Self::Environment,
        Self::Card,
        Self::PermissionSet,
        Self::Company,
        Self::Route,
    ];

    /// Its number in the guide, from 1.
    pub fn number(self) -> usize {
        self as usize + 1
    }

    /// Its heading in the guide.
    pub fn title(self) -> &'static str {
        match self {
            Self::Configuration => "Configuration file",
            Self::Name => "Name look-up",
            Self::Connection => "Connection",
            Self::Tls => "TLS",
            Self::Clock => "Clock",
            Self::Tenant => "Tenant",
            Self::Application => "Application",
            Self::Credential => "Credential",
            Self::Policy => "Sign-in policies",
            Self::Subscription => "Business Central in the tenant",
            Self::Consent => "API permission and consent",
            Self::Environment => "Environment",
            Self::Card => "Application card",
            Self::PermissionSet => "Permission sets",
            Self::Company => "Company",
            Self::Route => "Routes",
        }
    }

    /// Its name for programs: lower case, with hyphens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Name => "name",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Clock => "clock",
            Self::Tenant => "tenant",
            Self::Application => "application",
            Self::Credential => "credential",
            Self::Policy => "policy",
            Self::Subscription => "subscription",
            Self::Consent => "consent",
            Self::Environment => "environment",
            Self::Card => "card",
            Self::PermissionSet => "permission-set",
            Self::Company => "company",
            Self::Route => "route",
        }
    }

    /// What to do when nothing more is known than that this step failed: a sentence.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Configuration => {
                "Mend the line of the configuration file that is named, or let `bcproxy setup` write the file."
            }
            Self::Name => "Check this machine's DNS, and that `authority` and `base_url` are spelled right.",
            Self::Connection => {
                "Let this machine connect to port 443 of Entra and Business Central: ask who keeps the firewall or the web proxy."
            }
            Self::Tls => {
                "If a firewall inspects TLS here, get its CA certificate as a PEM file and name it with `ca_file`."
            }
            Self::Clock => "Set this machine's clock: switch on its time service (NTP).",
            Self::Tenant => {
                "Compare `tenant_id` with the Directory (tenant) ID on the app registration's overview page."
            }
            Self::Application => {
                "Compare `client_id` with the Application (client) ID on the app registration's overview page in this tenant."
            }
            Self::Credential => {
                "Put the secret's Value where `client_secret` says, and let the account bcproxy runs under read it there."
            }
            Self::Policy => {
                "Ask who keeps Entra's Conditional Access policies to let the application sign in from here."
            }
            Self::Subscription => "Activate Business Central in this tenant (Microsoft 365 admin center → Billing).",
            Self::Consent => "In Entra, App registrations → the app → API permissions, click Grant admin consent.",
            Self::Environment => {
                "Compare `environment` with the names in the Business Central admin center \
                 (https://businesscentral.dynamics.com/admin → Environments)."
            }
            Self::Card => {
                "In Business Central, open the page \"Microsoft Entra Applications\" and enable the card with this client ID."
            }
            Self::PermissionSet => {
                "On the card in \"Microsoft Entra Applications\", add a permission set that covers what the programs do."
            }
            Self::Company => "Compare `company` with the page \"Companies\" in Business Central, column Name.",
            Self::Route => "Compare the route's `to` with what the environment offers.",
        }
    }

    /// Where its section begins on the guide's page: what GitHub makes of its heading.
    pub fn anchor(self) -> String {
        let title = self.title().to_lowercase().replace(' ', "-");
        format!("{}-{title}", self.number())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {} of the set-up guide ({})", self.number(), self.title())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_are_counted_in_their_order() {
        for (number, step) in (1..).zip(Step::ALL) {
            assert_eq!(step.number(), number);
        }
        assert_eq!(Step::Card.to_string(), "step 13 of the set-up guide (Application card)");
        assert_eq!(Step::Consent.anchor(), "11-api-permission-and-consent");
    }
}
