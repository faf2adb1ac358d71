//! `$batch` in JSON (OData JSON Format 4.01, "Batch Requests and Responses"): many requests in one body.
//!
//! The body is parsed strictly and serialized again, so Business Central receives exactly what bcproxy checked.

use std::borrow::Cow;

use hyper::header::{HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, Value};

use super::members::{self, Members, each_item, is_named};

/// A batch request.
#[derive(Debug)]
pub struct Batch<'t> {
    members: Members<'t>,
    /// The requests in it, at most 100.
    pub operations: Vec<Operation<'t>>,
}

/// One request of a batch.
#[derive(Debug)]
pub struct Operation<'t> {
    members: Members<'t>,
    headers: Option<Members<'t>>,
    /// Unique in the batch.
    pub id: String,
    /// As the client wrote it.
    pub method: String,
    /// As the client wrote it, until bcproxy replaces it.
    pub url: String,
    /// The client's JSON, until bcproxy replaces it.
    pub body: Option<Cow<'t, str>>,
}

/// Why a batch is rejected.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The body is not a JSON object, or has a duplicate name.
    #[error("the batch is invalid ({0}); send {{\"requests\": [ … ]}} in JSON, without duplicate names")]
    NotJson(#[from] serde_json::Error),
    /// The object has no `requests`.
    #[error("the batch has no `requests`; put its requests there, as an array")]
    NoRequests,
    /// The batch exceeds Business Central's limit.
    #[error("the batch contains {} requests or more, but Business Central accepts {LIMIT}; send them in several batches", LIMIT + 1)]
    TooMany,
    /// A request, counted from 1, is not an object of the right types.
    #[error("request {number} of the batch is invalid ({reason})")]
    Malformed {
        /// The position of the request, from 1.
        number: usize,
        /// The parser's reason.
        reason: serde_json::Error,
    },
    /// A request lacks a required member.
    #[error("request {number} of the batch has no `{member}`")]
    Missing {
        /// The position of the request, from 1.
        number: usize,
        /// `id`, `method` or `url`.
        member: &'static str,
    },
    /// A header's name or value can't be one in HTTP: it contains a line break, for instance.
    #[error("request {0} of the batch has a header with a character that HTTP does not allow; remove the header")]
    InvalidHeader(usize),
    /// Two requests have the same id.
    #[error("two requests of the batch have the id `{0}`; give each its own")]
    DuplicateId(String),
}

impl<'t> Batch<'t> {
    /// Parses a batch strictly: any JSON that two parsers could read differently is an error.
    pub fn parse(text: &'t str) -> Result<Self, BatchError> {
        let members: Members<'t> = serde_json::from_str(text.trim_start_matches(BYTE_ORDER_MARK))?;
        let requests = members.get(REQUESTS).ok_or(BatchError::NoRequests)?;
        let requests = raw_requests(requests)?;
        let mut operations: Vec<Operation<'t>> = Vec::with_capacity(requests.len());
        for (request, number) in requests.iter().zip(1..) {
            let operation = Operation::parse(request, number)?;
            if operations.iter().any(|known| known.id == operation.id) {
                return Err(BatchError::DuplicateId(operation.id));
            }
            operations.push(operation);
        }
        Ok(Self { members, operations })
    }

    /// The batch in JSON; the members that bcproxy checked have their documented names.
    pub fn to_json(&self) -> String {
        members::to_json(self.members.iter().map(|(name, value)| match name {
            name if is_named(name, REQUESTS) => (REQUESTS, Cow::Owned(self.requests_to_json())),
            name => (name, Cow::Borrowed(value.get())),
        }))
    }

    fn requests_to_json(&self) -> String {
        let mut json = "[".to_owned();
        for operation in &self.operations {
            if json.len() > 1 {
                json.push(',');
            }
            json.push_str(&operation.to_json());
        }
        json + "]"
    }
}

