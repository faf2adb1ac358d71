//! The certificate that a service presents: whether it is trusted, and who issued it. The issuer reveals a firewall
//! that inspects TLS.

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use super::findings::Wrong;
use crate::error_chain::root_cause;
use crate::guide::Step;
use crate::shared_socket::SharedSocket;
use crate::tls;

/// The issuer of the certificate, if it is trusted.
pub async fn examine(
    host: &str,
    stream: SharedSocket,
    ca_file: Option<&Path>,
    limit: Duration,
) -> Result<String, Wrong> {
    let unusable = |error: tls::TlsError| Wrong::at(Step::Tls, error.to_string());
    let recorder =
        Arc::new(IssuerRecorder { verifier: tls::verifier(ca_file).map_err(unusable)?, issuer: Mutex::default() });
    let config = tls::client_config_with(recorder.clone()).map_err(unusable)?;
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Wrong::at(Step::Configuration, format!("{host} is not a valid host name for a certificate")))?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match tokio::time::timeout(limit, handshake).await {
        Ok(Ok(_)) => Ok(recorder.issuer()),
        Ok(Err(error)) => Err(wrong(host, &error, recorder.issuer())),
        Err(_) => Err(Wrong::new(
            Step::Tls,
            format!("{host} did not complete the TLS handshake within {} s", limit.as_secs_f32()),
            "Check whether a firewall or web proxy delays TLS connections.",
        )),
    }
}

fn wrong(host: &str, error: &std::io::Error, issuer: String) -> Wrong {
    match certificate_error(error) {
        Some(CertificateError::UnknownIssuer) => Wrong::new(
            Step::Tls,
            format!("the certificate of {host} was issued by {issuer}, which this machine does not trust"),
            format!(
                "A firewall probably inspects TLS here. Ask its administrator for the CA certificate of {issuer} as a \
                 PEM file, and name that file with `ca_file`."
            ),
        ),
        Some(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => Wrong::new(
            Step::Tls,
            format!("the certificate of {host}, issued by {issuer}, has expired"),
            "Check this machine's clock. If it is correct, ask the administrator of the service to renew the certificate.",
        ),
        Some(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => Wrong::new(
            Step::Tls,
            format!("the certificate of {host}, issued by {issuer}, is not valid yet"),
            "Set this machine's clock: turn on its time service (NTP).",
        ),
        Some(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => Wrong::new(
            Step::Tls,
            format!("the certificate presented for {host}, issued by {issuer}, belongs to another host"),
            "Another server responds at this address. Check this machine's DNS and hosts file, `authority` and `base_url`.",
        ),
        Some(other) => {
            Wrong::at(Step::Tls, format!("the certificate of {host}, issued by {issuer}, is invalid ({other})"))
        }
        None => Wrong::new(
            Step::Tls,
            format!("the TLS handshake with {host} failed ({})", root_cause(error)),
            "Check whether a firewall or web proxy blocks or replaces TLS. The service must support TLS 1.2 or 1.3.",
        ),
    }
}

/// The certificate error behind a failed handshake.
pub(super) fn certificate_error(error: &std::io::Error) -> Option<&CertificateError> {
    let inner = error.get_ref()? as &(dyn Error + 'static);
    match inner.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(error) => Some(error),
        _ => None,
    }
}

/// Verifies as usual and records the issuer of the certificate presented.
#[derive(Debug)]
struct IssuerRecorder {
    verifier: Arc<dyn ServerCertVerifier>,
    issuer: Mutex<Option<String>>,
}

impl IssuerRecorder {
    fn issuer(&self) -> String {
        let recorded = self.issuer.lock().ok().and_then(|issuer| issuer.clone());
        recorded.unwrap_or_else(|| "an unnamed authority".to_owned())
    }
}

impl ServerCertVerifier for IssuerRecorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Ok(mut issuer) = self.issuer.lock() {
            *issuer = issuer_of(end_entity);
        }
        self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn issuer_of(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let issuer: &X509Name<'_> = certificate.issuer();
    let first = issuer.iter_common_name().chain(issuer.iter_organization()).find_map(|part| part.as_str().ok())?;
    // Safe to print to a terminal: the name comes from outside.
    let shown: String = first.chars().filter(|character| !character.is_control()).take(80).collect();
    (!shown.is_empty()).then(|| format!("\"{shown}\""))
}
