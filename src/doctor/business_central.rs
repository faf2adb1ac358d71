//! Business Central's side of the set-up: environment, card, permission sets, company, routes. GETs only.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::header::HeaderValue;

use super::{Findings, Token, Wrong, entra};
use crate::business_central::address::EnvironmentAddress;
use crate::business_central::companies;
use crate::business_central::lookup::{self, LookupError};
use crate::business_central::{Company, CompanyRef, EnvironmentName, Surface, encode_segment, error_code};
use crate::config::{Connector, Route};
use crate::entra::{ClaimsChallenge, ClientId};
use crate::error_chain::root_cause;
use crate::guide::{self, KnownError, Step};
use crate::outbound::{HttpClient, RequestError};

/// An environment that a connector or its routes lead to.
struct Place<'a> {
    environment: &'a EnvironmentName,
    companies: Vec<&'a CompanyRef>,
    routes: Vec<&'a Route>,
}

/// Looks at every environment the connector and its routes lead to.
pub async fn examine(
    http: &HttpClient,
    connector: &Connector,
    client: ClientId,
    routes: &[Route],
    token: &mut Token,
    findings: &mut Findings<'_>,
) {
    let places = places(connector, routes);
    let are_several = places.len() > 1;
    for place in &places {
        let subject = are_several.then(|| format!("environment {}", place.environment));
        examine_place(http, connector, client, place, token, subject.as_deref(), findings).await;
    }
}

/// The card is found by its client ID.
fn with_client(wrong: Wrong, client: ClientId) -> Wrong {
    match wrong.step {
        Step::Card | Step::PermissionSet => Wrong { what: format!("{} (client ID {client})", wrong.what), ..wrong },
        _ => wrong,
    }
}

fn places<'a>(connector: &'a Connector, routes: &'a [Route]) -> Vec<Place<'a>> {
    let mut places: Vec<Place<'a>> = Vec::new();
    let own = routes.iter().filter(|route| route.connector.name == connector.name);
    let wanted = own.clone().map(|route| (&route.environment, route.company.as_ref(), Some(route)));
    let connectors = (&connector.environment, connector.company.as_ref(), None);
    for (environment, company, route) in wanted.chain(own.clone().next().is_none().then_some(connectors)) {
        let is_it = |place: &&mut Place<'_>| place.environment.as_str().eq_ignore_ascii_case(environment.as_str());
        let place = match places.iter_mut().find(is_it) {
            Some(place) => place,
            None => {
                places.push(Place { environment, companies: Vec::new(), routes: Vec::new() });
                let Some(place) = places.last_mut() else { continue };
                place
            }
        };
        place.companies.extend(company.filter(|company| !place.companies.contains(company)));
        place.routes.extend(route);
    }
    places
}

async fn examine_place(
    http: &HttpClient,
    connector: &Connector,
    client: ClientId,
    place: &Place<'_>,
    token: &mut Token,
    subject: Option<&str>,
    findings: &mut Findings<'_>,
) {
    let address = EnvironmentAddress::new(&connector.base_url, &connector.application.tenant_id, place.environment);
    let base = address.url();
    let started = Instant::now();
    let list = match list_companies(http, &address, token).await {
        Ok(list) => list,
        Err(wrong) => return findings.add(wrong.step, subject, Err(with_client(wrong, client)), started.elapsed()),
    };
    let authorization = &token.authorization;
    findings.add(Step::Environment, subject, Ok(format!("{} answers", place.environment)), started.elapsed());
    findings.add(Step::Card, subject, Ok("Business Central takes the application".to_owned()), Duration::ZERO);

    let chosen: Vec<Result<&Company, Wrong>> =
        place.companies.iter().map(|wanted| find_company(&list, wanted)).collect();
    let sample = chosen.iter().find_map(|found| found.as_ref().ok().copied()).or_else(|| list.first());
    let started = Instant::now();
    if let Some(company) = sample.filter(|_| place.reads_standard_data()) {
        match may_read(http, &address, company, authorization).await {
            Ok(found) => findings.add(Step::PermissionSet, subject, Ok(found), started.elapsed()),
            Err(wrong) => return findings.add(wrong.step, subject, Err(with_client(wrong, client)), started.elapsed()),
        }
    } else {
        let found = format!("it may list the {} companies; what else the programs need shows below", list.len());
        findings.add(Step::PermissionSet, subject, Ok(found), Duration::ZERO);
    }

    let mut all_found = true;
    for found in chosen {
        all_found &= found.is_ok();
        let found = found.map(|company| format!("{} ({})", company.name, company.id));
        findings.add(Step::Company, subject, found, Duration::ZERO);
    }
    if place.companies.is_empty() {
        let found = format!("programs name it; there are {}: {}", list.len(), names(&list));
        findings.add(Step::Company, subject, Ok(found), Duration::ZERO);
    }
    if !all_found {
        return;
    }
    for route in &place.routes {
        let company = route.company.as_ref().and_then(|wanted| find_company(&list, wanted).ok());
        let started = Instant::now();
        let answer = probe(http, &format!("{base}/{}", below(route, company)), authorization).await;
        let path = route.path.to_string();
        let result = answer
            .and_then(Probe::into_result)
            .map(|()| format!("{} answers", route.surface))
            .map_err(|wrong| Wrong { what: format!("{path} → {}: {}", route.surface, wrong.what), ..wrong });
        findings.add(Step::Route, Some(path.as_str()), result, started.elapsed());
    }
}

