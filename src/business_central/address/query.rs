//! A query, kept as it was written, and the few parameters of it that choose a company or a tenant.

use percent_encoding::percent_decode_str;

use super::super::path::{encode_segment, fit};
use super::AddressError;
use super::place::unquote;

/// A query as the client wrote it, fit for an address; `None` when there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query(Option<String>);

impl Query {
    pub fn new(raw: Option<&str>) -> Self {
        Self(raw.map(fit))
    }

    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The values of `company=`, decoded and without quotes.
    pub fn companies(&self) -> impl Iterator<Item = String> + '_ {
        self.values("company").map(|value| unquote(&value))
    }

    /// Whether it names a tenant on its own account. A nextLink names one too, beside its place in the pages: that one is Business Central's.
    pub fn names_tenant(&self) -> bool {
        self.values("tenant").next().is_some() && !self.keeps_place()
    }

    /// Whether it says where in the pages it goes on. Business Central writes these keys plainly: what only resembles one lets nothing pass.
    fn keeps_place(&self) -> bool {
        let mut parameters = self.0.iter().flat_map(|query| query.split('&'));
        parameters.any(|parameter| {
            let key = percent_decode_str(parameter.split('=').next().unwrap_or_default()).decode_utf8_lossy();
            ["aid", "$skiptoken"].iter().any(|own| key.eq_ignore_ascii_case(own))
        })
    }

    /// Leaves a parameter out.
    pub fn without(&self, key: &str) -> Self {
        self.edited(|parameter| (key_of(parameter) != key).then(|| parameter.to_owned()))
    }

    /// Has `company=` name this company, where it names one.
    pub fn with_company(&self, name: &str) -> Self {
        self.edited(|parameter| match parameter.split_once('=') {
            Some((key, value)) if key_of(parameter) == "company" => {
                let quoted = decoded(value).starts_with('\'');
                let name = if quoted { format!("'{}'", name.replace('\'', "''")) } else { name.to_owned() };
                Some(format!("{key}={}", encode_segment(&name)))
            }
            _ => Some(parameter.to_owned()),
        })
    }

    /// Adds a condition to `$filter`, which can't be got round by what the client wrote there.
    pub fn with_condition(&self, condition: &str) -> Result<Self, AddressError> {
        if self.values(FILTER).any(|filter| !closes(&filter)) {
            return Err(AddressError::OpenFilter);
        }
        if self.values(FILTER).all(|filter| filter.trim().is_empty()) {
            return Ok(self.without(FILTER).with(FILTER, condition));
        }
        Ok(self.edited(|parameter| match parameter.split_once('=') {
            Some((key, value)) if key_of(parameter) == FILTER => {
                Some(format!("{key}=({value})%20and%20{}", encode_segment(condition)))
            }
            _ => Some(parameter.to_owned()),
        }))
    }

    /// Adds a parameter with a value that is encoded here.
    pub fn with(&self, key: &str, value: &str) -> Self {
        let added = format!("{key}={}", encode_segment(value));
        match self.as_str().filter(|query| !query.is_empty()) {
            Some(query) => Self(Some(format!("{query}&{added}"))),
            None => Self(Some(added)),
        }
    }

    /// Keys as a server reads them, and decoded values.
    pub fn parameters(&self) -> impl Iterator<Item = (String, String)> + '_ {
        let parameters = self.0.iter().flat_map(|query| query.split('&')).filter(|parameter| !parameter.is_empty());
        parameters.map(|parameter| {
            let value = parameter.split_once('=').map_or_else(String::new, |(_, value)| decoded(value));
            (key_of(parameter), value)
        })
    }

    fn edited(&self, edit: impl Fn(&str) -> Option<String>) -> Self {
        let Some(query) = &self.0 else { return Self(None) };
        let parameters: Vec<String> = query.split('&').filter_map(edit).collect();
        Self((!parameters.is_empty()).then(|| parameters.join("&")))
    }

    fn values(&self, wanted: &'static str) -> impl Iterator<Item = String> + '_ {
        self.parameters().filter(move |(key, _)| key == wanted).map(|(_, value)| value)
    }
}

/// Whether every parenthesis and quote of an expression closes, and none closes that it did not open.
fn closes(expression: &str) -> bool {
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

const FILTER: &str = "$filter";

/// A parameter's key as a server reads it: decoded, in lower case.
fn key_of(parameter: &str) -> String {
    decoded(parameter.split('=').next().unwrap_or_default()).trim().to_ascii_lowercase()
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_about_stays_as_it_was() {
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
    fn a_condition_holds_whatever_the_client_filters_by() {
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
            assert_eq!(with(Some(query)), Err(AddressError::OpenFilter), "{query}");
        }
    }

    #[test]
    fn a_tenant_beside_a_place_in_the_pages_is_business_centrals_own() {
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
