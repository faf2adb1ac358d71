//! An address as a server could read it: an understanding of its own, which the grammar is held against.
//!
//! Two addresses lead to the same resource if they read alike. The reading ignores what makes no difference to
//! a server: needless encoding, extra slashes, case of fixed words, form of a company's key.

use std::iter;

use bcproxy::business_central::Company;
use percent_encoding::percent_decode_str;

/// What an address below the environment asks for.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The service's root: `api/v2.0`, `odatav4`, `ws`; empty for what is none of these, whose path is not looked into.
    pub family: String,
    /// The company its path begins with.
    pub company: Option<Named>,
    /// What follows, decoded.
    pub path: Vec<String>,
    /// Keys and values, decoded.
    pub query: Vec<(String, String)>,
    /// The company its query names, which counts where the path names none.
    in_query: Option<Named>,
    /// Companies named further down the path and in the query.
    pub also_named: Vec<Named>,
    /// Whether its path leads over a set of all companies.
    pub lists_companies: bool,
    /// Whether a condition keeps that list to the company.
    is_retained: bool,
    /// Whether a server that reads more leniently could find another company in the path.
    could_leave: bool,
}

/// A company, as an address names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// The route's.
    Own,
    Other(String),
}

impl PartialEq for Reading {
    /// A condition that keeps a list to the company may stand there several times, or not at all where nothing is to be
    /// kept.
    fn eq(&self, other: &Self) -> bool {
        let told = |reading: &Self| {
            let Self { family, company, in_query, path, query, also_named, .. } = reading.clone();
            // A link that names its company in both places may be sent with the one in the query alone.
            (family, company.or(in_query), path, query, also_named)
        };
        told(self) == told(other)
    }
}

impl Reading {
    /// Reads path and query below the environment.
    pub fn of(address: &str, own: &Company) -> Self {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        Self::of_path(path, own).with_query(query, own)
    }

