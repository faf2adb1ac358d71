//! The members of a JSON object, with names in any case as in Business Central. Values stay raw, and duplicates are
//! errors.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::{RawValue, Value};

/// The members of a JSON object, in their order, with raw values.
#[derive(Debug, Clone, Default)]
pub struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'t> Members<'t> {
    /// The value of the member with this name, in any case.
    pub fn get(&self, name: &str) -> Option<&'t RawValue> {
        self.0.iter().find(|(known, _)| is_named(known, name)).map(|(_, value)| *value)
    }

    /// Removes the members for whose name this is false.
    pub fn retain(&mut self, stays: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| stays(name));
    }

    /// The names and raw values, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'t RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

/// Whether two names are equal in any case.
pub fn is_named(name: &str, wanted: &str) -> bool {
    folded(name) == folded(wanted)
}

/// The case-folded name. Folding maps look-alikes too: `ſ` becomes `s`, and `K` (Kelvin) becomes `k`.
fn folded(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

/// The object with these members, in JSON.
pub fn to_json<'m>(members: impl Iterator<Item = (&'m str, Cow<'m, str>)>) -> String {
    let members: Vec<String> = members.map(|(name, value)| format!("{}:{value}", Value::from(name))).collect();
    format!("{{{}}}", members.join(","))
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
                return Err(A::Error::custom(format!("the member `{name}` appears twice")));
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
    fn case_and_escapes_do_not_distinguish_names() {
        let members: Members<'_> = serde_json::from_str(r#"{"U\u0052L": 1.50, "x": {"a":1,"a":2}}"#).unwrap();
        assert_eq!(members.get("url").unwrap().get(), "1.50");
        assert_eq!(members.get("X").unwrap().get(), r#"{"a":1,"a":2}"#);
        for twice in [r#"{"url":1,"URL":2}"#, r#"{"url":1,"\u0075rl":2}"#, r#"{"requests":1,"requeſts":2}"#] {
            assert!(serde_json::from_str::<Members<'_>>(twice).is_err(), "{twice}");
        }
    }
}
