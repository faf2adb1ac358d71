//! The applications of a connector.

use std::collections::HashMap;

use crate::config::shape::{At, OneOrMore};
use crate::config::vocabulary::{
    ClientCertificateKeys, ConnectorKeys, FederatedTokenKeys, ManagedIdentityKeys, Secret,
};
use crate::config::yaml::Report;
use crate::entra::{Application, CertificateFiles, ClientId, ClientSecret, ClientSecrets, Credential, ManagedIdentity};

/// The first and the further applications of a connector, in the order of the file. `None` if any cannot be read.
///
/// `hidden`: the environment variables that commands do not get.
pub fn applications(
    connector: &ConnectorKeys,
    hidden: &[String],
    report: &mut Report,
) -> Option<(Application, Vec<Application>)> {
    let mut all = credential_keys(connector);
    let own = all.next()?;
    if connector.applications.is_none() {
        return Some((own.application(connector, hidden)?, Vec::new()));
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
    let mut applications = others.iter().map(|other| other.application(connector, hidden));
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
    fn application(&self, connector: &ConnectorKeys, hidden: &[String]) -> Option<Application> {
        let authority = match &connector.authority {
            Some(authority) => authority.value.clone(),
            None => connector.cloud.as_ref()?.value.authority().parse().ok()?,
        };
        Some(Application {
            authority,
            tenant_id: connector.tenant_id.as_ref()?.value.clone(),
            client_id: self.client_id?.value,
            credential: self.credential(hidden)?,
            scope: connector.scope.as_ref()?.value.0.clone(),
        })
    }

    fn credential(&self, hidden: &[String]) -> Option<Credential> {
        if let Some(At { value: files, .. }) = self.client_certificate {
            return Some(Credential::ClientCertificate(certificate_files(files)?));
        }
        if let Some(token) = self.federated_token {
            return Some(Credential::FederatedToken(token.value.file.as_ref()?.value.clone()));
        }
        if let Some(identity) = self.managed_identity {
            let client_id = identity.value.client_id.as_ref().map(|client_id| client_id.value);
            return Some(Credential::ManagedIdentity(ManagedIdentity { client_id }));
        }
        let mut sources = self.client_secret?.value.0.iter().map(|At { value: secret, .. }| ClientSecret {
            source: secret.source.value.clone().hiding(hidden),
            expires: secret.expires.as_ref().map(|day| day.value),
        });
        Some(Credential::ClientSecret(ClientSecrets { first: sources.next()?, others: sources.collect() }))
    }
}

/// The files of a certificate.
pub fn certificate_files(files: &ClientCertificateKeys) -> Option<CertificateFiles> {
    Some(CertificateFiles {
        certificate: files.certificate.as_ref()?.value.clone(),
        private_key: files.private_key.as_ref().map(|path| path.value.clone()),
    })
}
