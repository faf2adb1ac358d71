//! The codeunit `Tools`, published for SOAP and OData alike: `Echo` gives its text back, `PostOrder` posts a sales order and counts.

use bytes::Bytes;
use hyper::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::books::{Books, Owner};
use super::catalogue::SALES_ORDER;
use super::collection::json_body;
use super::errors::Failure;
use super::representation::json_response;
use super::request::Request;
use super::service::Service;

pub(super) const TOOLS: &str = "Tools";

/// A method of the codeunit; parameter and result are texts.
#[derive(Debug)]
pub(super) struct ToolsMethod {
    pub name: &'static str,
    pub parameter: &'static str,
}

pub(super) const METHODS: [ToolsMethod; 2] =
    [ToolsMethod { name: "Echo", parameter: "text" }, ToolsMethod { name: "PostOrder", parameter: "no" }];

impl ToolsMethod {
    pub fn named(name: &str) -> Option<&'static Self> {
        METHODS.iter().find(|method| method.name == name)
    }

    pub fn execute(&self, books: &mut Books, owner: Owner, argument: &str) -> Result<String, Failure> {
        let calls = books.codeunit_calls.get(self.name).copied().unwrap_or(0) + 1;
        let value = match self.name {
            "PostOrder" => {
                let order = books.records(owner, &SALES_ORDER)?.numbered(argument);
                let id = order.ok_or(Failure::RecordNotFound(SALES_ORDER.name))?.id;
                books.update(owner, &SALES_ORDER, id, vec![("status", json!("Posted"))])?;
                format!("PS-INV{}", 103_000 + calls)
            }
            _ => argument.to_owned(),
        };
        books.codeunit_calls.insert(self.name, calls);
        Ok(value)
    }

    /// Answers the unbound action `Tools_{name}`.
    pub fn answer(
        &self,
        service: &Service,
        books: &mut Books,
        owner: Owner,
        request: &Request,
    ) -> Result<Response<Bytes>, Failure> {
        if *request.method != Method::POST {
            return Err(Failure::Method(request.method.to_string()));
        }
        let parameters: Map<String, Value> = json_body(request)?;
        let argument = parameters.get(self.parameter).and_then(Value::as_str);
        let missing = || Failure::BadRequest(format!("The parameter '{}' is missing.", self.parameter));
        let value = self.execute(books, owner, argument.ok_or_else(missing)?)?;
        let mut body = service.context("#Edm.String");
        body.insert("value".to_owned(), Value::String(value));
        Ok(json_response(StatusCode::OK, service.level, &Value::Object(body)))
    }
}
