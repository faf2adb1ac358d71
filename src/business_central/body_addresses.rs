//! The addresses in a JSON body that Business Central follows: `…@odata.bind` and `@odata.id`.
//!
//! Source: OData JSON Format 4.0, "Bind Operation" and "Entity Reference".

use std::fmt;

use memchr::{memchr_iter, memmem};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The addresses in a body, in their order.
#[derive(Debug)]
pub struct BodyAddresses<'t> {
    body: &'t str,
    /// Where each of them stands, and the address itself, unescaped.
    found: Vec<(&'t RawValue, String)>,
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
    /// Parses all of a body and finds its addresses.
    ///
    /// # Errors
    /// With the place, if the body is no JSON.
    pub fn find(body: &'t str) -> Result<Self, serde_json::Error> {
        let mut found = Vec::new();
        let mut reader = serde_json::Deserializer::from_str(body);
        Collector(&mut found).deserialize(&mut reader)?;
        reader.end()?;
        Self::of_values(body, found)
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

/// What is wrong with a body, and where.
fn whole_error(body: &str) -> Option<serde_json::Error> {
    serde_json::from_str::<serde_json::Value>(body).err()
}

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
        let annotation = name.rsplit_once('@').map(|(_, annotation)| annotation);
        Ok(annotation.is_some_and(|found| ANNOTATIONS.iter().any(|known| found.eq_ignore_ascii_case(known))))
    }
}

/// Collects the addresses inside a value.
struct Collector<'f, 't>(&'f mut Vec<&'t RawValue>);

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

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(names_address) = map.next_key_seed(NamesAddress)? {
            if names_address {
                let value: &'t RawValue = map.next_value()?;
                if value.get().starts_with('"') {
                    self.0.push(value);
                } else if let Ok(list) = serde_json::from_str::<Vec<&'t RawValue>>(value.get()) {
                    self.0.extend(list.into_iter().filter(|item| item.get().starts_with('"')));
                }
            } else {
                map.next_value_seed(Collector(self.0))?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Collector(self.0))?.is_some() {}
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
        let addresses = BodyAddresses::find(body).unwrap();
        let found: Vec<String> = addresses.iter().map(str::to_owned).collect();
        assert_eq!(found, ["1", "2", "3", "4", "5"]);
        assert_eq!(addresses.replaced(&[const { None }; 5]), body);
        let replaced = addresses.replaced(&[None, Some("\"x".to_owned()), None, None, Some("y".to_owned())]);
        assert_eq!(replaced, body.replace("\"2\"", r#""\"x""#).replace("\"5\"", "\"y\""));
    }
}
