//! New values of columns, checked against their kind.

use serde_json::Value;
use uuid::Uuid;

use super::schema::{ColumnKind, EntityView};
use crate::simulator::business_central::errors::BusinessCentralError;

/// The new value of a column.
pub type ColumnValue = (&'static str, Value);

/// Checks the new value of a field.
pub fn column_value(view: &'static EntityView, field: &str, value: Value) -> Result<ColumnValue, BusinessCentralError> {
    let unknown =
        || BusinessCentralError::BadRequest(format!("The property '{field}' does not exist on type '{}'.", view.set));
    let column = view.column(field).ok_or_else(unknown)?;
    if !column.writable {
        return Err(BusinessCentralError::ReadOnly(field.to_owned()));
    }
    let fits = match column.kind {
        ColumnKind::Text(limit) => {
            let length = value.as_str().map(|text| text.chars().count());
            if let Some(length) = length.filter(|length| *length > limit) {
                return Err(BusinessCentralError::TooLong { field: field.to_owned(), length, limit });
            }
            value.is_string()
        }
        ColumnKind::Date | ColumnKind::DateTime => value.is_string(),
        ColumnKind::Decimal => value.is_number(),
        ColumnKind::Integer => value.is_i64(),
        ColumnKind::Boolean => value.is_boolean(),
        ColumnKind::Guid => value.as_str().is_some_and(|text| Uuid::try_parse(text).is_ok()),
    };
    if fits {
        Ok((column.name, value))
    } else {
        Err(BusinessCentralError::BadRequest(format!("Cannot convert the value of '{field}'.")))
    }
}
