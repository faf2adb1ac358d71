//! The companies of an environment: look-up and matching.
//!
//! Source: Business Central, "API endpoint structure" and "Get companies".

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderValue, WWW_AUTHENTICATE};
use serde::Deserialize;

use crate::error_chain::root_cause;
use crate::guide::{self, Trouble};
use crate::outbound::{Answer, Client, RequestError, Unreachable};

use super::error_envelope::error_code;
use super::names::{CompanyId, CompanyName, CompanyRef};

/// A company as Business Central knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    pub id: CompanyId,
    /// The technical name: what ODataV4 and SOAP addresses hold.
    pub name: CompanyName,
    /// What is printed on documents; may differ from the name.
    pub display_name: String,
}

/// Why a company reference leads to no company.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatchError {
    #[error("there is no company `{wanted}`; this environment has: {}", list(.existing))]
    Unknown { wanted: CompanyRef, existing: Vec<Company> },
    #[error("`{wanted}` could be any of these companies: {}; give the id instead", list(.candidates))]
    Ambiguous { wanted: CompanyRef, candidates: Vec<Company> },
}

/// Why the companies can't be listed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    #[error("Business Central answered {status} when asked for its companies{}", explained(*.status, .code.as_deref()))]
    Refused {
        status: StatusCode,
        /// `error.code`, where it says one.
        code: Option<String>,
        /// The values of `WWW-Authenticate`.
        challenges: Vec<HeaderValue>,
    },
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error("the connection to Business Central broke while it listed its companies ({0})")]
    Broken(String),
    #[error("Business Central did not list its companies within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    #[error("Business Central's list of companies can't be read; look whether `base_url` leads to Business Central")]
    Unreadable,
}

impl LookupError {
    /// What a refusal says about the set-up, if anything.
    pub fn trouble(&self) -> Option<&'static Trouble> {
        match self {
            Self::Refused { status, code, .. } => guide::refusal(*status, code.as_deref()),
            Self::Unreachable(_) | Self::Broken(_) | Self::TimedOut(_) | Self::Unreadable => None,
        }
    }

    /// What a refusal wants to see instead, as it was written.
    pub fn challenges(&self) -> &[HeaderValue] {
        match self {
            Self::Refused { challenges, .. } => challenges,
            _ => &[],
        }
    }

    /// Whether the token was not taken.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::UNAUTHORIZED, .. })
    }
}

fn explained(status: StatusCode, code: Option<&str>) -> String {
    guide::refusal(status, code).map_or_else(String::new, |trouble| format!(". {trouble}"))
}

/// Asks for the companies of the environment at `base` (`{base_url}/v2.0/{tenant}/{environment}`).
///
/// An environment has at most 300 companies (BC, "Operational limits"), fewer than one page.
pub async fn look_up(
    http: &Client,
    base: &str,
    authorization: &HeaderValue,
    timeout: Duration,
) -> Result<Vec<Company>, LookupError> {
    let exchange = async {
        let failed = |error| failed(base, error);
        let url = format!("{base}/api/v2.0/companies");
        let mut answer = http.get(&url, authorization).await.map_err(failed)?;
        if answer.status() != StatusCode::OK {
            let status = answer.status();
            let challenges = answer.headers().get_all(WWW_AUTHENTICATE).iter().cloned().collect();
            // The code only explains; the status says enough when it can't be read.
            let body = read(base, &mut answer).await.unwrap_or_default();
            return Err(LookupError::Refused { status, code: error_code(&body), challenges });
        }
        let body = read(base, &mut answer).await?;
        let list: List = serde_json::from_slice(&body).map_err(|_| LookupError::Unreadable)?;
        Ok(list.value.into_iter().filter_map(Entry::into_company).collect())
    };
    tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(LookupError::TimedOut(timeout)))
}

