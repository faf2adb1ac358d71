//! The addresses in a JSON body that Business Central follows: `…@odata.bind` and `@odata.id`.
//!
//! Source: OData JSON Format 4.0, "Bind Operation" and "Entity Reference".

use std::fmt;

use memchr::{memchr_iter, memmem};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::members::each_item;

/// The addresses in a body, in their order.
#[derive(Debug)]
pub struct BodyAddresses<'t> {
    body: &'t str,
    /// Where each of them stands, and the address itself, unescaped.
    found: Vec<(&'t RawValue, String)>,
}

/// What may still be read of the bodies in one request: a batch has one allowance for all of its parts.
#[derive(Debug)]
pub struct Allowance {
    values: usize,
    addresses: usize,
    exceeded: Option<Bound>,
}

/// A bound on what is read of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bound {
    /// All members of objects and items of lists together.
    #[error("it has more than 1,000,000 values")]
    Values,
    /// All addresses together.
    #[error("it has more than 10,000 addresses (`@odata.bind`, `@odata.id`)")]
    Addresses,
}

/// Why a body can't be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON, or nested too deeply.
    #[error(transparent)]
    NotJson(#[from] serde_json::Error),
    /// It is more than one request may bring.
    #[error(transparent)]
    TooMuch(#[from] Bound),
}

/// A quick check for such addresses. An escape counts as one, since it may be part of the name.
pub fn may_contain_addresses(body: &[u8]) -> bool {
    let begins = |position: usize, name: &str| {
        let rest = body.get(position + 1..).and_then(|rest| rest.get(..name.len()));
        rest.is_some_and(|rest| rest.eq_ignore_ascii_case(name.as_bytes()))
    };
    let is_annotation = |at| ANNOTATIONS.iter().any(|name| begins(at, name));
    memchr_iter(b'@', body).any(is_annotation) || memmem::find(body, b"\\u00").is_some()
}

impl<'t> BodyAddresses<'t> {
    /// Parses all of a body and finds its addresses. Parsing stops as soon as the body exceeds the allowance.
    ///
    /// # Errors
    /// With the place, if the body is no JSON, or nested in more than 127 levels.
    pub fn find(body: &'t str, allowance: &mut Allowance) -> Result<Self, Unreadable> {
        let mut found = Vec::new();
        let read = read_whole(body, Collector { found: Some(&mut found), allowance: &mut *allowance });
        if let Some(bound) = allowance.exceeded {
            return Err(bound.into());
        }
        read?;
        Ok(Self::of_values(body, found)?)
    }

    /// Some string values in a body.
    ///
    /// # Errors
    /// With the place, if one of them is no string.
    pub fn of_values(body: &'t str, values: Vec<&'t RawValue>) -> Result<Self, serde_json::Error> {
        let unescaped = |raw: &'t RawValue| {
            let address = serde_json::from_str(raw.get());
            // Its own error counts from the beginning of the value.
            address.map(|address| (raw, address)).map_err(|error| whole_error(body).unwrap_or(error))
        };
        Ok(Self { body, found: values.into_iter().map(unescaped).collect::<Result<_, _>>()? })
    }

    /// The addresses, unescaped.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.found.iter().map(|(_, address)| address.as_str())
    }

    /// The body with some addresses replaced and all else unchanged. `replacements` has the order of
    /// [`iter`](Self::iter).
    pub fn replaced(&self, replacements: &[Option<String>]) -> String {
        let (mut written, mut rest, mut position) = (String::with_capacity(self.body.len() + 64), self.body, 0);
        for ((raw, _), replacement) in self.found.iter().zip(replacements) {
            let Some(replacement) = replacement else { continue };
            let start = raw.get().as_ptr().addr() - self.body.as_ptr().addr();
            let Some((before, from)) = rest.split_at_checked(start - position) else { continue };
            let Some((_, after)) = from.split_at_checked(raw.get().len()) else { continue };
            written.push_str(before);
            written.push_str(&serde_json::Value::from(replacement.as_str()).to_string());
            position = start + raw.get().len();
            rest = after;
        }
        written + rest
    }
}

impl Default for Allowance {
    fn default() -> Self {
        Self { values: MAX_VALUES, addresses: MAX_ADDRESSES, exceeded: None }
    }
}

impl Allowance {
    fn take_value(&mut self) -> Result<(), Bound> {
        take(&mut self.values).ok_or(Bound::Values).inspect_err(|bound| self.exceeded = Some(*bound))
    }

    fn take_address(&mut self) -> Result<(), Bound> {
        take(&mut self.addresses).ok_or(Bound::Addresses).inspect_err(|bound| self.exceeded = Some(*bound))
    }
}

/// Counts one down; `None` when none is left.
fn take(left: &mut usize) -> Option<()> {
    *left = left.checked_sub(1)?;
    Some(())
}

/// What is wrong with a body, and where. Nothing of it is kept.
fn whole_error(body: &str) -> Option<serde_json::Error> {
    read_whole(body, Collector { found: None, allowance: &mut Allowance::default() }).err()
}

fn read_whole<'t>(body: &'t str, collector: Collector<'_, 't>) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(body);
    collector.deserialize(&mut reader)?;
    reader.end()
}

/// All members and items in the bodies of a request.
const MAX_VALUES: usize = 1_000_000;

/// All addresses in the bodies of a request.
const MAX_ADDRESSES: usize = 10_000;

/// The annotations that contain an address. OData 4.01 leaves `odata.` out.
const ANNOTATIONS: [&str; 4] = ["odata.bind", "odata.id", "bind", "id"];

