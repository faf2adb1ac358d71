//! Filters of `ReadMultiple`: the subset of Business Central's filter language that legacy clients use.

use serde_json::Value;

use super::envelope::SoapFault;

/// A filter on a field: a value, a value with `*` wildcards, or a range.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Criteria {
    Any,
    Exact(String),
    /// The parts between the wildcards.
    Wildcard(Vec<String>),
    Range(Option<String>, Option<String>),
}

impl Criteria {
    pub fn parse(text: &str) -> Result<Self, SoapFault> {
        if text.is_empty() {
            return Ok(Self::Any);
        }
        if let Some(quoted) = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
            return Ok(Self::Exact(quoted.replace("''", "'")));
        }
        if text.contains(['|', '&', '<', '>', '=', '@', '?', '(', ')']) {
            return Err(SoapFault::Filter(text.to_owned()));
        }
        if let Some((from, to)) = text.split_once("..") {
            let bound = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            return Ok(Self::Range(bound(from), bound(to)));
        }
        if text.contains('*') {
            return Ok(Self::Wildcard(text.split('*').map(str::to_owned).collect()));
        }
        Ok(Self::Exact(text.to_owned()))
    }

    pub fn holds(&self, value: &Value) -> bool {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match self {
            Self::Any => true,
            Self::Exact(text) => compare(&value, text).is_eq(),
            Self::Wildcard(parts) => matches_parts(&value, parts),
            Self::Range(from, to) => {
                from.as_ref().is_none_or(|from| compare(&value, from).is_ge())
                    && to.as_ref().is_none_or(|to| compare(&value, to).is_le())
            }
        }
    }
}

/// Compares numbers by value, and other texts by their characters.
fn compare(one: &str, other: &str) -> std::cmp::Ordering {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(number), Ok(other_number)) => number.total_cmp(&other_number),
        _ => one.cmp(other),
    }
}

/// Whether the value starts with the first part, ends with the last, and contains the others in order between them.
fn matches_parts(value: &str, parts: &[String]) -> bool {
    let [first, middle @ .., last] = parts else {
        return false;
    };
    let Some(mut rest) = value.strip_prefix(first.as_str()) else {
        return false;
    };
    for part in middle {
        match rest.split_once(part.as_str()) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn criteria_are_values_wildcards_and_ranges() {
        for (criteria, value, expected) in [
            ("", "x", true),
            ("10000", "10000", true),
            ("10000", "100000", false),
            ("10000..20000", "9999", false),
            ("10000..20000", "20000", true),
            ("..B", "A", true),
            ("B..", "A", false),
            ("Mü*", "Müller", true),
            ("*er", "Müller", true),
            ("*ll*", "Müller", true),
            ("M*l*r", "Müller", true),
            ("ab*ba", "aba", false),
            ("'a*b'", "a*b", true),
        ] {
            assert_eq!(Criteria::parse(criteria).unwrap().holds(&json!(value)), expected, "{criteria} {value}");
        }
        assert!(Criteria::parse("<>10000").is_err());
    }
}
