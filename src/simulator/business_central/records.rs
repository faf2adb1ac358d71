//! Records, and the rows of a table: in the order they were created, found by id and by number without a search.

use std::collections::BTreeMap;
use std::ops::Bound;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::errors::Failure;
use super::schema::{Kind, Table};

/// A column's new value.
pub(super) type Change = (&'static str, Value);

/// A record; every column of its table has a value.
#[derive(Debug, Clone)]
pub(super) struct Record {
    table: &'static Table,
    pub id: Uuid,
    pub version: u64,
    /// In the order of the table's columns.
    values: Vec<Value>,
}

impl Record {
    pub fn new(table: &'static Table, id: Uuid, version: u64, changes: impl IntoIterator<Item = Change>) -> Self {
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

    /// What a person tells it apart by.
    pub fn number(&self) -> &str {
        self.text(self.table.number)
    }

    /// The weak tag of this version, which begins like the real service's.
    pub fn etag(&self) -> String {
        etag(self.id, self.version)
    }

    pub fn change(&mut self, changes: impl IntoIterator<Item = Change>) {
        for (column, value) in changes {
            self.set(column, value);
        }
    }

    fn set(&mut self, column: &str, value: Value) {
        if let Some(place) = self.table.position(column).and_then(|position| self.values.get_mut(position)) {
            *place = value;
        }
    }
}

/// The weak tag of a version of something.
pub(super) fn etag(id: Uuid, version: u64) -> String {
    format!("W/\"{}\"", STANDARD.encode(format!("'44;{};{version};'", id.simple())))
}

fn empty_value(kind: Kind) -> Value {
    match kind {
        Kind::Text(_) => json!(""),
        Kind::Decimal | Kind::Integer => json!(0),
        Kind::Boolean => json!(false),
        Kind::Guid => json!(Uuid::nil()),
        Kind::Date => json!("0001-01-01"),
        Kind::DateTime => json!("0001-01-01T00:00:00Z"),
    }
}

/// The rows of a table.
#[derive(Debug, Clone, Default)]
pub(super) struct Records {
    rows: BTreeMap<u64, Record>,
    by_id: BTreeMap<Uuid, u64>,
    /// Numbers that are texts, which are unique.
    by_number: BTreeMap<String, u64>,
    last: u64,
}

/// What a table without rows is.
pub(super) static NO_RECORDS: Records = Records::new();

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

    /// The records behind the one with this id; `None` when there is no such record.
    pub fn after(&self, id: Uuid) -> Option<impl DoubleEndedIterator<Item = &Record>> {
        let row = *self.by_id.get(&id)?;
        Some(self.rows.range((Bound::Excluded(row), Bound::Unbounded)).map(|(_, record)| record))
    }

    /// The records before the one with this id; `None` when there is no such record.
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

    pub fn insert(&mut self, record: Record) -> Result<(), Failure> {
        let number = record.number();
        if !number.is_empty() {
            if self.by_number.contains_key(number) {
                return Err(Failure::SameKey(record.table.name));
            }
            self.by_number.insert(number.to_owned(), self.last);
        }
        self.by_id.insert(record.id, self.last);
        self.rows.insert(self.last, record);
        self.last += 1;
        Ok(())
    }

    /// Puts a new version in the place of a record; `None` when there is none.
    pub fn replace(&mut self, record: Record) -> Result<Option<&Record>, Failure> {
        let Some(row) = self.by_id.get(&record.id).and_then(|row| self.rows.get_mut(row)) else {
            return Ok(None);
        };
        let (before, after) = (row.number(), record.number());
        if before != after {
            if self.by_number.contains_key(after) {
                return Err(Failure::SameKey(record.table.name));
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