impl Place<'_> {
    /// Whether programs reach more than the APIs of extensions, whose own permission sets may cover nothing else.
    fn reads_standard_data(&self) -> bool {
        let is_extensions =
            |route: &&Route| matches!(&route.surface, Surface::Api(path) if path.as_str() != "api/v2.0");
        self.routes.is_empty() || !self.routes.iter().all(is_extensions)
    }
}

/// The companies the application sees, or the step that is wrong. Where Business Central demands more of the token, it becomes one that says it.
pub async fn list_companies(
    http: &HttpClient,
    address: &EnvironmentAddress,
    token: &mut Token,
) -> Result<Vec<Company>, Wrong> {
    let (environment, tenant) = (address.environment(), address.tenant());
    let mut listed = companies::look_up(http, &address.url(), &token.authorization, PATIENCE).await;
    if let Err(error) = &listed
        && let Some(challenge) = ClaimsChallenge::from_values(error.challenges())
    {
        token.answer(&challenge).await?;
        listed = companies::look_up(http, &address.url(), &token.authorization, PATIENCE).await;
    }
    let error = match listed {
        Ok(list) => return Ok(list),
        Err(error) => error,
    };
    Err(match &error {
        LookupError::Rejected { status, code, .. } => match error.known_error() {
            Some(trouble) => Wrong::meaning(&said(*status, code.as_deref(), environment), trouble, Step::Environment),
            None if *status == StatusCode::NOT_FOUND => Wrong::at(
                Step::Environment,
                format!("Business Central knows no environment {environment} in tenant {tenant}"),
            ),
            None => Wrong::at(Step::Environment, said(*status, code.as_deref(), environment)),
        },
        LookupError::Unreachable(unreachable) => entra::unreached(unreachable),
        LookupError::Interrupted { .. } | LookupError::TimedOut { .. } | LookupError::Unreadable { .. } => {
            Wrong::at(Step::Connection, error.to_string())
        }
    })
}

/// The company meant.
pub fn find_company<'c>(list: &'c [Company], wanted: &CompanyRef) -> Result<&'c Company, Wrong> {
    companies::find(list, wanted).map_err(|error| Wrong::at(Step::Company, error.to_string()))
}

/// Whether the application may read any of a company's ordinary data: one that may read none has no permission set.
pub async fn may_read(
    http: &HttpClient,
    address: &EnvironmentAddress,
    company: &Company,
    authorization: &HeaderValue,
) -> Result<String, Wrong> {
    let (base, mut refused) = (address.url(), None);
    for set in ["companyInformation", "customers", "items", "vendors", "accounts"] {
        let url = format!("{base}/api/v2.0/companies({})/{set}?$top=1&$select=id", company.id);
        match probe(http, &url, authorization).await?.into_result() {
            Ok(()) => return Ok(format!("the application may read {set} of {}", company.name)),
            Err(wrong) if wrong.step == Step::Route => {}
            Err(wrong) => refused = Some(wrong),
        }
    }
    match refused {
        Some(wrong) => Err(wrong),
        None => Ok("nothing to try it on was found".to_owned()),
    }
}

/// What one GET was answered.
struct Probe {
    status: StatusCode,
    code: Option<String>,
}

impl Probe {
    fn into_result(self) -> Result<(), Wrong> {
        if self.status.is_success() {
            return Ok(());
        }
        let code = self.code.as_deref();
        let said = match code {
            Some(code) => format!("Business Central answered {} ({})", self.status, printable(code)),
            None => format!("Business Central answered {}", self.status),
        };
        Err(match guide::business_central_error(self.status, code) {
            Some(trouble @ KnownError { step: Some(_), .. }) => Wrong::meaning(&said, trouble, Step::Route),
            _ => Wrong::at(Step::Route, said),
        })
    }
}

async fn probe(http: &HttpClient, url: &str, authorization: &HeaderValue) -> Result<Probe, Wrong> {
    let exchange = async {
        let mut answer = http.get(url, authorization).await?;
        let status = answer.status();
        let mut body = Vec::new();
        // Only an error's code is of interest.
        while !status.is_success()
            && body.len() < MAX_ERROR_BYTES
            && let Some(piece) = answer.chunk().await?
        {
            body.extend_from_slice(&piece);
        }
        Ok::<_, RequestError>(Probe { status, code: error_code(&body) })
    };
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(Ok(probe)) => Ok(probe),
        Ok(Err(RequestError::Connect(error))) => Err(entra::unreached(&lookup::unreachable(url, &error))),
        Ok(Err(error)) => Err(Wrong::at(Step::Connection, format!("the connection broke ({})", root_cause(&error)))),
        Err(_) => {
            Err(Wrong::at(Step::Connection, format!("Business Central did not answer within {} s", PATIENCE.as_secs())))
        }
    }
}

/// Something small that a route's surface always has, below the environment.
fn below(route: &Route, company: Option<&Company>) -> String {
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

fn said(status: StatusCode, code: Option<&str>, environment: &EnvironmentName) -> String {
    let code = code.map_or_else(String::new, |code| format!(", {}", printable(code)));
    format!("Business Central answered {status}{code} for environment {environment}")
}

/// It comes from outside and goes to a terminal.
fn printable(code: &str) -> String {
    code.chars().filter(|character| !character.is_control()).take(80).collect()
}

fn names(list: &[Company]) -> String {
    const SHOWN: usize = 5;
    let names: Vec<&str> = list.iter().take(SHOWN).map(|company| company.name.as_str()).collect();
    let more = if list.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", names.join(", "))
}

/// A small answer from a service that is up takes a second at most; one that was asleep takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

const MAX_ERROR_BYTES: usize = 64 * 1024;