impl<'t> Operation<'t> {
    fn parse(request: &'t RawValue, number: usize) -> Result<Self, BatchError> {
        let malformed = |reason| BatchError::Malformed { number, reason };
        let members: Members<'t> = serde_json::from_str(request.get()).map_err(malformed)?;
        let required = |member: &'static str| -> Result<String, BatchError> {
            let value = members.get(member).ok_or(BatchError::Missing { number, member })?;
            read(value).map_err(malformed)
        };
        let (id, method, url) = (required(ID)?, required(METHOD)?, required(URL)?);
        let headers: Option<Option<Members<'t>>> =
            members.get(HEADERS).map(|raw| serde_json::from_str(raw.get())).transpose().map_err(malformed)?;
        let headers = headers.flatten();
        for (name, value) in headers.iter().flat_map(Members::iter) {
            let value: String = read(value).map_err(malformed)?;
            if HeaderName::from_bytes(name.as_bytes()).is_err() || HeaderValue::from_bytes(value.as_bytes()).is_err() {
                return Err(BatchError::InvalidHeader(number));
            }
        }
        let body = members.get(BODY).map(RawValue::get).filter(|body| *body != "null").map(Cow::Borrowed);
        Ok(Self { members, headers, id, method, url, body })
    }

    /// The value of a header; the name's case is irrelevant.
    pub fn header(&self, name: &str) -> Option<String> {
        read(self.headers.as_ref()?.get(name)?).ok()
    }

    /// Removes the headers for which this is false. It gets their names in lower case.
    pub fn retain_headers(&mut self, stays: impl Fn(&str) -> bool) {
        if let Some(headers) = &mut self.headers {
            headers.retain(|name| stays(&name.to_ascii_lowercase()));
        }
    }

    /// The earlier request that a URL such as `$1/contacts` refers to, and the rest of the URL.
    pub fn resolve_reference<'o>(&self, earlier: &'o [Operation<'t>]) -> Option<(&'o Operation<'t>, &str)> {
        let reference = self.url.strip_prefix('$')?;
        let end = reference.find(['/', '?']).unwrap_or(reference.len());
        let (id, rest) = reference.split_at_checked(end)?;
        // `$batch` is a nested batch, even if a request has the id `batch`.
        if is_named(id, "batch") {
            return None;
        }
        earlier.iter().find(|operation| operation.id == id).map(|operation| (operation, rest))
    }

    fn to_json(&self) -> String {
        members::to_json(self.members.iter().map(|(name, value)| match name {
            name if is_named(name, URL) => (URL, Cow::Owned(Value::from(self.url.as_str()).to_string())),
            name if is_named(name, METHOD) => (METHOD, Cow::Borrowed(value.get())),
            name if is_named(name, ID) => (ID, Cow::Borrowed(value.get())),
            name if is_named(name, HEADERS) => (HEADERS, Cow::Owned(self.headers_to_json())),
            name if is_named(name, BODY) => (BODY, Cow::Borrowed(self.body.as_deref().unwrap_or(value.get()))),
            name => (name, Cow::Borrowed(value.get())),
        }))
    }

    fn headers_to_json(&self) -> String {
        let headers = self.headers.iter().flat_map(Members::iter);
        members::to_json(headers.map(|(name, value)| (name, Cow::Borrowed(value.get()))))
    }
}

/// The requests of a batch, not parsed yet. Reading ends with one that is too many.
fn raw_requests(list: &RawValue) -> Result<Vec<&RawValue>, BatchError> {
    let mut requests = Vec::new();
    let read = each_item(list, |request| {
        requests.push(request);
        if requests.len() > LIMIT { Err(BatchError::TooMany) } else { Ok(()) }
    });
    if requests.len() > LIMIT {
        return Err(BatchError::TooMany);
    }
    read?;
    Ok(requests)
}

fn read<T: DeserializeOwned>(value: &RawValue) -> Result<T, serde_json::Error> {
    serde_json::from_str(value.get())
}

/// The most requests in a batch (BC, "Operational limits").
const LIMIT: usize = 100;

/// .NET Framework writes one before the JSON.
const BYTE_ORDER_MARK: char = '\u{feff}';

