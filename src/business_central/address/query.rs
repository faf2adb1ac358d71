//! The query of an address: left as written, except for parameters that select a company or a tenant.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::AddressError;
use super::literal::{double_apostrophes, unquote};
use crate::business_central::path::{encode_illegal, encode_segment};

/// The client's query, with characters encoded that an address can't contain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// `None` if there is none.
    text: Option<String>,
    /// Which of [`SPECIAL`] occur in it. Few queries have any, and each is asked for several times.
    special: [bool; SPECIAL.len()],
}

/// The keys of parameters that select something besides the data, in lower case.
const SPECIAL: [&str; 4] = ["company", "tenant", "$id", "id"];

/// Splits an address into path and query, both raw.
///
/// A `#` doesn't end them: in the addresses of old clients, a raw `#` is part of a name.
pub fn split_query(address: &str) -> (&str, Option<&str>) {
    address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)))
}

impl Query {
    pub fn new(raw: Option<&str>) -> Self {
        Self::of(raw.map(encode_illegal))
    }

    fn of(text: Option<String>) -> Self {
        let mut special = [false; SPECIAL.len()];
        for parameter in text.iter().flat_map(|query| query.split('&')) {
            let key = comparable_key(parameter);
            for (occurs, known) in special.iter_mut().zip(SPECIAL) {
                *occurs |= key.eq_ignore_ascii_case(known);
            }
        }
        Self { text, special }
    }

    pub fn as_str(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The values of `company=`, decoded and without quotes.
    pub fn companies(&self) -> impl Iterator<Item = String> + '_ {
        self.values("company").map(|value| unquote(&value))
    }

    /// The addresses in `$id`, decoded (OData URL Conventions 4.01, section 5.1.7). The `$` may be left out.
    pub fn ids(&self) -> impl Iterator<Item = String> + '_ {
        self.values("$id").chain(self.values("id"))
    }

    /// Whether an expression begins at the root of the service, outside any company (OData URL Conventions 4.01,
    /// `$root`). In quotes, it is a text.
    pub fn refers_to_root(&self) -> bool {
        let Some(query) = self.as_str() else { return false };
        // Most queries are plain, and need no copy.
        (query.contains('%') || names_root(query))
            && query.split('&').map(value_of).any(|value| value.split('\'').step_by(2).any(names_root))
    }

    /// Whether the client selects a tenant. Business Central itself adds one to a nextLink, beside the paging position.
    pub fn names_tenant(&self) -> bool {
        self.values("tenant").next().is_some() && !self.has_paging_position()
    }

    /// Whether it contains a paging position, under exactly the keys that Business Central writes.
    fn has_paging_position(&self) -> bool {
        let mut parameters = self.text.iter().flat_map(|query| query.split('&'));
        parameters.any(|parameter| {
            let key = percent_decode_str(parameter.split('=').next().unwrap_or_default()).decode_utf8_lossy();
            ["aid", "$skiptoken"].iter().any(|own| key.eq_ignore_ascii_case(own))
        })
    }

    /// Without this parameter.
    pub fn without(&self, key: &str) -> Self {
        self.edited(|parameter| (key_of(parameter) != key).then(|| parameter.to_owned()))
    }

    /// With the value of `company=`, if present, replaced by this name.
    pub fn with_company(&self, name: &str) -> Self {
        self.with_values("company", |value| {
            let quoted = decoded(value).starts_with('\'');
            let name = if quoted { format!("'{}'", double_apostrophes(name)) } else { name.to_owned() };
            encode_segment(&name).to_string()
        })
    }

    /// With a condition added to `$filter`, which nothing in the client's filter can bypass.
    pub fn with_condition(&self, condition: &str) -> Result<Self, AddressError> {
        if self.values(FILTER).any(|filter| !is_balanced(&filter)) {
            return Err(AddressError::UnbalancedFilter);
        }
        if self.values(FILTER).all(|filter| filter.trim().is_empty()) {
            return Ok(self.without(FILTER).with(FILTER, condition));
        }
        Ok(self.with_values(FILTER, |filter| format!("({filter})%20and%20{}", encode_segment(condition))))
    }

    /// With a parameter added; the value is encoded here.
    pub fn with(&self, key: &str, value: &str) -> Self {
        let added = format!("{key}={}", encode_segment(value));
        match self.as_str().filter(|query| !query.is_empty()) {
            Some(query) => Self::of(Some(format!("{query}&{added}"))),
            None => Self::of(Some(added)),
        }
    }

    /// Normalized keys and decoded values.
    pub fn parameters(&self) -> impl Iterator<Item = (String, String)> + '_ {
        let parameters = self.text.iter().flat_map(|query| query.split('&')).filter(|parameter| !parameter.is_empty());
        parameters.map(|parameter| (key_of(parameter), value_of(parameter)))
    }

    /// With the raw values of a parameter replaced.
    fn with_values(&self, wanted: &str, replacement: impl Fn(&str) -> String) -> Self {
        self.edited(|parameter| match parameter.split_once('=') {
            Some((key, value)) if key_of(parameter) == wanted => Some(format!("{key}={}", replacement(value))),
            _ => Some(parameter.to_owned()),
        })
    }

    fn edited(&self, edit: impl Fn(&str) -> Option<String>) -> Self {
        let Some(query) = &self.text else { return Self::default() };
        let parameters: Vec<String> = query.split('&').filter_map(edit).collect();
        Self::of((!parameters.is_empty()).then(|| parameters.join("&")))
    }

    fn values(&self, wanted: &'static str) -> impl Iterator<Item = String> + '_ {
        let may_occur = SPECIAL.iter().zip(self.special).all(|(key, occurs)| occurs || *key != wanted);
        let parameters = self.text.iter().filter(move |_| may_occur).flat_map(|query| query.split('&'));
        parameters.filter(move |parameter| has_key(parameter, wanted)).map(value_of)
    }
}

