//! The members of a JSON object as Business Central reads them: names in any case, none of them twice, values untouched.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object in their order, with their values as they were written.
#[derive(Debug, Clone, Default)]
pub struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'t> Members<'t> {
    /// The value of the member of this name, in any case.
    pub fn get(&self, name: &str) -> Option<&'t RawValue> {
        self.0.iter().find(|(known, _)| is_named(known, name)).map(|(_, value)| *value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &'t RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

/// Whether a member's name is this one in any case.
pub fn is_named(name: &str, wanted: &str) -> bool {
    folded(name) == folded(wanted)
}

/// The name in which all its spellings agree, those with letters that only look foreign too: `ſ` is an `S`, `K` (Kelvin) is a `k`.
fn folded(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

impl<'de: 't, 't> Deserialize<'de> for Members<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Self)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        let mut names = std::collections::HashSet::new();
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            if !names.insert(folded(&name)) {
                return Err(A::Error::custom(format!("the member `{name}` stands twice")));
            }
            members.push((name, value));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_in_every_case_and_escape() {
        let members: Members<'_> = serde_json::from_str(r#"{"U\u0052L": 1.50, "x": {"a":1,"a":2}}"#).unwrap();
        assert_eq!(members.get("url").unwrap().get(), "1.50");
        assert_eq!(members.get("X").unwrap().get(), r#"{"a":1,"a":2}"#);
        for twice in [r#"{"url":1,"URL":2}"#, r#"{"url":1,"\u0075rl":2}"#, r#"{"requests":1,"requeſts":2}"#] {
            assert!(serde_json::from_str::<Members<'_>>(twice).is_err(), "{twice}");
        }
    }
}