    /// The same path with another query.
    pub fn with_query(mut self, query: &str, own: &Company) -> Self {
        self.query.clear();
        self.in_query = None;
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let (key, mut value) = (decoded_form(key).trim().to_owned(), decoded_form(value));
            match key.to_ascii_lowercase().as_str() {
                "company" => {
                    let named = Named::of(&unquoted(&value), own);
                    self.in_query.get_or_insert_with(|| named.clone());
                    self.also_named.push(named);
                }
                "$filter" if self.lists_companies => {
                    self.is_retained |= self.strip_conditions(&mut value, own);
                    // Without one, it is as if it were not there.
                    if !value.trim().is_empty() {
                        self.query.push((key, value));
                    }
                }
                _ => self.query.push((key, value)),
            }
        }
        self
    }

    fn of_path(path: &str, own: &Company) -> Self {
        let unread = || Self {
            family: String::new(),
            company: None,
            path: path.split('/').map(decoded).collect(),
            query: Vec::new(),
            in_query: None,
            also_named: Vec::new(),
            lists_companies: false,
            is_retained: false,
            could_leave: false,
        };
        let plain: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let family = plain.first().map(|first| decoded(first).trim().to_ascii_lowercase()).unwrap_or_default();
        let segments: Vec<String> = match family.as_str() {
            "ws" => plain.iter().map(|segment| decoded(segment)).collect(),
            "odatav4" | "api" => match outside_quotes(path) {
                Some(segments) => segments,
                None => return unread(),
            },
            _ => return unread(),
        };
        let roots = match (family.as_str(), segments.get(1)) {
            ("api", None) => return unread(),
            ("api", Some(second)) if is_version(second) => 2,
            ("api", _) if segments.len() >= 4 => 4,
            ("api", _) => return unread(),
            _ => 1,
        };
        let (root, rest) = segments.split_at(roots);
        let names = root.iter().skip(1).map(String::as_str);
        let family = iter::once(family.as_str()).chain(names).collect::<Vec<_>>().join("/");
        let (company, rest) = match family.as_str() {
            "ws" => match soap(rest) {
                Some((company, rest)) => (company.map(|name| Named::of(name, own)), rest),
                None => return unread(),
            },
            _ => match rest.split_first().map(|(first, rest)| (key_of(first), rest)) {
                Some((Some((set, key)), rest)) if set == company_set(&family) => {
                    (Some(Named::of(&company_of_key(&key), own)), rest)
                }
                _ => (None, rest),
            },
        };
        let sets = if family == "ws" { &[][..] } else { &["companies", "automationcompanies", "company"] };
        let in_keys = rest.iter().filter_map(|segment| key_of(segment)).filter(|(set, _)| sets.contains(&set.as_str()));
        let also_named = in_keys.map(|(_, key)| Named::of(&company_of_key(&key), own)).collect();
        let is_list = |segment: &String| {
            let word = segment.trim().to_ascii_lowercase();
            sets.contains(&word.as_str()) && (word == "company") == (family == "odatav4")
        };
        Self {
            company,
            path: rest.iter().enumerate().map(|(location, segment)| in_one_case(&family, location, segment)).collect(),
            query: Vec::new(),
            in_query: None,
            also_named,
            lists_companies: rest.iter().any(is_list),
            is_retained: false,
            could_leave: family != "ws" && could_leave(path, own),
            family,
        }
    }

    /// Takes away the conditions that keep a list to the company, however often they stand there; whether there was
    /// one.
    fn strip_conditions(&self, filter: &mut String, own: &Company) -> bool {
        let condition = match self.family.as_str() {
            "odatav4" => format!("Name eq '{}'", own.name.as_str().replace('\'', "''")),
            _ => format!("id eq {}", own.id),
        };
        let behind = format!(") and {condition}");
        let mut is_retained = false;
        loop {
            if *filter == condition {
                filter.clear();
            } else if let Some(inner) = filter.strip_suffix(&behind).and_then(|rest| rest.strip_prefix('(')) {
                *filter = inner.to_owned();
            } else {
                return is_retained;
            }
            is_retained = true;
        }
    }

    /// Whether nothing in it is of another company than the route's.
    pub fn stays(&self) -> bool {
        let mut named = self.company.iter().chain(&self.also_named);
        let is_own = named.all(|named| *named == Named::Own);
        is_own && !self.could_leave && (!self.lists_companies || self.is_retained)
    }

    /// Whether it says in which company it is, where it has to be in one.
    pub fn has_its_company(&self) -> bool {
        let set =
            self.path.first().map(|first| first.split('(').next().unwrap_or_default().trim().to_ascii_lowercase());
        let needs_none: &[&str] = match self.family.as_str() {
            "" => return true,
            "ws" => &["systemservice"],
            "odatav4" => &["$metadata", "$batch", "company"],
            _ => &[
                "$metadata",
                "$batch",
                "companies",
                "subscriptions",
                "externaleventsubscriptions",
                "externalbusinesseventdefinitions",
                "entitydefinitions",
            ],
        };
        let in_query = self.family != "ws" && self.query_names_a_company();
        self.company.is_some() || in_query || set.is_none_or(|set| needs_none.contains(&set.as_str()))
    }

    fn query_names_a_company(&self) -> bool {
        self.also_named.iter().any(|named| *named != Named::Other(String::new()))
    }

    pub fn has_parameter(&self, wanted: &[&str]) -> bool {
        self.query.iter().any(|(key, _)| wanted.iter().any(|wanted| key.eq_ignore_ascii_case(wanted)))
    }
}

impl Named {
    fn of(name: &str, own: &Company) -> Self {
        let is_own = name.parse() == Ok(own.id) || name.to_lowercase() == own.name.as_str().to_lowercase();
        match name.parse::<bcproxy::business_central::CompanyId>() {
            _ if is_own => Self::Own,
            Ok(id) => Self::Other(id.to_string()),
            Err(_) => Self::Other(name.to_owned()),
        }
    }
}

/// Whether a segment has the name of a set of companies as a word, and something else than the own company after it.
/// Where the segment or its name ends makes no difference here, and neither does a second layer of encoding.
fn could_leave(path: &str, own: &Company) -> bool {
    let sets = ["automationcompanies", "companies", "company"];
    let is_word = |character: char| character.is_alphanumeric() || matches!(character, '_' | '$');
    let strays = |segment: &String| {
        let name = segment.split('\'').next().unwrap_or_default().to_lowercase();
        sets.iter().any(|set| {
            name.match_indices(set).any(|(start, _)| {
                let (before, after) = (&name[..start], &name[start + set.len()..]);
                let is_set = !before.ends_with(is_word) && !after.starts_with(is_word);
                let key = key_of(segment.trim()).filter(|(found, _)| found == set);
                let is_own = key.is_some_and(|(_, key)| Named::of(&company_of_key(&key), own) == Named::Own);
                let is_in_key = before.contains('(');
                is_set && !is_in_key && !is_own && segment.trim().to_lowercase() != *set
            })
        })
    };
    let Some(segments) = outside_quotes(path) else { return true };
    segments.iter().any(|segment| strays(segment) || strays(&decoded(segment)))
}

