//! The steps of the set-up guide, `docs/setup.md`, in its order.

use std::fmt;

/// A step of the set-up guide. The order is that of the guide and of `bcproxy doctor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The configuration file.
    Configuration,
    /// The look-up of host names.
    Name,
    /// The connection to Microsoft's services.
    Connection,
    /// The certificates of Microsoft's services.
    Tls,
    /// This machine's clock.
    Clock,
    /// The Entra tenant.
    Tenant,
    /// The app registration.
    Application,
    /// The secret, certificate or other proof of identity.
    Credential,
    /// Conditional Access and other sign-in policies.
    Policy,
    /// The subscription for Business Central.
    Subscription,
    /// The API permission and admin consent.
    Consent,
    /// The Business Central environment.
    Environment,
    /// The card on the page "Microsoft Entra Applications".
    Card,
    /// The card's permission sets.
    PermissionSet,
    /// The company.
    Company,
    /// The routes and the surfaces that they lead to.
    Route,
}

impl Step {
    /// All steps, in the order of the guide.
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

    /// The number in the guide, from 1.
    pub fn number(self) -> usize {
        self as usize + 1
    }

    /// The heading in the guide.
    pub fn title(self) -> &'static str {
        self.name_and_title().1
    }

    /// The name in JSON: lower case, with hyphens.
    pub fn name(self) -> &'static str {
        self.name_and_title().0
    }

    fn name_and_title(self) -> (&'static str, &'static str) {
        match self {
            Self::Configuration => ("configuration", "Configuration file"),
            Self::Name => ("name", "Name look-up"),
            Self::Connection => ("connection", "Connection"),
            Self::Tls => ("tls", "TLS"),
            Self::Clock => ("clock", "Clock"),
            Self::Tenant => ("tenant", "Tenant"),
            Self::Application => ("application", "Application"),
            Self::Credential => ("credential", "Credential"),
            Self::Policy => ("policy", "Sign-in policies"),
            Self::Subscription => ("subscription", "Business Central in the tenant"),
            Self::Consent => ("consent", "API permission and consent"),
            Self::Environment => ("environment", "Environment"),
            Self::Card => ("card", "Application card"),
            Self::PermissionSet => ("permission-set", "Permission sets"),
            Self::Company => ("company", "Company"),
            Self::Route => ("route", "Routes"),
        }
    }

    /// What to do when only the step is known: complete sentences.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Configuration => {
                "Correct the line of the configuration file that is named, or let `bcproxy setup` write the file."
            }
            Self::Name => "Check this machine's DNS and the spelling of `authority` and `base_url`.",
            Self::Connection => {
                "Let this machine connect to port 443 of Entra and Business Central. \
                 Ask the administrator of the firewall or the web proxy."
            }
            Self::Tls => {
                "If a firewall inspects TLS, get its CA certificate as a PEM file and name the file with `ca_file`."
            }
            Self::Clock => "Set this machine's clock: turn on its time service (NTP).",
            Self::Tenant => {
                "Compare `tenant_id` with the Directory (tenant) ID on the app registration's Overview page."
            }
            Self::Application => {
                "Compare `client_id` with the Application (client) ID on the app registration's Overview page in this \
                 tenant."
            }
            Self::Credential => {
                "Put the secret's Value where `client_secret` points. Check that bcproxy's account can read it there."
            }
            Self::Policy => {
                "Ask the administrator of Conditional Access in Entra to let the application sign in from this machine."
            }
            Self::Subscription => "Activate Business Central in this tenant (Microsoft 365 admin center → Billing).",
            Self::Consent => "In Entra, open App registrations → the app → API permissions. Click Grant admin consent.",
            Self::Environment => {
                "Compare `environment` with the names in the Business Central admin center \
                 (https://businesscentral.dynamics.com/admin → Environments)."
            }
            Self::Card => {
                "In Business Central, open the page \"Microsoft Entra Applications\" and enable the card with this \
                 client ID."
            }
            Self::PermissionSet => {
                "On the card in \"Microsoft Entra Applications\", add a permission set that covers what the clients do."
            }
            Self::Company => "Compare `company` with the column Name of the page \"Companies\" in Business Central.",
            Self::Route => "Compare the route's `to` with what the environment offers.",
        }
    }

    /// The anchor of its section on the page of the guide, as GitHub derives it from the heading.
    pub fn anchor(self) -> String {
        let title = self.title().to_lowercase().replace(' ', "-");
        format!("{}-{title}", self.number())
    }
}

impl fmt::Display for Step {
    /// Where to read on, for the end of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {0} of the set-up guide ({1}): `bcproxy guide {0}`", self.number(), self.title())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_in_order() {
        for (number, step) in (1..).zip(Step::ALL) {
            assert_eq!(step.number(), number);
        }
        assert_eq!(Step::Card.to_string(), "step 13 of the set-up guide (Application card): `bcproxy guide 13`");
        assert_eq!(Step::Consent.anchor(), "11-api-permission-and-consent");
    }
}