/// Whether the name of a member is one of an address; reads a name without copying it.
struct NamesAddress;

impl<'t> DeserializeSeed<'t> for NamesAddress {
    type Value = bool;

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NamesAddress {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        // From its end: a body has thousands of names, and most hold no annotation.
        let ends_with = |known: &&str| {
            let (before, annotation) = name.as_bytes().split_at_checked(name.len().checked_sub(known.len())?)?;
            Some(before.last() == Some(&b'@') && annotation.eq_ignore_ascii_case(known.as_bytes()))
        };
        Ok(ANNOTATIONS.iter().any(|known| ends_with(known).unwrap_or(false)))
    }
}

/// Collects the addresses inside a value; without `found`, only reads it.
struct Collector<'f, 't> {
    found: Option<&'f mut Vec<&'t RawValue>>,
    allowance: &'f mut Allowance,
}

impl<'t> Collector<'_, 't> {
    /// The same for a value inside this one.
    fn inner(&mut self) -> Collector<'_, 't> {
        Collector { found: self.found.as_deref_mut(), allowance: &mut *self.allowance }
    }
}

/// Adds a value to `found` if it is a string.
fn add<'t>(value: &'t RawValue, found: &mut Vec<&'t RawValue>, allowance: &mut Allowance) -> Result<(), Bound> {
    if value.get().starts_with('"') {
        allowance.take_address()?;
        found.push(value);
    }
    Ok(())
}

impl<'t> DeserializeSeed<'t> for Collector<'_, 't> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Collector<'_, 't> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'t>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(names_address) = map.next_key_seed(NamesAddress)? {
            self.allowance.take_value().map_err(A::Error::custom)?;
            let Some(found) = self.found.as_deref_mut().filter(|_| names_address) else {
                map.next_value_seed(self.inner())?;
                continue;
            };
            let value: &'t RawValue = map.next_value()?;
            if value.get().starts_with('[') {
                let item = |item| {
                    self.allowance.take_value()?;
                    add(item, found, self.allowance)
                };
                each_item(value, item).map_err(A::Error::custom)?;
            } else {
                add(value, found, self.allowance).map_err(A::Error::custom)?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(mut self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(self.inner())?.is_some() {
            self.allowance.take_value().map_err(A::Error::custom)?;
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_without_such_a_name_is_not_parsed() {
        for (body, may) in [
            (r#"{"x@odata.bind":"#, true),
            (r#"{"x@ODATA.id":"#, true),
            (r#"{"@id":"#, true),
            (r#"{"x\u0040odata.bind":"#, true),
            (r#"{"mail":"a@example.com","@odata.etag":"x"}@"#, false),
            ("", false),
        ] {
            assert_eq!(may_contain_addresses(body.as_bytes()), may, "{body}");
        }
    }

    #[test]
    fn only_annotations_that_are_followed_contain_addresses() {
        let body = r##" {"a@odata.bind" : "1", "b@odata.type":"#x", "id":"no", "list":[{"@odata.id":"2"},
            {"c@Odata.Bind":["\u0033", null, "4"]}], "d\u0040odata.bind":"5", "@odata.bind":{"x@odata.bind":"6"},"n":1.50} "##;
        let addresses = BodyAddresses::find(body, &mut Allowance::default()).unwrap();
        let found: Vec<String> = addresses.iter().map(str::to_owned).collect();
        assert_eq!(found, ["1", "2", "3", "4", "5"]);
        assert_eq!(addresses.replaced(&[const { None }; 5]), body);
        let replaced = addresses.replaced(&[None, Some("\"x".to_owned()), None, None, Some("y".to_owned())]);
        assert_eq!(replaced, body.replace("\"2\"", r#""\"x""#).replace("\"5\"", "\"y\""));
    }

    #[test]
    fn reading_stops_at_the_first_bound_that_is_exceeded() {
        let list = |count: usize, item: &str| format!("[{}]", vec![item; count].join(","));
        let bound = |body: &str, allowance: &mut Allowance| match BodyAddresses::find(body, allowance) {
            Ok(_) => None,
            Err(Unreadable::TooMuch(bound)) => Some(bound),
            Err(Unreadable::NotJson(error)) => panic!("{error}"),
        };
        // What follows is no JSON, and is not reached.
        for (body, beyond) in [
            (format!(r#"{{"a@odata.bind":{}"#, list(MAX_ADDRESSES + 1, r#""x""#)), Bound::Addresses),
            (list(MAX_ADDRESSES + 1, r#"{"@id":"x"}"#), Bound::Addresses),
            (format!(r#"{{"@odata.bind":{}"#, list(MAX_VALUES + 1, "0")), Bound::Values),
            (format!("{{{}", vec![r#""a":0"#; MAX_VALUES + 1].join(",")), Bound::Values),
            (list(MAX_VALUES + 1, "0"), Bound::Values),
        ] {
            assert_eq!(bound(&format!("{body} no JSON"), &mut Allowance::default()), Some(beyond), "{body:.40}");
        }
        let mut allowance = Allowance::default();
        for (count, beyond) in [(MAX_ADDRESSES / 2, None), (MAX_ADDRESSES / 2, None), (1, Some(Bound::Addresses))] {
            let body = format!(r#"{{"a@odata.bind":{}}}"#, list(count, r#""x""#));
            assert_eq!(bound(&body, &mut allowance), beyond, "one allowance for several bodies");
        }
    }
}
