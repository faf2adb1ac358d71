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
        /// Where the client secret is stored, as in a connector.
        client_secret: OneOrMore<Secret> = Optional,
        /// A certificate, as in a connector.
        client_certificate: ClientCertificateKeys = Optional,
        /// A token in a file, as in a connector.
        federated_token: FederatedTokenKeys = Optional,
        /// An Azure identity, as in a connector.
        managed_identity: ManagedIdentityKeys = Optional,
    }
}

mapping! {
    /// A certificate and its private key in PEM files. The key must not have a password.
    /// Convert a PKCS#12 file (`.pfx`, `.p12`) with `openssl pkcs12 -in FILE -nodes -out FILE.pem`.
    ClientCertificateKeys: "client certificate" {
        /// The file with the certificate. Relative to the folder of `proxy.yaml`.
        certificate: PathBuf = Required,
        /// The file with the RSA private key (PKCS#8 or PKCS#1). Leave it out if the key is in the file of the
        /// certificate.
        private_key: PathBuf = Optional,
    }
}

mapping! {
    /// A token that another program refreshes.
    FederatedTokenKeys: "federated token" {
        /// The file with the token. Relative to the folder of `proxy.yaml`. bcproxy reads it again before every token
        /// request.
        file: PathBuf = Required,
    }
}

mapping! {
    /// An identity that Azure assigns to a virtual machine or service.
    ManagedIdentityKeys: "managed identity" {
        /// The client ID of a user-assigned identity.
        /// If it differs from the connector's `client_id`, bcproxy signs in as that application with this identity.
        /// That application then needs a federated credential for the identity.
        client_id: ClientId = Optional,
    }
}
