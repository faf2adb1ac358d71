//! The steps of the set-up as they are asked for: each answer is tried before the next question.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Arguments;
use super::ask::Ask;
use super::write::{self, Proof};
use crate::business_central::address::EnvironmentAddress;
use crate::business_central::{Company, CompanyRef, EnvironmentName};
use crate::cli::Failure;
use crate::doctor::{self, Endpoint, Finding, Findings, Token, Wrong};
use crate::entra::{Application, CertificateFiles, ClientId, TenantId};
use crate::guide::Step;
use crate::outbound::{HttpClient, HttpsUrl, OutboundError, ProxySelector};

/// What all steps need.
pub struct Steps<'r> {
    pub ask: Ask,
    runtime: &'r Runtime,
    http: HttpClient,
    authority: HttpsUrl,
    base_url: HttpsUrl,
    scope: String,
    ca_file: Option<PathBuf>,
    proxies: ProxySelector,
    /// Whether the way to both services was found open.
    is_reachable: bool,
    stop: Stop,
}

/// Ctrl-C ends the command at once, but not while the secret is in a file that has to be removed first.
#[derive(Clone, Default)]
struct Stop {
    is_held: Arc<AtomicBool>,
    asked_for: CancellationToken,
}

impl Stop {
    fn listen(runtime: &Runtime) -> Self {
        let stop = Self::default();
        let listening = stop.clone();
        runtime.spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                listening.asked_for.cancel();
                if !listening.is_held.load(Ordering::Acquire) {
                    stopped();
                }
            }
        });
        stop
    }
}

fn stopped() -> ! {
    eprintln!("\nStopped; nothing was written.");
    std::process::exit(1)
}

impl<'r> Steps<'r> {
    pub fn new(runtime: &'r Runtime, ask: Ask, arguments: &Arguments) -> Result<Self, Failure> {
        let unusable = |error: OutboundError| Failure::Configuration(doctor::unusable(&error).to_string());
        let (ca_file, proxy) = (arguments.ca_file.clone(), arguments.outbound_proxy.setting()?);
        let http = HttpClient::new(ca_file.as_deref(), &proxy, PATIENCE).map_err(unusable)?;
        let proxies = ProxySelector::new(&proxy).map_err(|error| unusable(error.into()))?;
        Ok(Self {
            ask,
            runtime,
            http,
            authority: arguments.authority.clone(),
            base_url: arguments.base_url.clone(),
            scope: arguments.scope.clone(),
            ca_file,
            proxies,
            is_reachable: false,
            stop: Stop::listen(runtime),
        })
    }

    /// A tenant that exists.
    pub fn tenant(&mut self, mut given: Option<TenantId>) -> Result<TenantId, Failure> {
        loop {
            let tenant = match given.take() {
                Some(tenant) => tenant,
                None => self.ask.value("Directory (tenant) ID, or the directory's domain", "--tenant", None)?,
            };
            match self.try_tenant(&tenant) {
                Ok(()) => {
                    println!("  ✓ The tenant {tenant} exists.");
                    return Ok(tenant);
                }
                Err(wrong) => {
                    self.ask.wrong(&wrong)?;
                    given = self.once_more(&wrong, Step::Tenant)?.then_some(tenant);
                }
            }
        }
    }

    fn try_tenant(&mut self, tenant: &TenantId) -> Result<(), Wrong> {
        let mut ignore = |_: &Finding| {};
        let mut findings = Findings::new(&mut ignore);
        let endpoints = [Endpoint::entra(&self.authority), Endpoint::business_central(&self.base_url)];
        self.runtime.block_on(async {
            if !self.is_reachable {
                let ca_file = self.ca_file.as_deref();
                self.is_reachable = doctor::network(&endpoints, ca_file, &self.proxies, PATIENCE, &mut findings).await;
            }
            if self.is_reachable {
                doctor::tenant(&self.http, &self.authority, tenant, &mut findings).await;
            }
        });
        findings.wrong().cloned().map_or(Ok(()), Err)
    }

    /// Whether the same is to be tried again; otherwise it is asked for anew. What has nothing to do with the answer can be mended first.
    fn once_more(&self, wrong: &Wrong, asked: Step) -> Result<bool, Failure> {
        if wrong.step == asked {
            return Ok(false);
        }
        if self.ask.confirm("Try again?", true, false)? {
            return Ok(true);
        }
        Err(Failure::Failed(format!("Nothing was written: {wrong}")))
    }

