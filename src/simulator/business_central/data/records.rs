//! Records and the rows of a table: in the order of creation, indexed by ID and number.

use std::collections::BTreeMap;
use std::ops::Bound;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::column_value::ColumnValue;
use super::schema::{ColumnKind, Table};
use crate::simulator::business_central::errors::BusinessCentralError;

/// A record. It has a value for every column of its table.
#[derive(Debug, Clone)]
pub struct Record {
    table: &'static Table,
    pub id: Uuid,
    pub version: u64,
    /// In the order of the table's columns.
    values: Vec<Value>,
}

impl Record {
    pub fn new(table: &'static Table, id: Uuid, version: u64, changes: impl IntoIterator<Item = ColumnValue>) -> Self {
        let values = table.columns.iter().map(|column| empty_value(column.kind)).collect();
        let mut record = Self { table, id, version, values };
        record.set("id", json!(id));
        record.change(changes);
        record
    }

    pub fn value(&self, column: &str) -> &Value {
        self.table.position(column).and_then(|position| self.values.get(position)).unwrap_or(&Value::Null)
    }

    pub fn text(&self, column: &str) -> &str {
        self.value(column).as_str().unwrap_or_default()
    }

    /// The number by which users identify the record.
    pub fn number(&self) -> &str {
        self.text(self.table.number)
    }

    /// The weak ETag of this version, with the prefix of the real service.
    pub fn etag(&self) -> String {
        etag(self.id, self.version)
    }

    pub fn change(&mut self, changes: impl IntoIterator<Item = ColumnValue>) {
        for (column, value) in changes {
            self.set(column, value);
        }
    }

    fn set(&mut self, column: &str, value: Value) {
        if let Some(slot) = self.table.position(column).and_then(|position| self.values.get_mut(position)) {
            *slot = value;
        }
    }
}

/// The weak ETag of a version of a record or file.
pub fn etag(id: Uuid, version: u64) -> String {
    format!("W/\"{}\"", STANDARD.encode(format!("'44;{};{version};'", id.simple())))
}

fn empty_value(kind: ColumnKind) -> Value {
    match kind {
        ColumnKind::Text(_) => json!(""),
        ColumnKind::Decimal | ColumnKind::Integer => json!(0),
        ColumnKind::Boolean => json!(false),
        ColumnKind::Guid => json!(Uuid::nil()),
        ColumnKind::Date => json!("0001-01-01"),
        ColumnKind::DateTime => json!("0001-01-01T00:00:00Z"),
    }
}

/// The rows of a table.
#[derive(Debug, Clone, Default)]
pub struct Records {
    rows: BTreeMap<u64, Record>,
    by_id: BTreeMap<Uuid, u64>,
    /// The index of text numbers, which are unique.
    by_number: BTreeMap<String, u64>,
    last: u64,
}

/// The rows of an empty table.
pub static EMPTY_TABLE: Records = Records::new();

impl Records {
    const fn new() -> Self {
        Self { rows: BTreeMap::new(), by_id: BTreeMap::new(), by_number: BTreeMap::new(), last: 0 }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.rows.values()
    }

    /// The records after the one with this ID; `None` if it does not exist.
    pub fn after(&self, id: Uuid) -> Option<impl DoubleEndedIterator<Item = &Record>> {
        let row = *self.by_id.get(&id)?;
        Some(self.rows.range((Bound::Excluded(row), Bound::Unbounded)).map(|(_, record)| record))
    }

    /// The records before the one with this ID; `None` if it does not exist.
    pub fn before(&self, id: Uuid) -> Option<impl DoubleEndedIterator<Item = &Record>> {
        let row = *self.by_id.get(&id)?;
        Some(self.rows.range(..row).map(|(_, record)| record))
    }

    pub fn get(&self, id: Uuid) -> Option<&Record> {
        self.rows.get(self.by_id.get(&id)?)
    }

    pub fn numbered(&self, number: &str) -> Option<&Record> {
        self.rows.get(self.by_number.get(number)?)
    }

    pub fn insert(&mut self, record: Record) -> Result<(), BusinessCentralError> {
        let number = record.number();
        if !number.is_empty() {
            if self.by_number.contains_key(number) {
                return Err(BusinessCentralError::SameKey(record.table.name));
            }
            self.by_number.insert(number.to_owned(), self.last);
        }
        self.by_id.insert(record.id, self.last);
        self.rows.insert(self.last, record);
        self.last += 1;
        Ok(())
    }

    /// Replaces a record with a new version; `None` if it does not exist.
    pub fn replace(&mut self, record: Record) -> Result<Option<&Record>, BusinessCentralError> {
        let Some(row) = self.by_id.get(&record.id).and_then(|row| self.rows.get_mut(row)) else {
            return Ok(None);
        };
        let (before, after) = (row.number(), record.number());
        if before != after {
            if self.by_number.contains_key(after) {
                return Err(BusinessCentralError::SameKey(record.table.name));
            }
            if let Some(number) = self.by_number.remove(before) {
                self.by_number.insert(after.to_owned(), number);
            }
        }
        *row = record;
        Ok(Some(row))
    }

    pub fn remove(&mut self, id: Uuid) -> Option<Record> {
        let record = self.rows.remove(&self.by_id.remove(&id)?)?;
        self.by_number.remove(record.number());
        Some(record)
    }
}
