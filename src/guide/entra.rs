//! What Entra's error codes mean for the set-up.
//!
//! Source: Entra, "Microsoft Entra authentication and authorization error codes"; codes seen in the field are included.

use super::Retry::{AfterFix, ByItself, WhileSpreading};
use super::Step::{Application, Clock, Configuration, Connection, Consent, Credential, Policy, Subscription, Tenant};
use super::{KnownError, Retry, Step};

/// The meaning of an AADSTS code, if it is one that a program with client credentials is known to meet.
pub fn aadsts(code: u32) -> Option<&'static KnownError> {
    all().find(|(codes, _)| codes.contains(&code)).map(|(_, trouble)| trouble)
}

/// The whole table: codes, and what they mean.
pub fn all() -> impl Iterator<Item = (&'static [u32], &'static KnownError)> {
    TABLE.iter().map(|(codes, trouble)| (*codes, trouble))
}

const fn at(step: Step, retry: Retry, meaning: &'static str, fix: &'static str) -> KnownError {
    KnownError { step: Some(step), meaning, fix, retry }
}

const fn microsofts(meaning: &'static str, fix: &'static str) -> KnownError {
    KnownError { step: None, meaning, fix, retry: ByItself }
}

const TABLE: &[(&[u32], KnownError)] = &[
    (
        &[90002],
        at(
            Tenant,
            AfterFix,
            "The tenant does not exist",
            "compare `tenant_id` with the Directory (tenant) ID on the app registration's overview page; for a national cloud `authority` \
             must be set too.",
        ),
    ),
    (
        &[900023, 90019, 50059, 50128],
        at(
            Tenant,
            AfterFix,
            "Entra does not take `tenant_id` for a tenant",
            "use the GUID shown as Directory (tenant) ID on the app registration's overview page.",
        ),
    ),
    (
        &[9001023, 90124, 90130, 50194],
        at(
            Tenant,
            AfterFix,
            "A shared endpoint was used",
            "set `tenant_id` to the GUID shown as Directory (tenant) ID on the app registration's overview page.",
        ),
    ),
    (
        &[90038, 900382, 900432, 50049, 90051],
        at(
            Tenant,
            AfterFix,
            "The tenant belongs to another national cloud",
            "set `authority` to that cloud's login address, and `base_url` and `scope` to that of its Business Central.",
        ),
    ),
    (
        &[700016, 700011],
        at(
            Application,
            WhileSpreading,
            "This tenant does not know the app",
            "compare `client_id` with the Application (client) ID (not the Object ID) and `tenant_id` with the Directory (tenant) ID on the \
             app registration's overview page; an app of another tenant needs an administrator's consent in this one.",
        ),
    ),
    (
        &[7000112, 70001, 1000031],
        at(
            Application,
            AfterFix,
            "The app is disabled",
            "in Entra, Enterprise applications → the app → Properties, set \"Enabled for users to sign in\" to Yes.",
        ),
    ),
    (
        &[700025],
        at(
            Application,
            AfterFix,
            "The app is registered as a public client",
            "in Entra, App registrations → the app → Authentication, turn off \"Allow public client flows\", and let its platform be Web.",
        ),
    ),
    (
        &[7000215, 70002],
        at(
            Credential,
            WhileSpreading,
            "The client secret is wrong",
            "in Entra, App registrations → Certificates & secrets, copy the secret's Value (not its Secret ID) or create a new one, and put it \
             where `client_secret` says, without quotes or spaces.",
        ),
    ),
    (
        &[7000222],
        at(
            Credential,
            AfterFix,
            "The client secret has expired",
            "in Entra, App registrations → Certificates & secrets, create a new one and put its Value where `client_secret` says; note the \
             day it expires.",
        ),
    ),
    (
        &[7000216, 7000218],
        at(
            Credential,
            AfterFix,
            "No client secret arrived at Entra",
            "check that the place `client_secret` names really holds the secret's Value.",
        ),
    ),
    (
        &[700027, 50012, 50006, 50017, 900384],
        at(
            Credential,
            WhileSpreading,
            "The app does not know the certificate that signed the request",
            "in Entra, App registrations → Certificates & secrets → Certificates, upload the public part of the certificate that \
             `client_certificate` names, and compare the thumbprints; the private key must belong to it.",
        ),
    ),
    (
        &[700024, 500133],
        at(
            Clock,
            AfterFix,
            "What was signed for Entra is not valid at this time",
            "set this machine's clock (time service, NTP); with `federated_token`, look whether the file is still being renewed.",
        ),
    ),
    (
        &[50013, 50027, 50048],
        at(
            Credential,
            AfterFix,
            "Entra does not take what was signed for it",
            "check `client_id` and `tenant_id`, and this machine's clock; with `federated_token`, that the file holds one whole token.",
        ),
    ),
    (
        &[700030],
        at(
            Credential,
            AfterFix,
            "The subject of the certificate is not authorised for the app",
            "upload the certificate itself: in Entra, App registrations → Certificates & secrets → Certificates.",
        ),
    ),
    (
        &[70021],
        at(
            Credential,
            WhileSpreading,
            "No federated credential of the app fits the token",
            "in Entra, App registrations → Certificates & secrets → Federated credentials, compare issuer, subject and audience with those \
             of the token, capitals included.",
        ),
    ),
    (
        &[700211],
        at(
            Credential,
            AfterFix,
            "The federated credential names another issuer",
            "in Entra, App registrations → Certificates & secrets → Federated credentials, write the issuer as the token has it, with or \
             without a slash at its end.",
        ),
    ),
    (
        &[700212],
        at(
            Credential,
            AfterFix,
            "The federated credential names another audience",
            "let both the token and the federated credential (Entra, App registrations → Certificates & secrets) say \
             api://AzureADTokenExchange.",
        ),
    ),
    (
        &[700213, 7002131],
        at(
            Credential,
            WhileSpreading,
            "The federated credential names another subject",
            "in Entra, App registrations → Certificates & secrets → Federated credentials, write the subject as the token has it, such as \
             system:serviceaccount:NAMESPACE:NAME, capitals included.",
        ),
    ),
    (
        &[70025],
        at(
            Credential,
            AfterFix,
            "The app has no federated credential",
            "in Entra, App registrations → Certificates & secrets → Federated credentials, add one for this token's issuer and subject.",
        ),
    ),
    (
        &[700229],
        at(
            Credential,
            AfterFix,
            "The federated token belongs to a user",
            "use that of a managed identity or of a workload.",
        ),
    ),
    (
        &[53003, 530032, 530035, 53011, 50131],
        at(
            Policy,
            AfterFix,
            "A Conditional Access policy blocks this machine",
            "ask who keeps the policies (Entra → Conditional Access, workload identities) to exclude the app or to allow this machine's \
             public IP address.",
        ),
    ),
    (
        &[500021, 500022, 50002],
        at(
            Policy,
            AfterFix,
            "This network restricts which tenants may be used",
            "ask who keeps the outbound web proxy to allow the tenant.",
        ),
    ),
    (
        &[500011, 50001],
        at(
            Subscription,
            AfterFix,
            "The tenant has no Business Central",
            "check `tenant_id`, and that Business Central is active in this tenant (Microsoft 365 admin center → Billing); `scope` is rarely \
             needed.",
        ),
    ),
    (
        &[650052],
        at(
            Subscription,
            AfterFix,
            "The organisation has no subscription for Business Central",
            "buy or activate it in this tenant (Microsoft 365 admin center → Billing).",
        ),
    ),
    (
        &[650056, 650057, 65005],
        at(
            Consent,
            AfterFix,
            "The app lacks the API permission",
            "in Entra, App registrations → API permissions, add Dynamics 365 Business Central → Application permissions → API.ReadWrite.All, \
             then click Grant admin consent.",
        ),
    ),
    (
        &[65001, 90094],
        at(
            Consent,
            WhileSpreading,
            "Consent is missing",
            "in Entra, App registrations → API permissions, an administrator has to click Grant admin consent.",
        ),
    ),
    (
        &[501051, 50105],
        at(
            Consent,
            AfterFix,
            "The app is not assigned to a role although assignment is required",
            "in Entra, App registrations → API permissions, click Grant admin consent.",
        ),
    ),
    (
        &[90099],
        at(
            Consent,
            AfterFix,
            "The app is not authorised in this customer's tenant",
            "let an administrator of the customer open the admin consent link that `bcproxy setup` prints.",
        ),
    ),
    (
        &[70011, 1002012, 700022, 700023, 28002, 28003],
        at(
            Configuration,
            AfterFix,
            "The scope is wrong",
            "leave `scope` out, or set it to https://api.businesscentral.dynamics.com/.default.",
        ),
    ),
    (
        &[70003, 901002, 900144, 90014, 90100, 9002313, 90004, 90013, 90023],
        at(
            Configuration,
            AfterFix,
            "Entra says the request is malformed",
            "check that no setting of the connector is empty; if all are right, this is a fault of bcproxy.",
        ),
    ),
    (
        &[900561],
        at(
            Connection,
            AfterFix,
            "Something between this machine and Entra changed the request's method",
            "look for a web proxy that does so.",
        ),
    ),
    (
        &[50196],
        microsofts(
            "Entra sees too many identical requests",
            "look for other programs that use the same app without keeping their token; bcproxy waits and tries again by itself.",
        ),
    ),
    (&[90055], microsofts("Entra limits this tenant for the moment", "wait; bcproxy tries again by itself.")),
    (
        &[90006, 90012, 90024, 90033, 90090, 90091, 50033],
        microsofts("Entra has a fault of its own", "wait; bcproxy tries again by itself."),
    ),
    (
        &[50000, 90036],
        microsofts(
            "Entra has a fault of its own",
            "wait; bcproxy tries again by itself; if it lasts, open a support request at Microsoft with the correlation id.",
        ),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_meaning() {
        let mut codes: Vec<u32> = all().flat_map(|(codes, _)| codes.iter().copied()).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }

    #[test]
    fn a_wrong_secret_is_a_matter_of_set_up() {
        let wrong_secret = aadsts(7000215).unwrap();
        assert!(wrong_secret.needs_setup());
        assert!(wrong_secret.to_string().ends_with("See step 8 of the set-up guide (Credential)."));
        assert!(wrong_secret.fix.contains("not its Secret ID"));
        assert!(!aadsts(90033).unwrap().needs_setup());
        assert_eq!(aadsts(1), None);
    }
}