    /// An app the tenant knows.
    pub fn client(&self, tenant: &TenantId, mut given: Option<ClientId>) -> Result<ClientId, Failure> {
        loop {
            let client = match given.take() {
                Some(client) => client,
                None => self.ask.value("Application (client) ID", "--client-id", None)?,
            };
            let tried = doctor::application_known(&self.http, &self.authority, tenant, client, &self.scope);
            match self.runtime.block_on(tried) {
                Some(Err(wrong)) => self.ask.wrong(&wrong)?,
                Some(Ok(())) => {
                    println!("  ✓ The tenant knows this application.");
                    return Ok(client);
                }
                None => return Ok(client),
            }
        }
    }

    /// What proves that we are the application, asked for.
    pub fn new_proof(&self, tenant: &TenantId, client: ClientId) -> Result<Proof, Failure> {
        let kinds = ["a client secret", "a certificate (PEM files)"].map(ToOwned::to_owned);
        let options = "--client-secret-file, --client-secret-env or --certificate";
        match self.ask.choose("How bcproxy proves that it is this application", options, &kinds)? {
            0 => self.new_secret(tenant, client).map(Proof::NewSecret),
            _ => self.new_certificate(tenant, client),
        }
    }

    /// A certificate that Entra takes.
    fn new_certificate(&self, tenant: &TenantId, client: ClientId) -> Result<Proof, Failure> {
        loop {
            let certificate: String = self.ask.value("File of the certificate", "--certificate", None)?;
            let key: String = self.ask.value("File of its private key", "--private-key", Some(&certificate))?;
            let private_key = (key != certificate).then(|| write::absolute(key.into())).transpose()?;
            let proof =
                Proof::Certificate(CertificateFiles { certificate: write::absolute(certificate.into())?, private_key });
            match self.try_sign_in(tenant, client, &proof) {
                Err(wrong) if wrong.step == Step::Credential => self.ask.wrong(&wrong)?,
                // Whatever else may be wrong is the next step's.
                _ => return Ok(proof),
            }
        }
    }

    /// A secret that Entra takes, from the terminal.
    fn new_secret(&self, tenant: &TenantId, client: ClientId) -> Result<Zeroizing<String>, Failure> {
        loop {
            let typed = self
                .ask
                .hidden("Client secret, its Value (not shown)", "--client-secret-file or --client-secret-env")?;
            if typed.is_empty() {
                continue;
            }
            if Uuid::try_parse(&typed).is_ok()
                && !self.ask.confirm(
                    "This looks like the Secret ID; the Value is needed. Use it nevertheless?",
                    false,
                    false,
                )?
            {
                continue;
            }
            let proof = Proof::NewSecret(typed);
            match self.try_sign_in(tenant, client, &proof) {
                Err(wrong) if wrong.step == Step::Credential => self.ask.wrong(&wrong)?,
                // Whatever else may be wrong is the next step's.
                _ => {
                    let Proof::NewSecret(typed) = proof else { continue };
                    return Ok(typed);
                }
            }
        }
    }

    fn try_sign_in(&self, tenant: &TenantId, client: ClientId, proof: &Proof) -> Result<Token, Wrong> {
        // Lives as long as the attempt, even when somebody stops us in the middle of it.
        let (credential, file) = proof.credential()?;
        self.stop.is_held.store(true, Ordering::Release);
        let application = Application {
            authority: self.authority.clone(),
            tenant_id: tenant.clone(),
            client_id: client,
            credential,
            scope: self.scope.clone(),
        };
        let outcome = self.runtime.block_on(async {
            tokio::select! {
                token = doctor::sign_in(&self.http, &application, PATIENCE) => Some(token),
                () = self.stop.asked_for.cancelled() => None,
            }
        });
        drop(file);
        self.stop.is_held.store(false, Ordering::Release);
        outcome.unwrap_or_else(|| stopped())
    }

    /// A token with all it needs; where consent is missing, it is waited for.
    pub fn sign_in(
        &self,
        tenant: &TenantId,
        client: ClientId,
        proof: &Proof,
        patience: Duration,
    ) -> Result<Token, Failure> {
        let attempt = || self.try_sign_in(tenant, client, proof);
        let token = match attempt() {
            Err(wrong) if wrong.step == Step::Consent => {
                println!(
                    "  ✗ {}.\n  → {}\n  → Or, once the permission is added, let an administrator open this link and accept:\n\n    {}\n",
                    wrong.what,
                    wrong.fix,
                    self.consent_link(tenant, client)
                );
                self.wait("consent", Step::Consent, patience, attempt)?
            }
            Err(wrong) => return Err(Failure::Failed(format!("Nothing was written: {wrong}"))),
            Ok(token) => token,
        };
        println!("  ✓ Entra takes the credential, and the permission has consent.");
        Ok(token)
    }

