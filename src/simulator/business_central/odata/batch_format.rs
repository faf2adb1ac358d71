//! The parser for batches, as strict as the real service: member names in any case, but none twice.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::simulator::business_central::errors::BusinessCentralError;
use crate::simulator::business_central::request::without_mark;

/// The maximum number of requests in a batch (BC, "Operational limits").
const LIMIT: usize = 100;

/// A request in a batch.
pub(super) struct BatchOperation {
    pub id: String,
    pub method: Method,
    pub url: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The IDs of requests and groups that must have succeeded before.
    pub depends_on: Vec<String>,
    pub group: Option<String>,
}

/// Parses the requests of a batch.
pub(super) fn parse(body: &[u8]) -> Result<Vec<BatchOperation>, BusinessCentralError> {
    let batch: JsonMembers = serde_json::from_slice(without_mark(body)).map_err(malformed)?;
    let requests: Vec<JsonMembers> = batch.required("requests")?;
    if requests.len() > LIMIT {
        return reject(format!("A batch may hold {LIMIT} requests; this one has {}.", requests.len()));
    }
    let mut operations: Vec<BatchOperation> = Vec::new();
    for request in &requests {
        let operation = BatchOperation::parse(request)?;
        if operations.iter().any(|known| known.id == operation.id) {
            return reject(format!("The id '{}' occurs twice in the batch.", operation.id));
        }
        let is_known =
            |name: &&String| operations.iter().any(|known| known.id == **name || known.group.as_ref() == Some(*name));
        if let Some(name) = operation.depends_on.iter().find(|name| !is_known(name)) {
            return reject(format!("'{}' depends on '{name}', which does not precede it.", operation.id));
        }
        operations.push(operation);
    }
    Ok(operations)
}

impl BatchOperation {
    fn parse(request: &JsonMembers) -> Result<Self, BusinessCentralError> {
        let id: String = request.required("id")?;
        let method: String = request.required("method")?;
        let method = method.to_ascii_uppercase();
        if !["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD"].contains(&method.as_str()) {
            return reject(format!("'{method}' is not a method for a request in a batch."));
        }
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| BusinessCentralError::Method(method))?;
        let mut headers = HeaderMap::new();
        for (name, value) in request.optional::<JsonMembers>("headers")?.unwrap_or_default().0 {
            let value: String = serde_json::from_str(value.get()).map_err(malformed)?;
            match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes())) {
                (Ok(name), Ok(value)) => headers.insert(name, value),
                _ => return reject(format!("The header '{name}' of '{id}' is malformed.")),
            };
        }
        let body = match request.get("body") {
            Some(raw) => body(raw, &mut headers)?,
            None => Bytes::new(),
        };
        Ok(Self {
            method,
            url: request.required("url")?,
            headers,
            body,
            depends_on: request.optional("dependson")?.unwrap_or_default(),
            group: request.optional("atomicitygroup")?,
            id,
        })
    }
}

/// The bytes of a request's body, which is raw JSON, text in a string, or anything else in base64url.
fn body(raw: &RawValue, headers: &mut HeaderMap) -> Result<Bytes, BusinessCentralError> {
    let json = HeaderValue::from_static("application/json");
    let content_type = headers.entry(CONTENT_TYPE).or_insert(json).to_str().unwrap_or_default().to_ascii_lowercase();
    if content_type.starts_with("application/json") {
        return Ok(Bytes::copy_from_slice(raw.get().as_bytes()));
    }
    let text: String = serde_json::from_str(raw.get()).map_err(malformed)?;
    if content_type.starts_with("text/") {
        return Ok(text.into());
    }
    match URL_SAFE.decode(&text) {
        Ok(bytes) => Ok(bytes.into()),
        Err(error) => reject(format!("The request body is not base64url: {error}.")),
    }
}

/// The members of a JSON object, with names in lower case.
#[derive(Default)]
struct JsonMembers(Vec<(String, Box<RawValue>)>);

impl JsonMembers {
    fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    fn required<T: DeserializeOwned>(&self, name: &str) -> Result<T, BusinessCentralError> {
        self.optional(name)?.ok_or_else(|| BusinessCentralError::BadRequest(format!("The member '{name}' is missing.")))
    }

    fn optional<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, BusinessCentralError> {
        self.get(name).map(|raw| serde_json::from_str(raw.get())).transpose().map_err(malformed)
    }
}

impl<'de> Deserialize<'de> for JsonMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(JsonMembersVisitor)
    }
}

struct JsonMembersVisitor;

impl<'de> Visitor<'de> for JsonMembersVisitor {
    type Value = JsonMembers;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonMembers, A::Error> {
        let mut members = JsonMembers::default();
        while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
            let name = name.to_ascii_lowercase();
            if members.get(&name).is_some() {
                return Err(A::Error::custom(format!("the member '{name}' occurs twice")));
            }
            members.0.push((name, value));
        }
        Ok(members)
    }
}

fn malformed(error: serde_json::Error) -> BusinessCentralError {
    BusinessCentralError::BadRequest(format!("The batch could not be read: {error}."))
}

fn reject<T>(message: String) -> Result<T, BusinessCentralError> {
    Err(BusinessCentralError::BadRequest(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_accepted_in_any_case_but_only_once() {
        let batch =
            br#"{"Requests":[{"ID":"1","Method":"patch","URL":"a","HEADERS":{"if-Match":"*"},"Body":{"x":1.50}},
            {"id":"2","method":"GET","url":"b","dependsOn":["1"],"atomicityGroup":"g"}]}"#;
        let operations = parse(batch).unwrap();
        assert_eq!(operations[0].method, Method::PATCH);
        assert_eq!(operations[0].headers["if-match"], "*");
        assert_eq!(operations[0].body, r#"{"x":1.50}"#);
        assert_eq!(operations[1].depends_on, ["1"]);
        for wrong in [
            "",
            "[]",
            "{}",
            r#"{"requests":{}}"#,
            r#"{"requests":[],"Requests":[]}"#,
            r#"{"requests":[{"id":"1","method":"GET"}]}"#,
            r#"{"requests":[{"id":1,"method":"GET","url":"a"}]}"#,
            r#"{"requests":[{"id":"1","method":"GET","url":"a","URL":"b"}]}"#,
            r#"{"requests":[{"id":"1","method":"GET","url":"a","headers":{"A":"1","a":"2"}}]}"#,
            r#"{"requests":[{"id":"1","method":"TRACE","url":"a"}]}"#,
            r#"{"requests":[{"id":"1","method":"GET","url":"a"},{"id":"1","method":"GET","url":"a"}]}"#,
            r#"{"requests":[{"id":"1","method":"GET","url":"a","dependsOn":["2"]}]}"#,
        ] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