const REQUESTS: &str = "requests";
const ID: &str = "id";
const METHOD: &str = "method";
const URL: &str = "url";
const HEADERS: &str = "headers";
const BODY: &str = "body";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_batch_is_written_with_the_documented_names() {
        let text = "\u{feff}{\"Requests\": [{\"ID\":\"1\",\"Method\":\"Post\",\"URL\":\"a\",\"HEADERS\":{\"COMPANY\":\"x\",\
                    \"if-Match\":\"*\"},\"Body\":{\"x\": 1.50,\"x\":2},\"atomicityGroup\":\"g\"}], \"more\": [ ]}";
        let mut batch = Batch::parse(text).unwrap();
        assert_eq!(batch.operations[0].header("company").as_deref(), Some("x"));
        batch.operations[0].url = "b\"c".to_owned();
        batch.operations[0].retain_headers(|name| name != "company");
        assert_eq!(
            batch.to_json(),
            r#"{"requests":[{"id":"1","method":"Post","url":"b\"c","headers":{"if-Match":"*"},"body":{"x": 1.50,"x":2},"atomicityGroup":"g"}],"more":[ ]}"#
        );
    }

    #[test]
    fn ambiguous_batches_are_rejected() {
        for wrong in [
            "",
            "[]",
            "{}",
            r#"{"requests":{}}"#,
            r#"{"requests":[]} {}"#,
            r#"{"requests":[],"Requests":[]}"#,
            r#"{"requests":[{"id":"1","method":"GET"}]}"#,
            r#"{"requests":[{"id":"1","method":"GET","url":"a","headers":[]}]}"#,
            r#"{"requests":[{"id":"1","method":"GET","url":["a"]}]}"#,
            r#"{"requests":[{"id":"1","method":"GET","url":"a","uRL":"b"}]}"#,
            r#"{"requests":[{"id":"1","method":"GET","url":"a","headers":{"Company":"1","company":"2"}}]}"#,
            r#"{"requests":[{"id":"1","method":"GET","url":"a","headers":{"Company":["1"]}}]}"#,
            r#"{"requests":[{"id":"1","method":"GET","url":"a","headers":{"a":"b\nHost: c"}}]}"#,
            r#"{"requests":[{"id":"1","method":"GET","url":"a","headers":{"a":"b\r"}}]}"#,
            r#"{"requests":[{"id":"1","method":"GET","url":"a","headers":{"a":"\u0000"}}]}"#,
            r#"{"requests":[{"id":"1","method":"GET","url":"a","headers":{"a\r\nb":"c"}}]}"#,
            r#"{"requests":[{"id":"1","method":"GET","url":"a","headers":{"Authorization ":"c"}}]}"#,
            r#"{"requests":[{"id":"1","method":"GET","url":"a","headers":{"hoſt":"c"}}]}"#,
            r#"{"requests":[{"id":"1","method":"GET","url":"a"},{"id":"1","method":"GET","url":"a"}]}"#,
        ] {
            assert!(Batch::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn null_means_absent() {
        let text = r#"{"requests":[{"id":"1","method":"GET","url":"a","headers":null,"body":null}]}"#;
        let batch = Batch::parse(text).unwrap();
        assert_eq!((batch.operations[0].header("company"), &batch.operations[0].body), (None, &None));
        assert_eq!(batch.to_json(), text.replace(r#""headers":null"#, r#""headers":{}"#));
    }

    #[test]
    fn a_reference_resolves_to_an_earlier_request_only() {
        let text = json!({"requests": [
            {"id": "1", "method": "GET", "url": "a"}, {"id": "batch", "method": "GET", "url": "$1/b?c"},
            {"id": "3", "method": "GET", "url": "$batch"}, {"id": "4", "method": "GET", "url": "$4"},
        ]})
        .to_string();
        let operations = Batch::parse(&text).unwrap().operations;
        let refers =
            |index: usize| operations[index].resolve_reference(&operations[..index]).map(|(to, rest)| (&*to.id, rest));
        assert_eq!(refers(1), Some(("1", "/b?c")));
        assert_eq!((refers(0), refers(2), refers(3)), (None, None, None));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), "\\PC{0,8}".prop_map(Value::from)];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_written_batch_parses_to_what_was_checked(
            parts in prop::collection::vec(("\\PC{0,12}", "[A-Za-z]{1,6}", "\\PC{0,20}", any_json(), any::<bool>()), 0..6),
            more in any_json(),
        ) {
            let requests: Vec<Value> = parts.iter().enumerate().map(|(number, (id, method, url, body, odd))| {
                let id = format!("{number}{id}");
                if *odd {
                    json!({"ID": id, "METHOD": method, "Url": url, "Body": body, "more": more})
                } else {
                    json!({"id": id, "method": method, "url": url, "body": body, "headers": {"Company": url}})
                }
            }).collect();
            let text = json!({"requests": requests, "x": more}).to_string();
            let mut checked = Batch::parse(&text).unwrap();
            for operation in &mut checked.operations {
                operation.url.push('\u{1F512}');
                operation.retain_headers(|name| name != "company");
            }
            let sent = checked.to_json();
            let read = Batch::parse(&sent).unwrap();
            prop_assert_eq!(read.operations.len(), checked.operations.len());
            for (read, checked) in read.operations.iter().zip(&checked.operations) {
                prop_assert_eq!((&read.id, &read.method, &read.url), (&checked.id, &checked.method, &checked.url));
                prop_assert_eq!(&read.body, &checked.body);
                prop_assert_eq!(read.header("company"), None);
            }
            prop_assert_eq!(Batch::parse(&sent).unwrap().to_json(), sent);
        }
    }
}
