//! The codeunit `Tools`, published for SOAP and OData: `Echo` returns its text, `PostOrder` posts a sales order.

use serde_json::json;

use super::data::database::{Database, Owner};
use super::data::tables::SALES_ORDER;
use super::errors::BusinessCentralError;

/// The name of the codeunit.
pub(super) const TOOLS: &str = "Tools";

/// A method of the codeunit. Parameter and result are texts.
#[derive(Debug)]
pub(super) struct CodeunitMethod {
    pub name: &'static str,
    pub parameter: &'static str,
}

/// The methods of the codeunit.
pub(super) const METHODS: [CodeunitMethod; 2] =
    [CodeunitMethod { name: "Echo", parameter: "text" }, CodeunitMethod { name: "PostOrder", parameter: "no" }];

impl CodeunitMethod {
    pub fn named(name: &str) -> Option<&'static Self> {
        METHODS.iter().find(|method| method.name == name)
    }

    pub fn execute(
        &self,
        database: &mut Database,
        owner: Owner,
        argument: &str,
    ) -> Result<String, BusinessCentralError> {
        let calls = database.codeunit_calls.get(self.name).copied().unwrap_or(0) + 1;
        let value = match self.name {
            "PostOrder" => {
                let order = database.records(owner, &SALES_ORDER)?.numbered(argument);
                let id = order.ok_or(BusinessCentralError::RecordNotFound(SALES_ORDER.name))?.id;
                database.update(owner, &SALES_ORDER, id, vec![("status", json!("Posted"))])?;
                format!("PS-INV{}", 103_000 + calls)
            }
            _ => argument.to_owned(),
        };
        database.codeunit_calls.insert(self.name, calls);
        Ok(value)
    }
}
