//! The companies of an environment: looking them up and finding the configured one.
//!
//! Source: Business Central, "API endpoint structure" and "Get companies".

use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;
use serde::Deserialize;
use serde_json::Value;

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

/// The list of companies of an environment, as far as its pages have been read.
#[derive(Debug)]
pub struct CompanyPages {
    url: String,
    /// The query of the next page; `None` when all are read.
    next: Option<String>,
    /// The companies of all pages added.
    pub companies: Vec<Company>,
    pages_left: usize,
}

impl CompanyPages {
    /// The list of the environment at `base` (`{base_url}/v2.0/{tenant}/{environment}`), nothing of it read.
    pub fn of(base: &str) -> Self {
        let url = format!("{base}/api/v2.0/companies");
        Self { url, next: Some(String::new()), companies: Vec::new(), pages_left: MAX_PAGES }
    }

    /// The URL of the next page.
    pub fn next_url(&self) -> Option<String> {
        self.next.as_ref().map(|query| format!("{}{query}", self.url))
    }

    /// Adds Business Central's response for that URL. Companies without a valid id and name can't be named: they are
    /// skipped.
    pub fn add(&mut self, body: &[u8]) -> Result<(), LookupError> {
        let unreadable = LookupError::Unreadable { what: COMPANY_LIST };
        let page: Page = serde_json::from_slice(body).map_err(|_| unreadable.clone())?;
        let company = |entry| {
            let Entry { id, name, display_name } = Entry::deserialize(entry).ok()?;
            Some(Company {
                id: id.parse().ok()?,
                name: name.parse().ok()?,
                display_name: display_name.unwrap_or_default(),
            })
        };
        self.companies.extend(page.value.into_iter().filter_map(company));
        self.pages_left = self.pages_left.checked_sub(1).ok_or(unreadable)?;
        // Only the query: the token goes to no other address than the environment's.
        self.next = page.next_link.and_then(|link| Some(format!("?{}", link.split_once('?')?.1)));
        Ok(())
    }
}

/// Looks up the companies of the environment at `base` (`{base_url}/v2.0/{tenant}/{environment}`).
pub async fn look_up(
    http: &HttpClient,
    base: &str,
    authorization: &HeaderValue,
    timeout: Duration,
) -> Result<Vec<Company>, LookupError> {
    let mut pages = CompanyPages::of(base);
    while let Some(url) = pages.next_url() {
        pages.add(&lookup::get(http, &url, COMPANY_LIST, authorization, timeout).await?)?;
    }
    Ok(pages.companies)
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
struct Page {
    value: Vec<Value>,
    #[serde(rename = "@odata.nextLink", default)]
    next_link: Option<String>,
}

/// An entry as Business Central writes it; older versions leave out the display name.
#[derive(Deserialize)]
struct Entry {
    id: String,
    name: String,
    #[serde(rename = "displayName", default)]
    display_name: Option<String>,
}

/// The subject of the look-up, for errors.
pub const COMPANY_LIST: &str = "its companies";

/// An environment has at most 300 companies (BC, "Operational limits"), which mostly fit on one page.
const MAX_PAGES: usize = 300;

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
    fn a_company_that_cannot_be_named_leaves_the_others_and_all_pages_are_read() {
        let mut pages = CompanyPages::of("https://bc.test/v2.0/t/Production");
        assert_eq!(pages.next_url().unwrap(), "https://bc.test/v2.0/t/Production/api/v2.0/companies");
        let id = |number| format!("00000000-0000-0000-0000-00000000000{number}");
        let first = serde_json::json!({
            "value": [
                { "id": id(1) }, { "id": id(2), "name": null }, { "id": id(3), "name": 5 }, { "id": "x", "name": "A" }, null,
                { "id": id(4), "name": "B", "displayName": null }, { "id": id(5), "name": "C" },
            ],
            "@odata.nextLink": "https://evil.test/v2.0/t/Production/api/v2.0/companies?$skiptoken=a%3Fb",
        });
        pages.add(first.to_string().as_bytes()).unwrap();
        let next = "https://bc.test/v2.0/t/Production/api/v2.0/companies?$skiptoken=a%3Fb";
        assert_eq!(pages.next_url().unwrap(), next, "the token stays with the environment's address");
        pages.add(format!(r#"{{"value":[{{"id":"{}","name":"D"}}]}}"#, id(6)).as_bytes()).unwrap();
        assert_eq!(pages.next_url(), None);
        let names: Vec<_> = pages.companies.iter().map(|company| company.name.to_string()).collect();
        assert_eq!(names, ["B", "C", "D"]);
    }

    #[test]
    fn a_list_that_never_ends_is_an_error() {
        let mut pages = CompanyPages::of("https://bc.test");
        let again = br#"{"value":[],"@odata.nextLink":"https://bc.test/companies?page=1"}"#;
        let read = (0..).take_while(|_| pages.add(again).is_ok()).count();
        assert_eq!(read, MAX_PAGES);
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