    /// Source: Entra, "OAuth 2.0 client credentials flow", "Request the permissions from a directory admin".
    fn consent_link(&self, tenant: &TenantId, client: ClientId) -> String {
        format!("{}/{tenant}/adminconsent?client_id={client}&redirect_uri={LANDING_PAGE}", self.authority)
    }

    /// An environment that takes the application, and its companies.
    pub fn environment(
        &self,
        tenant: &TenantId,
        client: ClientId,
        mut given: Option<EnvironmentName>,
        token: &mut Token,
        patience: Duration,
    ) -> Result<(EnvironmentName, Vec<Company>), Failure> {
        loop {
            let environment = match given.take() {
                Some(environment) => environment,
                None => self.ask.value("Environment", "--environment", Some("Production"))?,
            };
            let address = EnvironmentAddress::new(&self.base_url, tenant, &environment);
            let mut attempt = || self.runtime.block_on(doctor::list_companies(&self.http, &address, token));
            let listed = match attempt() {
                Err(wrong) if wrong.step == Step::Card => {
                    println!("  ✗ {}.\n  → {}\n  → The client ID of the card: {client}\n", wrong.what, wrong.fix);
                    self.wait("Business Central to take the application", Step::Card, patience, attempt)
                }
                Err(wrong) => {
                    self.ask.wrong(&wrong)?;
                    given = self.once_more(&wrong, Step::Environment)?.then_some(environment);
                    continue;
                }
                Ok(list) => Ok(list),
            }?;
            println!("  ✓ The environment {environment} takes the application and has {} companies.", listed.len());
            return Ok((environment, listed));
        }
    }

    /// The company for all requests; `None` when programs name it.
    pub fn company(&self, list: &[Company], given: Option<CompanyRef>, any: bool) -> Result<Option<Company>, Failure> {
        if any {
            return Ok(None);
        }
        if let Some(wanted) = given {
            match doctor::find_company(list, &wanted) {
                Ok(company) => return Ok(Some(company.clone())),
                Err(wrong) => self.ask.wrong(&wrong)?,
            }
        }
        let mut items: Vec<String> = list.iter().map(|company| company.name.to_string()).collect();
        items.push("(none: programs name the company themselves)".to_owned());
        let chosen = self.ask.choose("Company", "--company or --any-company", &items)?;
        Ok(list.get(chosen).cloned())
    }

    /// Waits until the application may read something of the company.
    pub fn permission(
        &self,
        tenant: &TenantId,
        environment: &EnvironmentName,
        company: Option<&Company>,
        token: &Token,
        patience: Duration,
    ) -> Result<(), Failure> {
        let Some(company) = company else { return Ok(()) };
        let address = EnvironmentAddress::new(&self.base_url, tenant, environment);
        let attempt = || self.runtime.block_on(doctor::may_read(&self.http, &address, company, &token.authorization));
        match attempt() {
            Ok(found) => {
                println!("  ✓ It works: {found}.");
                Ok(())
            }
            Err(wrong) if wrong.step == Step::PermissionSet => {
                println!("  ✗ {}.\n  → {}\n", wrong.what, wrong.fix);
                if !self.ask.confirm("Wait until it has one? Otherwise the file is written as it is.", true, true)? {
                    return Ok(());
                }
                self.wait("a permission set", Step::PermissionSet, patience, attempt).map(|_| ())
            }
            Err(wrong) => Err(Failure::Failed(format!("Nothing was written: {wrong}"))),
        }
    }

    /// Tries again and again while only this step fails.
    fn wait<T>(
        &self,
        what: &str,
        step: Step,
        patience: Duration,
        mut attempt: impl FnMut() -> Result<T, Wrong>,
    ) -> Result<T, Failure> {
        println!("Waiting for {what}, at most {} s (Ctrl-C ends; nothing is written then) …", patience.as_secs());
        let until = Instant::now() + patience;
        loop {
            match attempt() {
                Ok(value) => return Ok(value),
                Err(wrong) if wrong.step == step && Instant::now() + PAUSE < until => {
                    std::thread::sleep(PAUSE);
                }
                Err(wrong) => return Err(Failure::Failed(format!("Nothing was written: {wrong}"))),
            }
        }
    }
}

/// Business Central's own page for the end of a consent, percent-encoded.
const LANDING_PAGE: &str = "https%3A%2F%2Fbusinesscentral.dynamics.com%2FOAuthLanding.htm";

const PATIENCE: Duration = Duration::from_secs(10);

/// Quick for somebody who has just clicked, and far from what Entra takes for an attack.
const PAUSE: Duration = Duration::from_secs(3);
