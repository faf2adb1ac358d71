//! The codeunit `Tools`: `Echo` gives its text back, `PostOrder` posts a sales order and counts.

use serde_json::json;

use super::envelope::{Element, Fault, escape_text};
use crate::simulator::business_central::books::Books;
use crate::simulator::business_central::errors::Failure;
use crate::simulator::business_central::schema::SALES_ORDER;

pub(super) const TOOLS: &str = "Tools";

/// Codeunits keep the case of their name.
pub(super) const NAMESPACE: &str = "urn:microsoft-dynamics-schemas/codeunit/Tools";

/// The methods and their only parameter; all are texts.
pub(super) const METHODS: [(&str, &str); 2] = [("Echo", "text"), ("PostOrder", "no")];

/// Executes a method; returns the content of its result element.
pub(super) fn call(books: &mut Books, company: usize, operation: Element) -> Result<String, Fault> {
    let unknown = || Fault::UnknownOperation(operation.name().to_owned());
    let (method, parameter) = *METHODS.iter().find(|(method, _)| *method == operation.name()).ok_or_else(unknown)?;
    let argument = operation.parameter(parameter);
    let calls = books.codeunit_calls.get(method).copied().unwrap_or(0) + 1;
    let value = match method {
        "PostOrder" => {
            let order = books.company(company)?.find(&SALES_ORDER, |order| order.text("number") == argument);
            let id = order.ok_or(Failure::RecordNotFound(SALES_ORDER.name))?.id;
            books.update(company, &SALES_ORDER, id, vec![("status", json!("Posted"))])?;
            format!("PS-INV{}", 103_000 + calls)
        }
        _ => argument,
    };
    books.codeunit_calls.insert(method, calls);
    Ok(format!("<return_value>{}</return_value>", escape_text(&value)))
}
