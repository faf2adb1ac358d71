//! The keys of an application and its credential.

use std::path::PathBuf;

use super::secret::Secret;
use crate::config::shape::collections::OneOrMore;
use crate::config::shape::mapping::mapping;
use crate::entra::ClientId;

mapping! {
    /// One of several applications.
    ApplicationKeys: "application", one of [client_secret, client_certificate, federated_token, managed_identity] {
        /// Application (client) ID: a GUID.
        client_id: ClientId = Required,
        /// Where its client secret is kept, as the connector's would be.
        client_secret: OneOrMore<Secret> = Optional,
        /// Instead of a secret, as the connector's would be.
        client_certificate: ClientCertificateKeys = Optional,
        /// Instead of a secret, as the connector's would be.
        federated_token: FederatedTokenKeys = Optional,
        /// Instead of a secret, as the connector's would be.
        managed_identity: ManagedIdentityKeys = Optional,
    }
}

mapping! {
    /// A certificate and its private key, as PEM files; the key without a passphrase. A PKCS#12 file (`.pfx`, `.p12`) is made into one with
    /// `openssl pkcs12 -in FILE -nodes -out FILE.pem`.
    ClientCertificateKeys: "client certificate" {
        /// The file of the certificate; relative to this file's folder.
        certificate: PathBuf = Required,
        /// The file of its RSA key (PKCS#8 or PKCS#1), if it is not in the same file.
        private_key: PathBuf = Optional,
    }
}

mapping! {
    /// A token that somebody else keeps fresh.
    FederatedTokenKeys: "federated token" {
        /// The file of the token; relative to this file's folder. It is read again before every token request.
        file: PathBuf = Required,
    }
}

mapping! {
    /// An identity that Azure gives to a machine or service.
    ManagedIdentityKeys: "managed identity" {
        /// The client ID of a user-assigned identity. If it is not the connector's own `client_id`, it vouches for that application, which
        /// needs a federated credential for it.
        client_id: ClientId = Optional,
    }
}
