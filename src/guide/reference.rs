//! All known errors, and the page `docs/errors.md` made from them.

use std::fmt;

use super::{KnownError, RejectionCode, Retry, Step, business_central, entra, http_status};
use crate::markdown::wrapped;

/// A known error with the codes it is known by.
pub struct KnownCodes {
    /// `AADSTS7000215`, `404 NoEnvironment`, `429 Proxy_Busy`.
    pub codes: Vec<String>,
    /// The service that sends it.
    pub sender: Sender,
    /// What it means.
    pub error: &'static KnownError,
}

/// The service that sends an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    Entra,
    BusinessCentral,
    Bcproxy,
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Entra => "Entra",
            Self::BusinessCentral => "Business Central",
            Self::Bcproxy => "bcproxy",
        })
    }
}

/// The reference of errors in Markdown: the set-up's in the order of its steps, bcproxy's own, and the statuses.
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    for step in Step::ALL.map(Some).into_iter().chain([None]) {
        let errors = of_step(step);
        if errors.is_empty() {
            continue;
        }
        let heading = match step {
            Some(step) => format!("[{}. {}](setup.md#{})", step.number(), step.title(), step.anchor()),
            None => "Not caused by the set-up".to_owned(),
        };
        page += &format!("\n## {heading}\n");
        page.extend(errors.iter().map(|(codes, error)| section(codes, error)));
    }
    page += &format!("\n## Error responses of bcproxy itself\n\n{}", wrapped(OWN_CODES, "", ""));
    page.extend(own().map(|KnownCodes { codes, error, .. }| section(&codes, error)));
    page += &format!("\n## Statuses\n\n{}", wrapped(STATUSES, "", ""));
    page.extend(http_status::all().map(|(status, text)| format!("\n### {status}\n\n{}", wrapped(text, "", ""))));
    page
}

/// All known errors.
pub fn known() -> impl Iterator<Item = KnownCodes> {
    of_services().chain(own())
}

/// Those of Entra and Business Central.
fn of_services() -> impl Iterator<Item = KnownCodes> {
    let of_entra = entra::all().map(|(codes, error)| KnownCodes {
        codes: codes.iter().map(|code| format!("AADSTS{code}")).collect(),
        sender: Sender::Entra,
        error,
    });
    let of_business_central =
        |code: String, error| KnownCodes { codes: vec![code], sender: Sender::BusinessCentral, error };
    let missing_role =
        of_business_central("401 (and no roles in the token)".to_owned(), &business_central::MISSING_ROLE);
    let others = business_central::all().map(move |entry| {
        let status = entry.status.map(|status| status.as_u16().to_string());
        let code = entry.code.map(ToOwned::to_owned);
        let both: Vec<String> = status.into_iter().chain(code).collect();
        of_business_central(both.join(" "), &entry.error)
    });
    of_entra.chain([missing_role]).chain(others)
}

/// Those of bcproxy itself.
fn own() -> impl Iterator<Item = KnownCodes> {
    RejectionCode::ALL.iter().map(|code| KnownCodes {
        codes: code.statuses().iter().map(|status| format!("{} {}", status.as_u16(), code.as_str())).collect(),
        sender: Sender::Bcproxy,
        error: code.explanation(),
    })
}

/// The services' errors of one step. An error that has several codes appears once.
fn of_step(step: Option<Step>) -> Vec<(Vec<String>, &'static KnownError)> {
    let mut errors: Vec<(Vec<String>, &KnownError)> = Vec::new();
    for KnownCodes { codes, error, .. } in of_services().filter(|known| known.error.step == step) {
        match errors.iter_mut().find(|(_, known)| *known == error) {
            Some((known_codes, _)) => known_codes.extend(codes),
            None => errors.push((codes, error)),
        }
    }
    errors
}

fn section(codes: &[String], error: &KnownError) -> String {
    let retry = match error.retry {
        Retry::AfterFix => "after the fix.",
        Retry::AfterPropagation => "after the fix. Microsoft may need some minutes to apply it.",
        Retry::Automatic => "bcproxy retries automatically.",
        Retry::ByClient => "the client may send the request again, after `Retry-After` if there is one.",
    };
    let label = if codes.len() == 1 { "Code" } else { "Codes" };
    let codes = wrapped(&format!("{label}: {}", codes.join(", ")), "", "");
    format!("\n### {}\n\n{codes}\n{}\nRetry: {retry}\n", error.meaning, wrapped(error.fix, "", ""))
}

const INTRODUCTION: &str = "# Errors and what they mean

Microsoft Entra and Business Central return the errors below when a step of [the set-up](setup.md) is missing or wrong.
`bcproxy doctor` finds the step for you. bcproxy's error responses and its log use the same texts. After them come
[bcproxy's own codes](#error-responses-of-bcproxy-itself) and [the HTTP statuses](#statuses). `bcproxy errors CODE`
explains one code or status. This page is generated by `bcproxy errors --markdown`.
";

const OWN_CODES: &str = "An error response with one of these codes comes from bcproxy, not from Business Central. Its \
    message says what happened and what to do. Clients find the code in `error.code` of the JSON, or in the detail of \
    the SOAP fault. SOAP clients get every error with status 500.";

const STATUSES: &str = "What a client may get, which service sends it, and why. Each response of bcproxy itself has a \
    code that begins with `Proxy_`. All others are Business Central's, forwarded unchanged. Entra never responds to \
    clients.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown::COLUMNS;

    #[test]
    fn every_error_consists_of_short_sentences() {
        for KnownCodes { error, .. } in known() {
            let text = error.to_string();
            assert!(error.meaning.starts_with(|first: char| first.is_uppercase() || first == '`'), "{text}");
            assert!(!error.meaning.ends_with('.'), "{text}");
            assert!(error.fix.starts_with(char::is_uppercase) && error.fix.ends_with('.'), "{text}");
            assert!(!text.contains("  "), "{text}");
            for sentence in text.split(". ") {
                assert!(sentence.split_whitespace().count() <= 25, "{sentence}");
            }
        }
    }

    #[test]
    fn the_page_has_every_code_once_and_no_long_line() {
        let page = reference();
        assert!(page.lines().all(|line| line.chars().count() <= COLUMNS), "{page}");
        let codes: Vec<String> = known().flat_map(|known| known.codes).collect();
        let listed: Vec<&str> = page
            .split("\n\n")
            .filter_map(|paragraph| paragraph.split_once(": ").filter(|(label, _)| ["Code", "Codes"].contains(label)))
            .flat_map(|(_, codes)| codes.split([',', '\n']).map(str::trim))
            .collect();
        for code in codes {
            assert_eq!(listed.iter().filter(|one| **one == code).count(), 1, "{code}");
        }
    }
}
