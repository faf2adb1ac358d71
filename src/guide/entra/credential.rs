//! Errors about what proves to Entra that a request is the application's: secret, certificate, federated token.

use super::entry::{Entry, after_fix, after_propagation};
use crate::guide::Step::{Clock, Credential};

pub(super) const ENTRIES: &[Entry] = &[
    after_propagation(
        &[7000215, 70002],
        Credential,
        "The client secret is wrong",
        "In Entra, open App registrations → the app → Certificates & secrets. \
         Copy the secret's Value (not its Secret ID), or create a new secret if the Value is hidden. \
         Put it where `client_secret` points, without quotes or spaces.",
    ),
    after_fix(
        &[7000222],
        Credential,
        "The client secret has expired",
        "In Entra, open App registrations → the app → Certificates & secrets and create a new one. \
         Put its Value where `client_secret` points. Write the expiry date beside it (`expires`).",
    ),
    after_fix(
        &[7000216, 7000218],
        Credential,
        "Entra received no client secret",
        "Check that the variable, file or command that `client_secret` names holds the secret's Value.",
    ),
    after_propagation(
        &[700027, 50012, 50006, 50017, 900384],
        Credential,
        "The app has no certificate that matches the one that signed the request",
        "In Entra, open App registrations → the app → Certificates & secrets → Certificates. \
         Upload the public part of the certificate that `client_certificate` names, and compare the thumbprints. \
         Check that the private key belongs to this certificate.",
    ),
    after_fix(
        &[700024, 500133],
        Clock,
        "The signed credential is not valid at this time",
        "Set this machine's clock: turn on its time service (NTP). \
         With `federated_token`, check that the file is still being renewed.",
    ),
    after_fix(
        &[50013, 50027, 50048],
        Credential,
        "Entra rejects the signed credential",
        "Check `client_id`, `tenant_id` and this machine's clock. \
         With `federated_token`, check that the file holds one complete token.",
    ),
    after_fix(
        &[700030],
        Credential,
        "The subject of the certificate is not authorized for the app",
        "In Entra, open App registrations → the app → Certificates & secrets → Certificates. \
         Upload the certificate itself.",
    ),
    after_propagation(
        &[70021],
        Credential,
        "No federated credential of the app matches the token",
        "In Entra, open App registrations → the app → Certificates & secrets → Federated credentials. \
         Compare issuer, subject and audience with those of the token, including upper and lower case.",
    ),
    after_fix(
        &[700211],
        Credential,
        "The federated credential names another issuer",
        "In Entra, open App registrations → the app → Certificates & secrets → Federated credentials. \
         Copy the issuer exactly as the token has it, with or without a slash at its end.",
    ),
    after_fix(
        &[700212],
        Credential,
        "The federated credential names another audience",
        "In Entra, open App registrations → the app → Certificates & secrets → Federated credentials. \
         Set the audience to api://AzureADTokenExchange, both there and in the token.",
    ),
    after_propagation(
        &[700213, 7002131],
        Credential,
        "The federated credential names another subject",
        "In Entra, open App registrations → the app → Certificates & secrets → Federated credentials. \
         Copy the subject exactly as the token has it, including upper and lower case. \
         Example: system:serviceaccount:NAMESPACE:NAME.",
    ),
    after_fix(
        &[70025],
        Credential,
        "The app has no federated credential",
        "In Entra, open App registrations → the app → Certificates & secrets → Federated credentials. \
         Add one for the issuer and subject of this token.",
    ),
    after_fix(
        &[700229],
        Credential,
        "The federated token belongs to a user",
        "Use the token of a managed identity or of a workload.",
    ),
];
