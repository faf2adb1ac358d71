//! The addresses in a JSON body that Business Central follows: `…@odata.bind` and `@odata.id`.
//!
//! Source: OData JSON Format 4.0, "Bind Operation" and "Entity Reference".

use std::borrow::Cow;

use memchr::{memchr_iter, memmem};
use serde_json::value::RawValue;

use crate::json::{JsonError, JsonString, JsonVisitor, read_json};

/// The addresses in a body, in their order.
#[derive(Debug)]
pub struct BodyAddresses<'t> {
    body: &'t str,
    /// Each of them as it stands there, and unescaped.
    found: Vec<(&'t str, Cow<'t, str>)>,
}

/// What may still be read of the bodies in one request: a batch has one allowance for all of its parts.
#[derive(Debug)]
pub struct Allowance {
    values: usize,
    addresses: usize,
}

/// A bound on what is read of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bound {
    /// Objects, lists and what is in them, all together.
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
    NotJson(#[from] JsonError),
    /// It is JSON, but not what is expected there.
    #[error(transparent)]
    Unexpected(#[from] serde_json::Error),
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
    /// Reads all of a body and finds its addresses. Reading stops as soon as the body exceeds the allowance.
    ///
    /// # Errors
    /// With the place, if the body is no JSON, or nested in more than 127 levels.
    pub fn find(body: &'t str, allowance: &mut Allowance) -> Result<Self, Unreadable> {
        let mut finder = Finder { found: Vec::new(), allowance, is_address: false, open: 0 };
        read_json(body, &mut finder)?;
        Ok(Self { body, found: finder.found })
    }

    /// The only address in a body: a value that has to be a string.
    pub fn of_value(body: &'t str, value: &'t RawValue) -> Result<Self, serde_json::Error> {
        Ok(Self { body, found: vec![(value.get(), serde_json::from_str(value.get())?)] })
    }

    /// The addresses, unescaped.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.found.iter().map(|(_, address)| &**address)
    }

    /// The body with some addresses replaced and all else unchanged. `replacements` has the order of
    /// [`iter`](Self::iter).
    pub fn replaced(&self, replacements: &[Option<String>]) -> String {
        let (mut written, mut rest, mut position) = (String::with_capacity(self.body.len() + 64), self.body, 0);
        for ((raw, _), replacement) in self.found.iter().zip(replacements) {
            let Some(replacement) = replacement else { continue };
            let start = raw.as_ptr().addr() - self.body.as_ptr().addr();
            let Some((before, from)) = rest.split_at_checked(start - position) else { continue };
            let Some((_, after)) = from.split_at_checked(raw.len()) else { continue };
            written.push_str(before);
            written.push_str(&serde_json::Value::from(replacement.as_str()).to_string());
            position = start + raw.len();
            rest = after;
        }
        written + rest
    }
}

impl Default for Allowance {
    fn default() -> Self {
        Self { values: MAX_VALUES, addresses: MAX_ADDRESSES }
    }
}

impl Allowance {
    fn take_value(&mut self) -> Result<(), Bound> {
        take(&mut self.values).ok_or(Bound::Values)
    }

    fn take_address(&mut self) -> Result<(), Bound> {
        take(&mut self.addresses).ok_or(Bound::Addresses)
    }
}

/// Counts one down; `None` when none is left.
fn take(left: &mut usize) -> Option<()> {
    *left = left.checked_sub(1)?;
    Some(())
}

/// All values in the bodies of a request.
const MAX_VALUES: usize = 1_000_000;

/// All addresses in the bodies of a request.
const MAX_ADDRESSES: usize = 10_000;

/// The annotations that contain an address. OData 4.01 leaves `odata.` out.
const ANNOTATIONS: [&str; 4] = ["odata.bind", "odata.id", "bind", "id"];

/// Finds the addresses in a body while it is read.
struct Finder<'a, 't> {
    found: Vec<(&'t str, Cow<'t, str>)>,
    allowance: &'a mut Allowance,
    /// Whether the next value is an address if it is a string.
    is_address: bool,
    /// The same for what follows in each object and list that is open, the innermost lowest.
    open: u128,
}

impl<'t> JsonVisitor<'t> for Finder<'_, 't> {
    type Error = Unreadable;

    fn name(&mut self, name: JsonString<'t>) -> Result<(), Unreadable> {
        // A body has thousands of names, and most hold no annotation.
        self.is_address = name.may_end_with(*b"dD") && names_address(&name.unescaped()?);
        Ok(())
    }

    fn string(&mut self, value: JsonString<'t>) -> Result<(), Unreadable> {
        if self.is_address {
            self.allowance.take_address()?;
            self.found.push((value.raw(), value.unescaped()?));
        }
        self.scalar()
    }

    fn scalar(&mut self) -> Result<(), Unreadable> {
        Ok(self.allowance.take_value()?)
    }

    fn object(&mut self) -> Result<(), Unreadable> {
        self.open <<= 1;
        self.scalar()
    }

    fn list(&mut self) -> Result<(), Unreadable> {
        self.open = self.open << 1 | u128::from(self.is_address);
        self.scalar()
    }

    fn end(&mut self) {
        self.open >>= 1;
        self.is_address = self.open & 1 == 1;
    }
}

/// Whether the name of a member is one of an address.
fn names_address(name: &str) -> bool {
    let ends_with = |known: &&str| {
        let (before, annotation) = name.as_bytes().split_at_checked(name.len().checked_sub(known.len())?)?;
        Some(before.last() == Some(&b'@') && annotation.eq_ignore_ascii_case(known.as_bytes()))
    };
    ANNOTATIONS.iter().any(|known| ends_with(known).unwrap_or(false))
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
        assert_eq!(found, ["1", "2", "3", "4", "5", "6"]);
        assert_eq!(addresses.replaced(&[const { None }; 6]), body);
        let replaced = addresses.replaced(&[None, Some("\"x".to_owned()), None, None, Some("y".to_owned()), None]);
        assert_eq!(replaced, body.replace("\"2\"", r#""\"x""#).replace("\"5\"", "\"y\""));
    }

    #[test]
    fn reading_stops_at_the_first_bound_that_is_exceeded() {
        let list = |count: usize, item: &str| format!("[{}]", vec![item; count].join(","));
        let bound = |body: &str, allowance: &mut Allowance| match BodyAddresses::find(body, allowance) {
            Ok(_) => None,
            Err(Unreadable::TooMuch(bound)) => Some(bound),
            Err(error) => panic!("{error}"),
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
