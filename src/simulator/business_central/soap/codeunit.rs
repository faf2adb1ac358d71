//! The codeunit `Tools` as a SOAP web service.

use super::envelope::{Element, Fault, escape_text};
use crate::simulator::business_central::books::{Books, Owner};
use crate::simulator::business_central::tools::ToolsMethod;

/// Codeunits keep the case of their name.
pub(super) const NAMESPACE: &str = "urn:microsoft-dynamics-schemas/codeunit/Tools";

/// Executes a method; returns the content of its result element.
pub(super) fn call(books: &mut Books, owner: Owner, operation: Element) -> Result<String, Fault> {
    let unknown = || Fault::UnknownOperation(operation.name().to_owned());
    let method = ToolsMethod::named(operation.name()).ok_or_else(unknown)?;
    let value = method.execute(books, owner, &operation.parameter(method.parameter))?;
    Ok(format!("<return_value>{}</return_value>", escape_text(&value)))
}
