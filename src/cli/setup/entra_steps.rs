//! The steps in Entra: tenant, application, credential and consent.

use std::path::PathBuf;

use anstream::println;

use super::arguments::{Arguments, CredentialInput, absolute};
use super::client_secret::{ExpiryDay, too_short};
use super::prompt::indented;
use super::session::{Session, TIMEOUT, nothing_written};
use crate::cli::common::{Failure, paste_mistake};
use crate::doctor::{self, Findings, SignedIn, Wrong};
use crate::entra::{Application, CertificateFiles, ClientId, ClientSecret, TenantId};
use crate::guide::{Step, clicks};
use crate::secret::SecretSource;
use crate::sentence::ended;

impl Session<'_> {
    /// Returns a tenant that exists.
    pub fn tenant(&mut self) -> Result<TenantId, Failure> {
        let mut given = self.arguments.tenant.clone();
        let mut clicks = Some(clicks::TENANT);
        loop {
            self.prompt.explain_once(given.is_none(), &mut clicks);
            let tenant = self.prompt.value(given.take(), "Directory (tenant) ID or domain", "--tenant", None)?;
            match self.check_tenant(&tenant) {
                Ok(()) => {
                    println!("  ✓ Tenant {tenant} exists.");
                    return Ok(tenant);
                }
                Err(wrong) => {
                    self.prompt.show_error(&wrong)?;
                    given = self.retries_same_value(&wrong, Step::Tenant)?.then_some(tenant);
                }
            }
        }
    }

    fn check_tenant(&mut self, tenant: &TenantId) -> Result<(), Wrong> {
        let mut findings = Findings::new(|_| {});
        let Arguments { authority, base_url, ca_file, .. } = &self.arguments;
        self.runtime.block_on(async {
            if !self.is_reachable {
                let checks =
                    doctor::network(authority, base_url, ca_file.as_deref(), &self.proxies, TIMEOUT, &mut findings);
                self.is_reachable = checks.await;
            }
            if self.is_reachable {
                doctor::tenant(&self.http, authority, tenant, &mut findings).await;
            }
        });
        findings.wrong().cloned().map_or(Ok(()), Err)
    }

    /// Returns an application that exists in the tenant.
    pub fn application(&self, tenant: &TenantId) -> Result<ClientId, Failure> {
        let mut given = self.arguments.client_id;
        let mut clicks = Some(clicks::APPLICATION);
        loop {
            self.prompt.explain_once(given.is_none(), &mut clicks);
            let client_id = self.prompt.value(given.take(), "Application (client) ID", "--client-id", None)?;
            let Arguments { authority, scope, .. } = &self.arguments;
            let check = doctor::application_known(&self.http, authority, tenant, client_id, scope);
            match self.runtime.block_on(check) {
                Some(Err(wrong)) => self.prompt.show_error(&wrong)?,
                Some(Ok(())) => {
                    println!("  ✓ The application exists in the tenant.");
                    return Ok(client_id);
                }
                None => return Ok(client_id),
            }
        }
    }

    /// Returns the credential of the options, or asks for one until Entra accepts it.
    pub fn credential(&self, tenant: &TenantId, client_id: ClientId) -> Result<CredentialInput, Failure> {
        let mut credential = match CredentialInput::given(&self.arguments)? {
            Some(given) => given,
            None => self.new_credential(tenant, client_id)?,
        };
        if let CredentialInput::Secret(secret) = &mut credential
            && secret.expires.is_none()
        {
            self.prompt.explain(&clicks::SECRET_EXPIRY);
            let day = self.prompt.optional::<ExpiryDay>("Day on which the secret expires (such as 2027-05-01)")?;
            secret.expires = day.map(|day| day.0);
        }
        Ok(credential)
    }

    fn new_credential(&self, tenant: &TenantId, client_id: ClientId) -> Result<CredentialInput, Failure> {
        self.prompt
            .explain(&"A client secret is the quickest. A certificate is the best choice on a machine of your own.");
        let kinds = ["a client secret", "a certificate (PEM files)"].map(ToOwned::to_owned);
        let options = "--client-secret-file, --client-secret-env or --certificate";
        let kind = self.prompt.choose("How bcproxy signs in as this application", options, &kinds)?;
        self.prompt.explain(if kind == 0 { &clicks::SECRET } else { &clicks::CERTIFICATE });
        loop {
            let credential = if kind == 0 { self.typed_secret()? } else { self.typed_certificate()? };
            match self.try_sign_in(tenant, client_id, &credential) {
                Err(wrong) if wrong.step == Step::Credential => {
                    self.prompt.show_error(&wrong)?;
                    if let Some(reason) = credential.typed_secret().and_then(too_short) {
                        println!("  → {reason}");
                    }
                }
                // Later steps handle all other errors.
                _ => return Ok(credential),
            }
        }
    }

    fn typed_certificate(&self) -> Result<CredentialInput, Failure> {
        let certificate: PathBuf = self.prompt.value(None, "Certificate file", "--certificate", None)?;
        let default = certificate.to_str();
        let key: PathBuf = self.prompt.value(None, "Private key file", "--private-key", default)?;
        let private_key = (key != certificate).then(|| absolute(&key)).transpose()?;
        Ok(CredentialInput::Certificate(CertificateFiles { certificate: absolute(&certificate)?, private_key }))
    }

    fn typed_secret(&self) -> Result<CredentialInput, Failure> {
        loop {
            let typed = self
                .prompt
                .hidden("Client secret (its Value; input is hidden)", "--client-secret-file or --client-secret-env")?;
            match paste_mistake::check(&typed) {
                Err(mistake) => println!("  ✗ {mistake}"),
                Ok(()) => {
                    let source = SecretSource::Given(typed);
                    let expires = self.arguments.client_secret_expires.map(|day| day.0);
                    return Ok(CredentialInput::Secret(ClientSecret { source, expires }));
                }
            }
        }
    }

    fn try_sign_in(
        &self,
        tenant: &TenantId,
        client_id: ClientId,
        credential: &CredentialInput,
    ) -> Result<SignedIn, Wrong> {
        let application = Application {
            authority: self.arguments.authority.clone(),
            tenant_id: tenant.clone(),
            client_id,
            credential: credential.to_credential(),
            scope: self.arguments.scope.clone(),
        };
        self.runtime.block_on(doctor::sign_in(&self.http, &application, TIMEOUT))
    }

    /// Signs in and returns a token with the API permission. Waits for admin consent if it is missing.
    pub fn sign_in(
        &self,
        tenant: &TenantId,
        client_id: ClientId,
        credential: &CredentialInput,
    ) -> Result<SignedIn, Failure> {
        let attempt = || self.try_sign_in(tenant, client_id, credential);
        let token = match attempt() {
            Err(wrong) if wrong.step == Step::Consent => {
                println!("  ✗ {}\n{}\n  → {}\n", ended(&wrong.what), indented(&clicks::CONSENT), wrong.fix);
                self.wait_for("consent", Step::Consent, attempt)?
            }
            Err(wrong) => return Err(nothing_written(&wrong)),
            Ok(token) => token,
        };
        println!("  ✓ Entra accepted the credential; admin consent is granted.");
        Ok(token)
    }
}
