//! What to click in Entra and Business Central: the short form of a section of `docs/setup.md`, in two to four lines.
//!
//! Names of buttons, pages and columns are between `**`, as in the guide. A test compares them with it.

use std::fmt;

use super::Step;

/// What to click, or where to look, for one value of the set-up.
pub struct Clicks {
    step: Step,
    text: &'static str,
}

/// Registers the app, and shows the directory's ID.
pub const TENANT: Clicks = Clicks {
    step: Step::Tenant,
    text: "\
https://entra.microsoft.com → **App registrations** → **New registration**.
Name: bcproxy. **Supported account types**: **Accounts in this organizational directory only**.
**Redirect URI**: **Web**, https://businesscentral.dynamics.com/OAuthLanding.htm. Click **Register**.
The page **Overview** opens. Copy **Directory (tenant) ID**.",
};

/// Shows the app's ID.
pub const APPLICATION: Clicks = Clicks {
    step: Step::Application,
    text: "\
On the same page **Overview**, copy **Application (client) ID**.
Do not use the **Object ID** below it.",
};

/// Creates a client secret.
pub const SECRET: Clicks = Clicks {
    step: Step::Credential,
    text: "\
On the app, open **Certificates & secrets** → **Client secrets** → **New client secret**. Click **Add**.
Copy the column **Value** immediately: it is shown only once. You do not need the **Secret ID**.",
};

/// Shows when the secret expires.
pub const SECRET_EXPIRY: Clicks = Clicks {
    step: Step::Credential,
    text: "\
The column **Expires** beside the secret shows the day on which it expires.
bcproxy warns from 30 days before. Leave this empty if you do not know it.",
};

/// Uploads a certificate.
pub const CERTIFICATE: Clicks = Clicks {
    step: Step::Credential,
    text: "\
On the app, open **Certificates & secrets** → **Certificates** → **Upload certificate**.
Upload the PEM file with the certificate. Its private key stays on this machine.",
};

/// Adds the API permission and grants consent.
pub const CONSENT: Clicks = Clicks {
    step: Step::Consent,
    text: "\
On the app, open **API permissions** → **Add a permission** → **Dynamics 365 Business Central** →
**Application permissions**. Tick **API.ReadWrite.All** and click **Add permissions**.
Click **Grant admin consent for …** and confirm.",
};

/// Shows the names of the environments.
pub const ENVIRONMENT: Clicks = Clicks {
    step: Step::Environment,
    text: "\
https://businesscentral.dynamics.com/admin → **Environments** shows the name of each environment.
Most tenants have one called Production.",
};

/// Makes the application known to the environment.
pub const CARD: Clicks = Clicks {
    step: Step::Card,
    text: "\
In Business Central, in this environment, search (Alt+Q) for **Microsoft Entra Applications** → **New**.
Fill in **Client ID** and **Description**: bcproxy. Set **State** to **Enabled** and confirm.",
};

/// Gives the application its permissions.
pub const PERMISSION_SET: Clicks = Clicks {
    step: Step::PermissionSet,
    text: "\
On the card in Microsoft Entra Applications, under **User Permission Sets**, add what the clients need:
for example **D365 BASIC** and the sets of their extensions. Leave **Company** empty.",
};

/// Shows the companies.
pub const COMPANY: Clicks = Clicks {
    step: Step::Company,
    text: "\
The list shows the column **Name** of the page **Companies** in Business Central, not **Display Name**.
Choose the last item only if the clients name the company themselves.",
};

impl fmt::Display for Clicks {
    /// Writes the lines, and where to read more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nMore: `bcproxy guide {}`", self.text.replace("**", ""), self.step.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_names_the_same_buttons_pages_and_columns() {
        let guide = include_str!("../../docs/setup.md");
        let sections: Vec<&str> = guide.split("\n## ").skip(1).collect();
        for clicks in [
            TENANT,
            APPLICATION,
            SECRET,
            SECRET_EXPIRY,
            CERTIFICATE,
            CONSENT,
            ENVIRONMENT,
            CARD,
            PERMISSION_SET,
            COMPANY,
        ] {
            let section = sections[clicks.step.number() - 1].replace('*', "");
            let section = section.split_whitespace().collect::<Vec<_>>().join(" ");
            for label in clicks.text.split("**").skip(1).step_by(2) {
                assert!(section.contains(label), "{label} is not in step {}", clicks.step.number());
            }
            let shown = clicks.to_string();
            assert!(!shown.contains('*') && (2..=5).contains(&shown.lines().count()), "{shown}");
            assert!(shown.lines().all(|line| line.chars().count() <= 110), "{shown}");
        }
    }
}
