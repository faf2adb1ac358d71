//! The checks of Business Central: environment, card, permission sets, company, routes. GETs only.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::header::HeaderValue;

use super::entra::{self, SignedIn};
use super::findings::{Findings, Wrong};
use crate::business_central::address::EnvironmentAddress;
use crate::business_central::companies;
use crate::business_central::lookup::{self, LookupError};
use crate::business_central::{Company, CompanyRef, EnvironmentName, Surface, encode_segment};
use crate::config::{Connector, Route};
use crate::guide::{self, KnownError, Step};

/// An environment that a connector or its routes lead to.
struct Target<'a> {
    environment: &'a EnvironmentName,
    companies: Vec<&'a CompanyRef>,
    routes: Vec<&'a Route>,
}

/// Checks every environment that the connector and its routes lead to.
pub async fn examine(connector: &Connector, routes: &[Route], signed_in: &SignedIn, findings: &mut Findings<'_>) {
    let targets = targets(connector, routes);
    let are_several = targets.len() > 1;
    for target in &targets {
        let subject = are_several.then(|| format!("environment {}", target.environment));
        examine_target(connector, target, signed_in, subject.as_deref(), findings).await;
    }
}

/// Adds the client ID, by which the card is found.
fn with_client(wrong: Wrong, signed_in: &SignedIn) -> Wrong {
    let client = signed_in.application().client_id;
    match wrong.step {
        Step::Card | Step::PermissionSet => Wrong { what: format!("{} (client ID {client})", wrong.what), ..wrong },
        _ => wrong,
    }
}

fn targets<'a>(connector: &'a Connector, routes: &'a [Route]) -> Vec<Target<'a>> {
    let mut targets: Vec<Target<'a>> = Vec::new();
    let own = routes.iter().filter(|route| route.connector.name == connector.name);
    let wanted = own.clone().map(|route| (&route.environment, route.company.as_ref(), Some(route)));
    let connectors = (&connector.environment, connector.company.as_ref(), None);
    for (environment, company, route) in wanted.chain(own.clone().next().is_none().then_some(connectors)) {
        let is_same = |target: &&mut Target<'_>| target.environment.as_str().eq_ignore_ascii_case(environment.as_str());
        let target = match targets.iter_mut().find(is_same) {
            Some(target) => target,
            None => {
                targets.push(Target { environment, companies: Vec::new(), routes: Vec::new() });
                let Some(target) = targets.last_mut() else { continue };
                target
            }
        };
        target.companies.extend(company.filter(|company| !target.companies.contains(company)));
        target.routes.extend(route);
    }
    targets
}

async fn examine_target(
    connector: &Connector,
    target: &Target<'_>,
    signed_in: &SignedIn,
    subject: Option<&str>,
    findings: &mut Findings<'_>,
) {
    let address = EnvironmentAddress::new(&connector.base_url, &connector.application.tenant_id, target.environment);
    let base = address.url();
    findings.checking(Step::Environment);
    let started = Instant::now();
    let list = match list_companies(&address, signed_in).await {
        Ok(list) => list,
        Err(wrong) => return findings.add(wrong.step, subject, Err(with_client(wrong, signed_in)), started.elapsed()),
    };
    findings.add(Step::Environment, subject, Ok(format!("{} responds", target.environment)), started.elapsed());
    findings.add(Step::Card, subject, Ok("Business Central accepts the application".to_owned()), Duration::ZERO);

    let chosen: Vec<Result<&Company, Wrong>> =
        target.companies.iter().map(|wanted| find_company(&list, wanted)).collect();
    let sample = chosen.iter().find_map(|found| found.as_ref().ok().copied()).or_else(|| list.first());
    findings.checking(Step::PermissionSet);
    let started = Instant::now();
    if let Some(company) = sample.filter(|_| target.reads_standard_data()) {
        match may_read(&address, company, signed_in).await {
            Ok(found) => findings.add(Step::PermissionSet, subject, Ok(found), started.elapsed()),
            Err(wrong) => {
                return findings.add(wrong.step, subject, Err(with_client(wrong, signed_in)), started.elapsed());
            }
        }
    } else {
        let found = format!("the application can list the {} companies; the routes below show the rest", list.len());
        findings.add(Step::PermissionSet, subject, Ok(found), Duration::ZERO);
    }

    let mut all_found = true;
    for found in chosen {
        all_found &= found.is_ok();
        let found = found.map(|company| format!("{} ({})", company.name, company.id));
        findings.add(Step::Company, subject, found, Duration::ZERO);
    }
    if target.companies.is_empty() {
        let found = format!("named by the clients; the environment has {}: {}", list.len(), names(&list));
        findings.add(Step::Company, subject, Ok(found), Duration::ZERO);
    }
    if !all_found {
        return;
    }
    for route in &target.routes {
        findings.checking(Step::Route);
        let company = route.company.as_ref().and_then(|wanted| find_company(&list, wanted).ok());
        let started = Instant::now();
        let probed = probe(&format!("{base}/{}", sample_path(route, company)), signed_in).await;
        let path = route.path.to_string();
        let result = probed
            .flatten()
            .map(|()| format!("{} responds", route.surface))
            .map_err(|wrong| Wrong { what: format!("{path} → {}: {}", route.surface, wrong.what), ..wrong });
        findings.add(Step::Route, Some(path.as_str()), result, started.elapsed());
    }
}