/// Whether an expression's parentheses and quotes are balanced.
fn is_balanced(expression: &str) -> bool {
    let (mut depth, mut quoted) = (0_usize, false);
    for character in expression.chars() {
        match character {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => return false,
            },
            _ => {}
        }
    }
    depth == 0 && !quoted
}

fn names_root(text: &str) -> bool {
    let is_root = |at: usize| text.get(at..at + 5).is_some_and(|name| name.eq_ignore_ascii_case("$root"));
    memchr::memchr_iter(b'$', text.as_bytes()).any(is_root)
}

const FILTER: &str = "$filter";

/// A parameter's key, normalized as a server does: decoded, in lower case.
fn key_of(parameter: &str) -> String {
    decoded(parameter.split('=').next().unwrap_or_default()).trim().to_ascii_lowercase()
}

/// A parameter's key, to be compared without regard to case. Most keys are plain, and need no copy.
fn comparable_key(parameter: &str) -> Cow<'_, str> {
    let end = memchr::memchr(b'=', parameter.as_bytes()).unwrap_or(parameter.len());
    let key = parameter.get(..end).unwrap_or_default();
    match key.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'%' | b'+')) {
        true => Cow::Borrowed(key),
        false => Cow::Owned(key_of(parameter)),
    }
}

/// Whether a parameter has this normalized key.
fn has_key(parameter: &str, wanted: &str) -> bool {
    comparable_key(parameter).eq_ignore_ascii_case(wanted)
}

/// A parameter's value, decoded.
fn value_of(parameter: &str) -> String {
    parameter.split_once('=').map_or_else(String::new, |(_, value)| decoded(value))
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_parameters_are_unchanged() {
        let query = Query::new(Some("$filter=a%20eq%20'b+c'&company='Old%20one'&x=%2f"));
        assert_eq!(query.companies().collect::<Vec<_>>(), ["Old one"]);
        assert_eq!(
            query.with_company("O'Neil").as_str(),
            Some("$filter=a%20eq%20'b+c'&company=%27O%27%27Neil%27&x=%2f")
        );
        assert_eq!(query.without("company").as_str(), Some("$filter=a%20eq%20'b+c'&x=%2f"));
        assert_eq!(Query::new(Some("company=1")).without("company").as_str(), None);
    }

    #[test]
    fn no_client_filter_bypasses_the_condition() {
        let with = |query| Query::new(query).with_condition("id eq 1").map(|query| query.as_str().map(str::to_owned));
        for (query, confined) in [
            (None, "$filter=id%20eq%201"),
            (Some("$filter="), "$filter=id%20eq%201"),
            (Some("$top=1"), "$top=1&$filter=id%20eq%201"),
            (Some("%24Filter=a+eq+')'"), "%24Filter=(a+eq+')')%20and%20id%20eq%201"),
            (Some("$filter=(a eq 1)&$top=2"), "$filter=((a%20eq%201))%20and%20id%20eq%201&$top=2"),
            (Some("$filter=a&$filter=b"), "$filter=(a)%20and%20id%20eq%201&$filter=(b)%20and%20id%20eq%201"),
        ] {
            assert_eq!(with(query), Ok(Some(confined.to_owned())));
        }
        for query in ["$filter=true) or (true", "$filter=a eq 'x", "$filter=(a", "$filter=true%29%20or%20%28true"] {
            assert_eq!(with(Some(query)), Err(AddressError::UnbalancedFilter), "{query}");
        }
    }

    #[test]
    fn an_expression_from_the_root_is_found_outside_quotes() {
        for (query, refers) in [
            ("$filter=id eq $root/companies(1)/id", true),
            ("$top=1&$orderby=%24RooT/x", true),
            ("$filter=name eq 'a' or id eq $ROOT/x", true),
            ("$filter=name eq '$root/x'", false),
            ("$filter=name eq 'it''s $root'", false),
            ("$root=1&$skip=2", false),
            ("$filter=root eq 1", false),
        ] {
            assert_eq!(Query::new(Some(query)).refers_to_root(), refers, "{query}");
        }
    }

    #[test]
    fn only_a_tenant_beside_a_paging_position_is_business_centrals_own() {
        assert!(Query::new(Some("Tenant=x")).names_tenant());
        assert!(Query::new(Some("%74enant=x")).names_tenant());
        assert!(!Query::new(Some("tenant=x&aid=FIN&$skiptoken=1")).names_tenant());
        assert!(!Query::new(Some("tenant=x&%24skiptoken=1")).names_tenant());
        for resembling in ["tenant=x&$skiptoken+=1", "tenant=x&aid%20=FIN", "+tenant=x&skiptoken=1"] {
            assert!(Query::new(Some(resembling)).names_tenant(), "{resembling}");
        }
        assert!(!Query::new(None).names_tenant());
    }
}
