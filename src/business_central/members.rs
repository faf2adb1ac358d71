//! The members of a JSON object, with names in any case as in Business Central. Values stay raw, and duplicates are
//! errors.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
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

/// Whether two names are equal in any case; `wanted` is ASCII.
pub fn is_named(name: &str, wanted: &str) -> bool {
    match name.is_ascii() {
        true => name.eq_ignore_ascii_case(wanted),
        // A character has at most four bytes and folds to at least one: a longer name is a different one.
        false => name.len() <= 4 * wanted.len() && folded(name) == folded(wanted),
    }
}

/// The case-folded name. Folding maps look-alikes too: `ſ` becomes `s`, and `K` (Kelvin) becomes `k`.
fn folded(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

/// The object with these members, in JSON.
pub fn to_json<'m>(members: impl Iterator<Item = (&'m str, Cow<'m, str>)>) -> String {
    let mut json = "{".to_owned();
    for (name, value) in members {
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(&Value::from(name).to_string());
        json.push(':');
        json.push_str(&value);
    }
    json + "}"
}

/// Reads a list and passes each item on, until that fails.
///
/// # Errors
/// With the place, if it is no list, or an item was rejected.
pub fn each_item<'t, E: fmt::Display>(
    list: &'t RawValue,
    take: impl FnMut(&'t RawValue) -> Result<(), E>,
) -> Result<(), serde_json::Error> {
    serde_json::Deserializer::from_str(list.get()).deserialize_seq(Items(take))
}

struct Items<F>(F);

impl<'t, E: fmt::Display, F: FnMut(&'t RawValue) -> Result<(), E>> Visitor<'t> for Items<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'t>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(item) = list.next_element()? {
            self.0(item).map_err(A::Error::custom)?;
        }
        Ok(())
    }
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
            if members.len() == MAX_MEMBERS {
                return Err(A::Error::custom(format!("an object has more than {MAX_MEMBERS} members")));
            }
            members.push((name, value));
        }
        Ok(members)
    }
}

/// The most members of an object: those of batches and subscriptions have a dozen, and headers have a hundred at most.
const MAX_MEMBERS: usize = 250;

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

    #[test]
    fn an_object_has_250_members_at_most() {
        let object = |count: usize| {
            let members: Vec<String> = (0..count).map(|number| format!("\"{number}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert_eq!(serde_json::from_str::<Members<'_>>(&object(250)).unwrap().iter().count(), 250);
        let error = serde_json::from_str::<Members<'_>>(&object(251)).unwrap_err();
        assert!(error.to_string().contains("more than 250 members"), "{error}");
    }
}
