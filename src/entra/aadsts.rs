//! What Entra's error codes mean for somebody who sets up bcproxy.
//!
//! Source: Entra, "Microsoft Entra authentication and authorization error codes"; codes seen in the field are included.

/// What to make of one AADSTS code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// What to do now, as a sentence.
    pub advice: &'static str,
    pub remedy: Remedy,
}

/// Who can end the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Somebody has to change the set-up; asking again soon only hammers Entra.
    Setup,
    /// Microsoft's side, or a change that still spreads: asking again may help.
    Time,
}

/// The meaning of an AADSTS code, if it is one a client-credentials caller is known to meet.
pub fn meaning(code: u32) -> Option<Meaning> {
    TABLE.iter().find(|(codes, ..)| codes.contains(&code)).map(|&(_, remedy, advice)| Meaning { advice, remedy })
}

use Remedy::{Setup, Time};

const TABLE: &[(&[u32], Remedy, &str)] = &[
    (
        &[7000215, 70002],
        Setup,
        "The client secret is wrong: in Entra, App registrations → Certificates & secrets, copy the secret's Value (not its Secret ID) \
         or create a new one, and put it where `client_secret` says.",
    ),
    (
        &[7000222],
        Setup,
        "The client secret has expired: in Entra, App registrations → Certificates & secrets, create a new one and put its Value where \
         `client_secret` says.",
    ),
    (
        &[7000216, 7000218],
        Setup,
        "No client secret arrived at Entra: check that the place `client_secret` names really holds the secret's Value.",
    ),
    (
        &[700025],
        Setup,
        "The app is registered as a public client: in Entra, App registrations → Authentication, turn off \"Allow public client flows\".",
    ),
    (
        &[700016, 700011],
        Setup,
        "This tenant does not know the app: compare `client_id` with the Application (client) ID (not the Object ID) and `tenant_id` with the \
         Directory (tenant) ID on the app registration's overview page.",
    ),
    (
        &[7000112, 70001, 1000031],
        Setup,
        "The app is disabled: in Entra, Enterprise applications → the app → Properties, set \"Enabled for users to sign in\" to Yes.",
    ),
    (
        &[90002],
        Setup,
        "The tenant does not exist: compare `tenant_id` with the Directory (tenant) ID on the app registration's overview page; for a national \
         cloud `authority` must be set too.",
    ),
    (
        &[900023, 90019, 50059, 50128],
        Setup,
        "Entra does not take `tenant_id` for a tenant: use the GUID shown as Directory (tenant) ID on the app registration's overview page.",
    ),
    (
        &[9001023, 90124, 90130, 50194],
        Setup,
        "A shared endpoint was used: set `tenant_id` to the GUID shown as Directory (tenant) ID on the app registration's overview page.",
    ),
    (
        &[90038, 900382, 900432, 50049, 90051],
        Setup,
        "The tenant belongs to another national cloud: set `authority` to that cloud's login address.",
    ),
    (
        &[70011, 1002012, 700022, 700023, 28002, 28003],
        Setup,
        "The scope is wrong: leave `scope` out, or set it to https://api.businesscentral.dynamics.com/.default.",
    ),
    (
        &[500011, 50001],
        Setup,
        "The tenant has no Business Central: check `tenant_id`, and that Business Central is active in this tenant.",
    ),
    (&[650052], Setup, "The organisation has no subscription for Business Central: buy or activate it in this tenant."),
    (
        &[650056, 650057, 65005],
        Setup,
        "The app lacks the API permission: in Entra, App registrations → API permissions, add Dynamics 365 Business Central → Application \
         permissions → API.ReadWrite.All, then click Grant admin consent.",
    ),
    (
        &[65001, 90094, 90099],
        Setup,
        "Consent is missing: in Entra, App registrations → API permissions, an administrator has to click Grant admin consent.",
    ),
    (
        &[501051, 50105],
        Setup,
        "The app is not assigned to a role although assignment is required: in Entra, App registrations → API permissions, click Grant admin \
         consent.",
    ),
    (
        &[53003, 530032, 530035, 53011, 50131],
        Setup,
        "A Conditional Access policy blocks this machine: ask who keeps the policies to exclude the app or to allow this machine's public \
         IP address.",
    ),
    (
        &[500021, 500022, 50002],
        Setup,
        "This network restricts which tenants may be used: ask who keeps the outbound web proxy to allow the tenant.",
    ),
    (
        &[70003, 901002, 900144, 90014, 90100, 9002313, 90004, 90013, 90023],
        Setup,
        "Entra says the request is malformed: check that no setting of the connector is empty; if all are right, this is a fault of bcproxy.",
    ),
    (
        &[900561],
        Setup,
        "Something between this machine and Entra changed the request's method: look for a web proxy that does so.",
    ),
    (
        &[50196],
        Time,
        "Entra sees too many identical requests: look for other programs that use the same app without keeping their token.",
    ),
    (&[90055], Time, "Entra limits this tenant for the moment; bcproxy tries again by itself."),
    (
        &[90006, 90012, 90024, 90033, 90090, 90091, 50033, 50000, 90036],
        Time,
        "Entra has a fault of its own; bcproxy tries again by itself.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_meaning() {
        let mut codes: Vec<u32> = TABLE.iter().flat_map(|(codes, ..)| codes.iter().copied()).collect();
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }

    #[test]
    fn a_wrong_secret_is_a_matter_of_set_up() {
        let wrong_secret = meaning(7000215).unwrap();
        assert_eq!(wrong_secret.remedy, Setup);
        assert!(wrong_secret.advice.contains("not its Secret ID"));
        assert_eq!(meaning(1), None);
    }
}
