//! The companies of an environment: looking them up and finding the configured one.
//!
//! Source: Business Central, "API endpoint structure" and "Get companies".

use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;
use serde::Deserialize;

use crate::outbound::HttpClient;

use super::lookup::{self, LookupError};
use super::names::{CompanyId, CompanyName, CompanyRef};

/// A company of Business Central.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// Immutable; API addresses contain it.
    pub id: CompanyId,
    /// The technical name; ODataV4 and SOAP addresses contain it.
    pub name: CompanyName,
    /// The name on documents, which may differ.
    pub display_name: String,
}

/// Why a configured company can't be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatchError {
    /// No company has this name or id.
    #[error("there is no company `{wanted}`; this environment has: {}", list(.existing))]
    Unknown {
        /// The company in the configuration or the request.
        wanted: CompanyRef,
        /// All companies of the environment.
        existing: Vec<Company>,
    },
    /// The name fits several companies.
    #[error("`{wanted}` matches more than one company: {}; use the id instead", list(.candidates))]
    Ambiguous {
        /// The company in the configuration or the request.
        wanted: CompanyRef,
        /// The companies it matches.
        candidates: Vec<Company>,
    },
}

impl Company {
    /// Whether a text is this company's id, or its name in any case.
    ///
    /// Business Central distinguishes names by case. But bcproxy builds each address with Business Central's own
    /// spelling.
    pub fn is_named(&self, text: &str) -> bool {
        let name = self.name.as_str();
        name == text || text.parse() == Ok(self.id) || name.to_lowercase() == text.to_lowercase()
    }
}

/// The names of these companies, for a message that puts backticks around the whole.
pub fn join_names(companies: &[Arc<Company>]) -> String {
    let names: Vec<&str> = companies.iter().map(|company| company.name.as_str()).collect();
    names.join("`, `")
}

/// Looks up the companies of the environment at `base` (`{base_url}/v2.0/{tenant}/{environment}`).
///
/// An environment has at most 300 companies (BC, "Operational limits"), which fit on one page.
pub async fn look_up(
    http: &HttpClient,
    base: &str,
    authorization: &HeaderValue,
    timeout: Duration,
) -> Result<Vec<Company>, LookupError> {
    parse_list(&lookup::get(http, &list_url(base), COMPANY_LIST, authorization, timeout).await?)
}

/// The URL of the list of companies of the environment at `base`.
pub fn list_url(base: &str) -> String {
    format!("{base}/api/v2.0/companies")
}

/// Parses Business Central's response; entries without a valid id and name are skipped.
pub fn parse_list(body: &[u8]) -> Result<Vec<Company>, LookupError> {
    let list: List = serde_json::from_slice(body).map_err(|_| LookupError::Unreadable { what: COMPANY_LIST })?;
    Ok(list.value.into_iter().filter_map(Entry::into_company).collect())
}

/// Finds a company by id, exact name, name in any case, or display name, in this order; the last two must match only
/// one.
pub fn find<'c>(companies: &'c [Company], wanted: &CompanyRef) -> Result<&'c Company, MatchError> {
    let unknown = || MatchError::Unknown { wanted: wanted.clone(), existing: companies.to_vec() };
    let name = match wanted {
        CompanyRef::Id(id) => return companies.iter().find(|company| company.id == *id).ok_or_else(unknown),
        CompanyRef::Name(name) => name,
    };
    if let Some(company) = companies.iter().find(|company| company.name == *name) {
        return Ok(company);
    }
    let lower = name.as_str().to_lowercase();
    let mut candidates: Vec<&Company> =
        companies.iter().filter(|company| company.name.as_str().to_lowercase() == lower).collect();
    if candidates.is_empty() {
        candidates = companies.iter().filter(|company| company.display_name == name.as_str()).collect();
    }
    match candidates.as_slice() {
        [] => Err(unknown()),
        [company] => Ok(company),
        several => Err(MatchError::Ambiguous {
            wanted: wanted.clone(),
            candidates: several.iter().copied().cloned().collect(),
        }),
    }
}

/// A readable list: at most 40 names.
fn list(companies: &[Company]) -> String {
    const SHOWN: usize = 40;
    if companies.is_empty() {
        return "none that this application can see".to_owned();
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

/// An entry as Business Central writes it; older versions leave out the display name.
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

/// The subject of the look-up, for errors.
pub const COMPANY_LIST: &str = "its companies";

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
    fn the_error_for_an_unknown_company_lists_the_existing_ones() {
        let all = [company(1, "CRONUS", "CRONUS")];
        let text = find(&all, &"Cornus".parse().unwrap()).unwrap_err().to_string();
        assert!(text.contains("no company `Cornus`; this environment has: `CRONUS` (00000000-"), "{text}");
    }
}
