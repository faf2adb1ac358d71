//! The files that the configuration names for bcproxy to read.

use std::path::PathBuf;

use super::applications::credential_keys;
use super::connectors::secret_sources;
use crate::config::vocabulary::TopLevelKeys;
use crate::secret::SecretSource;

/// All files that bcproxy reads, but for the configuration file itself.
pub fn named_files(file: &TopLevelKeys) -> impl Iterator<Item = PathBuf> {
    let listeners = file.listen.iter().flat_map(|listen| &listen.value.0);
    let of_listeners = listeners.filter_map(|listener| listener.value.tls.as_ref()).flat_map(|tls| {
        let tls = &tls.value;
        [&tls.certificate, &tls.private_key, &tls.client_ca, &tls.client_crl]
    });
    let admin = file.admin_keys().into_iter().flat_map(|admin| admin.certificates());
    let of_admin = admin.flat_map(|tls| [&tls.certificate, &tls.private_key]);
    let connectors = file.connectors.iter().flat_map(|connectors| &connectors.value.0);
    let of_connectors = connectors.filter_map(|(_, connector)| connector.as_ref()).flat_map(|connector| {
        let of_applications = credential_keys(connector).flat_map(|keys| {
            let certificate = keys.client_certificate.map(|files| &files.value);
            let token = keys.federated_token.map(|token| &token.value.file);
            let pair = certificate.into_iter().flat_map(|files| [&files.certificate, &files.private_key]);
            pair.chain(token)
        });
        of_applications.chain([&connector.ca_file])
    });
    let of_collector = file.otlp().map(|otlp| &otlp.ca_file);
    let of_shared_store = file.shared_limits.as_ref().map(|keys| &keys.value.ca_file);
    let named = of_listeners.chain(of_admin).chain(of_connectors).chain(of_collector).chain(of_shared_store);
    let named = named.chain([&file.users]);
    let secrets = secret_sources(file).filter_map(SecretSource::path);
    named.filter_map(|path| path.as_ref()).map(|path| path.value.clone()).chain(secrets)
}