async fn read(base: &str, answer: &mut Answer) -> Result<Vec<u8>, LookupError> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| failed(base, error))? {
        if body.len() + piece.len() > MAX_LIST_BYTES {
            return Err(LookupError::Unreadable);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// The one company meant: by id; by exact name; by name in any case if only one fits; by display name if only one fits.
pub fn find<'c>(companies: &'c [Company], wanted: &CompanyRef) -> Result<&'c Company, MatchError> {
    let name = match wanted {
        CompanyRef::Id(id) => {
            return companies.iter().find(|company| company.id == *id).ok_or_else(|| unknown(companies, wanted));
        }
        CompanyRef::Name(name) => name,
    };
    if let Some(company) = companies.iter().find(|company| company.name == *name) {
        return Ok(company);
    }
    let lower = name.as_str().to_lowercase();
    only(companies, wanted, |company| company.name.as_str().to_lowercase() == lower)
        .or_else(|| only(companies, wanted, |company| company.display_name == name.as_str()))
        .unwrap_or_else(|| Err(unknown(companies, wanted)))
}

fn only<'c>(
    companies: &'c [Company],
    wanted: &CompanyRef,
    fits: impl Fn(&Company) -> bool,
) -> Option<Result<&'c Company, MatchError>> {
    let fitting: Vec<&Company> = companies.iter().filter(|company| fits(company)).collect();
    match fitting.as_slice() {
        [] => None,
        [company] => Some(Ok(company)),
        several => Some(Err(MatchError::Ambiguous {
            wanted: wanted.clone(),
            candidates: several.iter().copied().cloned().collect(),
        })),
    }
}

fn unknown(companies: &[Company], wanted: &CompanyRef) -> MatchError {
    MatchError::Unknown { wanted: wanted.clone(), existing: companies.to_vec() }
}

fn failed(base: &str, error: RequestError) -> LookupError {
    match error {
        RequestError::Connect(error) => {
            let host = base.split('/').nth(2).unwrap_or_default();
            LookupError::Unreachable(Unreachable::business_central(host, &error))
        }
        _ => LookupError::Broken(root_cause(&error)),
    }
}

/// At most 40 names: an error is to be read.
fn list(companies: &[Company]) -> String {
    const SHOWN: usize = 40;
    if companies.is_empty() {
        return "none that this application may see".to_owned();
    }
    let names: Vec<String> =
        companies.iter().take(SHOWN).map(|company| format!("`{}` ({})", company.name, company.id)).collect();
    let more = companies.len().saturating_sub(SHOWN);
    if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
}

#[derive(Deserialize)]
struct List {
    value: Vec<Entry>,
}

/// An entry as Business Central writes it; older versions leave fields out.
#[derive(Deserialize)]
struct Entry {
    id: String,
    name: String,
    #[serde(rename = "displayName", default)]
    display_name: String,
}

impl Entry {
    fn into_company(self) -> Option<Company> {
        Some(Company { id: self.id.parse().ok()?, name: self.name.parse().ok()?, display_name: self.display_name })
    }
}

/// 300 companies take about 150 KiB.
const MAX_LIST_BYTES: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn company(number: u8, name: &str, display_name: &str) -> Company {
        Company {
            id: format!("00000000-0000-0000-0000-0000000000{number:02}").parse().unwrap(),
            name: name.parse().unwrap(),
            display_name: display_name.to_owned(),
        }
    }

    #[test]
    fn the_exact_name_wins_then_any_case_then_the_display_name() {
        let all = [company(1, "cronus", "Shop"), company(2, "CRONUS", "CRONUS Ltd."), company(3, "Mine", "Shop")];
        let find = |text: &str| find(&all, &text.parse().unwrap());
        assert_eq!(find("CRONUS").unwrap(), &all[1]);
        assert_eq!(find("mine").unwrap(), &all[2]);
        assert_eq!(find("CRONUS Ltd.").unwrap(), &all[1]);
        assert_eq!(find("00000000-0000-0000-0000-000000000003").unwrap(), &all[2]);
        assert!(matches!(find("Cronus"), Err(MatchError::Ambiguous { .. })));
        assert!(matches!(find("Shop"), Err(MatchError::Ambiguous { .. })));
    }

    #[test]
    fn an_unknown_company_is_answered_with_those_that_exist() {
        let all = [company(1, "CRONUS", "CRONUS")];
        let text = find(&all, &"Cornus".parse().unwrap()).unwrap_err().to_string();
        assert!(text.contains("no company `Cornus`; this environment has: `CRONUS` (00000000-"), "{text}");
    }
}