/// The company of a SOAP address and what follows: it stands before `Page`, `Codeunit`, `Query` and `Services`.
fn soap(segments: &[String]) -> Option<(Option<&str>, &[String])> {
    let is = |segment: &String, words: &[&str]| words.iter().any(|word| segment.eq_ignore_ascii_case(word));
    let (lists, kinds) = (["Services", "SystemService"], ["Page", "Codeunit", "Query"]);
    match segments {
        [only] if is(only, &lists) => Some((None, segments)),
        [company, rest @ ..] if matches!(rest, [only] if is(only, &lists)) => {
            // Which companies there are is the same question in each.
            let company = (!is(&rest[0], &["SystemService"])).then_some(company.as_str());
            Some((company, rest))
        }
        [company, rest @ ..] if matches!(rest, [kind, _, ..] if is(kind, &kinds)) => Some((Some(company), rest)),
        [kind, _, ..] if is(kind, &kinds) => Some((None, segments)),
        _ => None,
    }
}

/// The segments of a path, decoded; a slash in quotes separates nothing. `None` where it can't be told what separates.
fn outside_quotes(path: &str) -> Option<Vec<String>> {
    let raw = path.replace("%27", "'");
    let mut segments = vec![String::new()];
    for (number, piece) in raw.split('\'').enumerate() {
        let is_quoted = number % 2 == 1;
        let piece = if is_quoted { piece.replace('/', "%2F") } else { piece.to_owned() };
        if !is_quoted && ["%2f", "%5c", "\\"].iter().any(|hidden| piece.to_ascii_lowercase().contains(hidden)) {
            return None;
        }
        if number > 0 {
            segments.last_mut()?.push('\'');
        }
        let mut parts = piece.split('/');
        segments.last_mut()?.push_str(parts.next()?);
        segments.extend(parts.map(str::to_owned));
    }
    let is_closed = raw.matches('\'').count() % 2 == 0;
    is_closed.then(|| segments.iter().filter(|segment| !segment.is_empty()).map(|segment| decoded(segment)).collect())
}

/// `set(key)`, the set in lower case.
fn key_of(segment: &str) -> Option<(String, String)> {
    let (set, key) = segment.trim_end().strip_suffix(')')?.split_once('(')?;
    Some((set.trim().to_ascii_lowercase(), key.trim().to_owned()))
}

/// The company of `{guid}`, `id={guid}`, `'Name'`, `name='Name'`.
fn company_of_key(key: &str) -> String {
    let value = match key.split_once('=') {
        Some((field, value)) if ["id", "name"].contains(&field.trim().to_ascii_lowercase().as_str()) => value,
        _ => key,
    };
    unquoted(value.trim())
}

fn company_set(family: &str) -> &'static str {
    if family == "odatav4" { "company" } else { "companies" }
}

fn unquoted(text: &str) -> String {
    match text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => text.to_owned(),
    }
}

/// The words that are fixed are the same in every case.
fn in_one_case(family: &str, location: usize, segment: &str) -> String {
    let word = segment.trim();
    let is_fixed = word.starts_with('$') || family == "ws" && location == 0;
    // A batch is sent without the spaces that may stand around its word.
    if is_fixed { word.to_ascii_lowercase() } else { segment.to_owned() }
}

fn is_version(segment: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = |text: &str| text.split_once('.').is_some_and(|(major, minor)| number(major) && number(minor));
    let lower = segment.to_ascii_lowercase();
    lower == "beta" || lower.strip_prefix('v').is_some_and(numbers)
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// As in a query, where a plus is a space.
fn decoded_form(text: &str) -> String {
    decoded(&text.replace('+', " "))
}
