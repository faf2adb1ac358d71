//! The applications of a connector.

use std::collections::HashMap;
use std::path::Path;

use super::locations::{certificate_files, secret_source};
use crate::config::shape::collections::OneOrMore;
use crate::config::shape::read::At;
use crate::config::vocabulary::connector::ConnectorKeys;
use crate::config::vocabulary::credentials::{ClientCertificateKeys, FederatedTokenKeys, ManagedIdentityKeys};
use crate::config::vocabulary::secret::Secret;
use crate::config::yaml::report::Report;
use crate::entra::{Application, ClientId, ClientSecret, ClientSecrets, Credential, ManagedIdentity};

/// The first and the further applications of a connector, in the order of the file. `None` if any cannot be read.
pub fn applications(
    connector: &ConnectorKeys,
    folder: &Path,
    report: &mut Report,
) -> Option<(Application, Vec<Application>)> {
    let mut all = credential_keys(connector);
    let own = all.next()?;
    if connector.applications.is_none() {
        return Some((own.application(connector, folder)?, Vec::new()));
    }
    if let Some(client_id) = own.client_id {
        let help = "move `client_id` into one of the applications, or remove `applications`";
        report.error(client_id.label, "`client_id` and `applications` are both set", help);
    }
    let (others, mut seen) = (all.collect::<Vec<_>>(), HashMap::new());
    for client_id in others.iter().filter_map(|other| other.client_id) {
        if let Some(first) = seen.insert(client_id.value, client_id.span) {
            let line = report.line(first);
            let help = "register another application, or keep one of the two: Business Central limits each application";
            report.error(client_id.span, format!("this application is already listed in line {line}"), help);
        }
    }
    let mut applications = others.iter().map(|other| other.application(connector, folder));
    let first = applications.next()??;
    Some((first, applications.collect::<Option<_>>()?))
}

/// The keys of the connector itself, then those of each of its `applications`.
pub fn credential_keys(connector: &ConnectorKeys) -> impl Iterator<Item = CredentialKeys<'_>> {
    macro_rules! keys_of {
        ($keys:expr) => {
            CredentialKeys {
                client_id: $keys.client_id.as_ref(),
                client_secret: $keys.client_secret.as_ref(),
                client_certificate: $keys.client_certificate.as_ref(),
                federated_token: $keys.federated_token.as_ref(),
                managed_identity: $keys.managed_identity.as_ref(),
            }
        };
    }
    let others = connector.applications.iter().flat_map(|applications| &applications.value);
    std::iter::once(keys_of!(connector)).chain(others.map(|other| keys_of!(other.value)))
}

/// The keys of one application.
pub struct CredentialKeys<'f> {
    client_id: Option<&'f At<ClientId>>,
    pub client_secret: Option<&'f At<OneOrMore<Secret>>>,
    pub client_certificate: Option<&'f At<ClientCertificateKeys>>,
    pub federated_token: Option<&'f At<FederatedTokenKeys>>,
    managed_identity: Option<&'f At<ManagedIdentityKeys>>,
}

impl CredentialKeys<'_> {
    fn application(&self, connector: &ConnectorKeys, folder: &Path) -> Option<Application> {
        let authority = match &connector.authority {
            Some(authority) => authority.value.clone(),
            None => connector.cloud.as_ref()?.value.authority().parse().ok()?,
        };
        Some(Application {
            authority,
            tenant_id: connector.tenant_id.as_ref()?.value.clone(),
            client_id: self.client_id?.value,
            credential: self.credential(folder)?,
            scope: connector.scope.as_ref()?.value.0.clone(),
        })
    }

    fn credential(&self, folder: &Path) -> Option<Credential> {
        if let Some(At { value: files, .. }) = self.client_certificate {
            return Some(Credential::ClientCertificate(certificate_files(files, folder)?));
        }
        if let Some(token) = self.federated_token {
            return Some(Credential::FederatedToken(folder.join(&token.value.file.as_ref()?.value)));
        }
        if let Some(identity) = self.managed_identity {
            let client_id = identity.value.client_id.as_ref().map(|client_id| client_id.value);
            return Some(Credential::ManagedIdentity(ManagedIdentity { client_id }));
        }
        let mut sources = self.client_secret?.value.0.iter().map(|At { value: secret, .. }| ClientSecret {
            source: secret_source(&secret.location, folder),
            expires: secret.expires.as_ref().map(|day| day.value),
        });
        Some(Credential::ClientSecret(ClientSecrets { first: sources.next()?, others: sources.collect() }))
    }
}