impl Target<'_> {
    /// Whether the routes reach more than APIs of extensions, whose own permission sets may cover nothing else.
    fn reads_standard_data(&self) -> bool {
        let is_extension = |route: &&Route| matches!(&route.surface, Surface::Api(path) if path.as_str() != "api/v2.0");
        self.routes.is_empty() || !self.routes.iter().all(is_extension)
    }
}

/// The companies that the application can see.
pub async fn list_companies(address: &EnvironmentAddress, signed_in: &SignedIn) -> Result<Vec<Company>, Wrong> {
    let (environment, tenant, url) = (&address.environment, &address.tenant, address.url());
    let listed =
        signed_in.ask(async |authorization| companies::look_up(&signed_in.http, &url, authorization, TIMEOUT).await);
    let error = match listed.await? {
        Ok(list) => return Ok(list),
        Err(error) => error,
    };
    Err(match &error {
        LookupError::Rejected { status, code, .. } => match error.known_error() {
            Some(known) => Wrong::known(&summary(*status, code.as_deref(), environment), known, Step::Environment),
            None if *status == StatusCode::NOT_FOUND => Wrong::at(
                Step::Environment,
                format!("tenant {tenant} has no environment {environment} in Business Central"),
            ),
            None => Wrong::at(Step::Environment, summary(*status, code.as_deref(), environment)),
        },
        error => no_response(error),
    })
}

/// The configured company among those of the environment.
pub fn find_company<'c>(list: &'c [Company], wanted: &CompanyRef) -> Result<&'c Company, Wrong> {
    companies::find(list, wanted).map_err(|error| Wrong::at(Step::Company, error.to_string()))
}

/// Checks that the application can read some of a company's standard data; otherwise it has no permission set.
pub async fn may_read(address: &EnvironmentAddress, company: &Company, signed_in: &SignedIn) -> Result<String, Wrong> {
    let (base, mut rejected) = (address.url(), None);
    for set in ["companyInformation", "customers", "items", "vendors", "accounts"] {
        let url = format!("{base}/api/v2.0/companies({})/{set}?$top=1&$select=id", company.id);
        match probe(&url, signed_in).await? {
            Ok(()) => return Ok(format!("the application can read {set} of {}", company.name)),
            Err(wrong) if wrong.step == Step::Route => {}
            Err(wrong) => rejected = Some(wrong),
        }
    }
    match rejected {
        Some(wrong) => Err(wrong),
        None => Ok("not checked: the environment has none of the standard data".to_owned()),
    }
}

/// What a GET of this address shows: the inner result, if Business Central responds at all.
async fn probe(url: &str, signed_in: &SignedIn) -> Result<Result<(), Wrong>, Wrong> {
    let get = async |authorization: &HeaderValue| {
        lookup::get(&signed_in.http, url, "an example", authorization, TIMEOUT).await
    };
    let (status, code) = match signed_in.ask(get).await? {
        Ok(_) | Err(LookupError::Unreadable { .. }) => return Ok(Ok(())),
        Err(LookupError::Rejected { status, code, .. }) => (status, code),
        Err(error) => return Err(no_response(&error)),
    };
    let code = code.as_deref();
    let detail = code.map_or_else(String::new, |code| format!(" ({})", printable(code)));
    let summary = format!("Business Central answered {status}{detail}");
    Ok(Err(match guide::business_central_error(status, code) {
        Some(known @ KnownError { step: Some(_), .. }) => Wrong::known(&summary, known, Step::Route),
        _ => Wrong::at(Step::Route, summary),
    }))
}

/// A look-up without a response, or with an unexpected one.
fn no_response(error: &LookupError) -> Wrong {
    match error {
        LookupError::Unreachable(unreachable) => entra::unreached(unreachable),
        error => Wrong::at(Step::Connection, error.to_string()),
    }
}

/// A small resource that every environment has on the route's surface, as a path below the environment.
fn sample_path(route: &Route, company: Option<&Company>) -> String {
    match (&route.surface, company) {
        (Surface::Api(api), Some(company)) => format!("{}/companies({})", api.as_str(), company.id),
        (Surface::Api(api), None) => format!("{}/companies", api.as_str()),
        (Surface::Soap, Some(company)) => format!("WS/{}/Services", encode_segment(company.name.as_str())),
        (Surface::Soap, None) => "WS/SystemService".to_owned(),
        (Surface::OData | Surface::Nav, Some(company)) => format!("ODataV4/Company(Id={})", company.id),
        (Surface::OData | Surface::Nav, None) => "ODataV4/Company".to_owned(),
        (Surface::Environment, _) => "api/v2.0/companies".to_owned(),
    }
}

fn summary(status: StatusCode, code: Option<&str>, environment: &EnvironmentName) -> String {
    let code = code.map_or_else(String::new, |code| format!(", {}", printable(code)));
    format!("Business Central answered {status}{code} for environment {environment}")
}

/// Safe to print to a terminal: the code comes from outside.
fn printable(code: &str) -> String {
    code.chars().filter(|character| !character.is_control()).take(80).collect()
}

fn names(list: &[Company]) -> String {
    const SHOWN: usize = 5;
    let names: Vec<&str> = list.iter().take(SHOWN).map(|company| company.name.as_str()).collect();
    let more = if list.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", names.join(", "))
}

/// A small response takes a second at most, but longer if the environment was idle.
const TIMEOUT: Duration = Duration::from_secs(30);
