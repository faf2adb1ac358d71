//! The reader: what a text holds, in its order.

use super::cursor::Cursor;
use super::error::{JsonError, Reason};
use super::string::JsonString;

/// Whom a text is read for. Reading ends with the first error.
pub trait JsonVisitor<'t> {
    type Error: From<JsonError>;

    /// The name of a member, whose value follows.
    fn name(&mut self, name: JsonString<'t>) -> Result<(), Self::Error>;

    /// A string that is a value.
    fn string(&mut self, value: JsonString<'t>) -> Result<(), Self::Error>;

    /// A number, `true`, `false` or `null`.
    fn scalar(&mut self) -> Result<(), Self::Error>;

    /// The beginning of an object.
    fn object(&mut self) -> Result<(), Self::Error>;

    /// The beginning of a list.
    fn list(&mut self) -> Result<(), Self::Error>;

    /// The end of the innermost object or list.
    fn end(&mut self);
}

/// Reads a text, which holds exactly one value.
///
/// # Errors
/// The visitor's own, or if the text is no JSON, or nested in more than 127 levels.
#[inline]
pub fn read_json<'t, V: JsonVisitor<'t>>(text: &'t str, visitor: &mut V) -> Result<(), V::Error> {
    let mut cursor = Cursor::new(text);
    read(&mut cursor, visitor).map_err(|stop| match stop {
        Stop::Text(reason) => JsonError::at(text, cursor.position, reason).into(),
        Stop::Visitor(error) => error,
    })
}

/// Why reading ended early.
enum Stop<E> {
    Text(Reason),
    Visitor(E),
}

impl<E> From<Reason> for Stop<E> {
    fn from(reason: Reason) -> Self {
        Self::Text(reason)
    }
}

#[inline]
fn read<'t, V: JsonVisitor<'t>>(cursor: &mut Cursor<'t>, visitor: &mut V) -> Result<(), Stop<V::Error>> {
    // A bit for each object and list around the innermost one that is open: 1 for an object.
    let (mut around, mut depth, mut is_object) = (0_u128, 0, false);
    loop {
        if is_object {
            visitor.name(cursor.name()?).map_err(Stop::Visitor)?;
        }
        let first = cursor.first_byte();
        match first {
            Some(b'"') => visitor.string(cursor.string()?).map_err(Stop::Visitor)?,
            Some(b'-' | b'0'..=b'9') => {
                cursor.number()?;
                visitor.scalar().map_err(Stop::Visitor)?;
            }
            Some(b'{' | b'[') if depth == MAX_DEPTH => return Err(Reason::Depth.into()),
            Some(b'{') => {
                (around, depth, is_object) = (around << 1 | u128::from(is_object), depth + 1, true);
                cursor.position += 1;
                visitor.object().map_err(Stop::Visitor)?;
                if cursor.first_byte() != Some(b'}') {
                    continue;
                }
            }
            Some(b'[') => {
                (around, depth, is_object) = (around << 1 | u128::from(is_object), depth + 1, false);
                cursor.position += 1;
                visitor.list().map_err(Stop::Visitor)?;
                if cursor.first_byte() != Some(b']') {
                    continue;
                }
            }
            _ => {
                cursor.literal(first)?;
                visitor.scalar().map_err(Stop::Visitor)?;
            }
        }
        loop {
            match cursor.first_byte() {
                None if depth == 0 => return Ok(()),
                Some(_) if depth == 0 => return Err(Reason::Trailing.into()),
                Some(b',') => {
                    cursor.position += 1;
                    break;
                }
                Some(b'}') if is_object => {}
                Some(b']') if !is_object => {}
                _ if is_object => return Err(Reason::NoEndOfObject.into()),
                _ => return Err(Reason::NoEndOfList.into()),
            }
            (around, depth, is_object) = (around >> 1, depth - 1, around & 1 == 1);
            cursor.position += 1;
            visitor.end();
        }
    }
}

/// Each level has a bit in 128 bits, also where a visitor keeps some.
const MAX_DEPTH: usize = 127;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Makes serde_json's value of what it is told.
    #[derive(Default)]
    struct Built {
        open: Vec<(Option<String>, Value)>,
        name: Option<String>,
        whole: Option<Value>,
    }

    impl Built {
        fn add(&mut self, value: Value) {
            match self.open.last_mut() {
                Some((_, Value::Array(items))) => items.push(value),
                Some((_, Value::Object(members))) => {
                    members.insert(self.name.take().expect("members have names"), value);
                }
                _ => assert!(self.whole.replace(value).is_none(), "a text has one value"),
            }
        }

        fn begin(&mut self, empty: Value) {
            self.open.push((self.name.take(), empty));
        }
    }

    impl<'t> JsonVisitor<'t> for Built {
        type Error = JsonError;

        fn name(&mut self, name: JsonString<'t>) -> Result<(), JsonError> {
            self.name = Some(name.unescaped().unwrap().into_owned());
            Ok(())
        }

        fn string(&mut self, value: JsonString<'t>) -> Result<(), JsonError> {
            self.add(value.unescaped().unwrap().into());
            Ok(())
        }

        fn scalar(&mut self) -> Result<(), JsonError> {
            self.add("scalar".into());
            Ok(())
        }

        fn object(&mut self) -> Result<(), JsonError> {
            self.begin(json!({}));
            Ok(())
        }

        fn list(&mut self) -> Result<(), JsonError> {
            self.begin(json!([]));
            Ok(())
        }

        fn end(&mut self) {
            let (name, value) = self.open.pop().expect("only what is open ends");
            self.name = name;
            self.add(value);
        }
    }

    /// The text as it was understood.
    fn understood(text: &str) -> Result<Value, JsonError> {
        let mut built = Built::default();
        read_json(text, &mut built)?;
        Ok(built.whole.expect("a text has a value"))
    }

    fn without_scalars(value: &Value) -> Value {
        match value {
            Value::String(_) => value.clone(),
            Value::Array(items) => items.iter().map(without_scalars).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), without_scalars(value))).collect()
            }
            _ => Value::from("scalar"),
        }
    }

    #[test]
    fn it_says_what_is_wrong_and_where() {
        for (text, error) in [
            ("", "it ends too early at line 1 column 0"),
            ("{\n \"a\":tru}", "expected `true`, `false` or `null` at line 2 column 9"),
            ("{\"a\":1,}", "expected a name in quotation marks at line 1 column 8"),
            ("{\"a\" 1}", "expected `:` at line 1 column 6"),
            ("{\"a\":1]", "expected `,` or `}` at line 1 column 7"),
            ("[1}", "expected `,` or `]` at line 1 column 3"),
            ("[1,]", "expected a value at line 1 column 4"),
            ("[01]", "expected `,` or `]` at line 1 column 3"),
            ("[1.]", "expected a digit at line 1 column 4"),
            ("[1e+]", "expected a digit at line 1 column 5"),
            ("\u{feff}1", "expected a value at line 1 column 1"),
            ("1 2", "more than one value at line 1 column 3"),
            ("\"a\tb\"", "a line break or another control character in a string at line 1 column 3"),
            (r#""\x""#, "an escape that JSON does not have at line 1 column 3"),
            (r#""\u00g0""#, "an escape that JSON does not have at line 1 column 6"),
            (r#""\udc00\ud800""#, "half of a surrogate pair at line 1 column 8"),
            (r#""\ud800x""#, "half of a surrogate pair at line 1 column 8"),
            (r#""\ud800\u0041""#, "half of a surrogate pair at line 1 column 14"),
            ("\"abcdefgh", "it ends too early at line 1 column 9"),
        ] {
            assert_eq!(understood(text).map_err(|error| error.to_string()), Err(error.to_owned()), "{text}");
        }
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(understood(&nested(127)).is_ok());
        let error = understood(&nested(128)).unwrap_err();
        assert_eq!(error.to_string(), "recursion limit exceeded: more than 127 levels at line 1 column 128");
    }

    proptest! {
        #[test]
        fn it_reads_what_serde_json_reads(
            words in prop::collection::vec(prop::sample::select(&[
                "{", "}", "[", "]", ",", ":", "\"a\":", "\"\\u0062\":", "\"", "\\", "\\u", "d83d", "\\ude00", "ä", "1", "-", "0.5", "e9", "true",
                "null", " ", "\n", "\u{1}", "\"12345678\"", "\"1234567\\n\"", "[1,", "{\"c\":", "]}",
            ][..]), 0..12),
        ) {
            let text = words.concat();
            let read = understood(&text);
            match serde_json::from_str::<Value>(&text) {
                Ok(value) => prop_assert_eq!(read, Ok(without_scalars(&value))),
                Err(error) if error.to_string().contains("out of range") => {}
                Err(_) => prop_assert!(read.is_err(), "{} was read", text),
            }
        }
    }
}
