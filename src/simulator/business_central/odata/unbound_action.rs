//! Unbound actions: the methods of the codeunit `Tools`.

use bytes::Bytes;
use hyper::{Method, Response, StatusCode};
use serde_json::{Map, Value};

use super::service::ODataService;
use crate::simulator::business_central::data::database::{Database, Owner};
use crate::simulator::business_central::errors::BusinessCentralError;
use crate::simulator::business_central::request::ServiceRequest;
use crate::simulator::business_central::response::json_response;
use crate::simulator::business_central::tools::CodeunitMethod;

/// Executes the unbound action `Tools_{name}`.
pub(super) fn respond(
    method: &CodeunitMethod,
    service: &ODataService,
    database: &mut Database,
    owner: Owner,
    request: &ServiceRequest,
) -> Result<Response<Bytes>, BusinessCentralError> {
    if *request.method != Method::POST {
        return Err(BusinessCentralError::Method(request.method.to_string()));
    }
    let parameters: Map<String, Value> = request.json_body()?;
    let argument = parameters.get(method.parameter).and_then(Value::as_str);
    let missing = || BusinessCentralError::BadRequest(format!("The parameter '{}' is missing.", method.parameter));
    let value = method.execute(database, owner, argument.ok_or_else(missing)?)?;
    let mut body = service.context("#Edm.String");
    body.insert("value".to_owned(), Value::String(value));
    Ok(json_response(StatusCode::OK, service.level, &Value::Object(body)))
}
