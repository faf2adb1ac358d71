//! The codeunit `Tools` as a SOAP web service.

use super::envelope::{SoapFault, XmlElement, escape_text};
use crate::simulator::business_central::data::database::{Database, Owner};
use crate::simulator::business_central::tools::CodeunitMethod;

/// The namespace of the codeunit; unlike for pages, it keeps the case of the name.
pub(super) const NAMESPACE: &str = "urn:microsoft-dynamics-schemas/codeunit/Tools";

/// Executes a method and returns the content of its result element.
pub(super) fn call(database: &mut Database, owner: Owner, operation: XmlElement) -> Result<String, SoapFault> {
    let unknown = || SoapFault::UnknownOperation(operation.name().to_owned());
    let method = CodeunitMethod::named(operation.name()).ok_or_else(unknown)?;
    let value = method.execute(database, owner, &operation.parameter(method.parameter))?;
    Ok(format!("<return_value>{}</return_value>", escape_text(&value)))
}
