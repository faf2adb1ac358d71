//! The companies of an environment: look-up and matching.
//!
//! Source: Business Central, "API endpoint structure" and "Get companies".

use std::time::Duration;

use hyper::header::HeaderValue;
use serde::Deserialize;

use crate::outbound::HttpClient;

use super::inquiry::{self, LookupError};
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

/// Asks for the companies of the environment at `base` (`{base_url}/v2.0/{tenant}/{environment}`).
///
/// An environment has at most 300 companies (BC, "Operational limits"), fewer than one page.
pub async fn look_up(
    http: &HttpClient,
    base: &str,
    authorization: &HeaderValue,
    timeout: Duration,
) -> Result<Vec<Company>, LookupError> {
    read_list(&inquiry::get(http, &list_url(base), ITS_COMPANIES, authorization, timeout).await?)
}

/// Where the companies of the environment at `base` are listed.
pub fn list_url(base: &str) -> String {
    format!("{base}/api/v2.0/companies")
}

/// The companies in Business Central's answer.
pub fn read_list(body: &[u8]) -> Result<Vec<Company>, LookupError> {
    let list: List = serde_json::from_slice(body).map_err(|_| LookupError::Unreadable { what: ITS_COMPANIES })?;
    Ok(list.value.into_iter().filter_map(Entry::into_company).collect())
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

/// What is asked for, as errors name it.
pub const ITS_COMPANIES: &str = "its companies";

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
