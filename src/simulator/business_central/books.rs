//! The books: companies, their tables, their records.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::errors::Failure;
use super::schema::{Kind, Table};

/// All companies of the environment, and what was done to them.
pub(super) struct Books {
    pub companies: Vec<Company>,
    /// Creations, changes and deletions so far.
    pub writes: u64,
    /// Executions per codeunit method.
    pub codeunit_calls: BTreeMap<&'static str, u64>,
    /// Rises with every write; no two versions of a record are alike.
    clock: u64,
}

pub(super) struct Company {
    pub id: Uuid,
    pub name: String,
    pub display_name: String,
    /// Counts the companies from 1.
    pub number: u16,
    tables: BTreeMap<&'static str, Vec<Record>>,
    created: u64,
}

/// A column's new value.
pub(super) type Change = (&'static str, Value);

/// A record; every column of its table has a value.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub id: Uuid,
    pub version: u64,
    values: BTreeMap<&'static str, Value>,
}

impl Record {
    pub fn value(&self, column: &str) -> &Value {
        self.values.get(column).unwrap_or(&Value::Null)
    }

    pub fn text(&self, column: &str) -> &str {
        self.value(column).as_str().unwrap_or_default()
    }

    /// The weak tag of this version, which begins like the real service's.
    pub fn etag(&self) -> String {
        format!("W/\"{}\"", STANDARD.encode(format!("'44;{};{};'", self.id.simple(), self.version)))
    }
}

impl Company {
    pub fn new(number: u16, id: Uuid, name: &str, display_name: &str) -> Self {
        let (name, display_name) = (name.to_owned(), display_name.to_owned());
        Self { id, name, display_name, number, tables: BTreeMap::new(), created: 0 }
    }

    pub fn records(&self, table: &Table) -> &[Record] {
        self.tables.get(table.name).map_or(&[], Vec::as_slice)
    }

    pub fn find(&self, table: &Table, is_it: impl Fn(&Record) -> bool) -> Option<&Record> {
        self.records(table).iter().find(|record| is_it(record))
    }
}

impl Books {
    pub fn new(companies: Vec<Company>) -> Self {
        Self { companies, writes: 0, codeunit_calls: BTreeMap::new(), clock: 0 }
    }

    pub fn company(&self, index: usize) -> Result<&Company, Failure> {
        self.companies.get(index).ok_or(Failure::NoCompany)
    }

    /// The company with this name (case-sensitive, as in Business Central) or id.
    pub fn find_company(&self, name_or_id: &str) -> Result<usize, Failure> {
        let id = Uuid::try_parse(name_or_id).ok();
        let is_it = |company: &Company| company.name == name_or_id || Some(company.id) == id;
        self.companies.iter().position(is_it).ok_or_else(|| Failure::CompanyNotFound(name_or_id.to_owned()))
    }

    /// Adds a record. Without a number in `changes` the next one of the table's series is given.
    pub fn create(&mut self, company: usize, table: &'static Table, changes: Vec<Change>) -> Result<Record, Failure> {
        self.clock += 1;
        let version = self.clock;
        let company = self.companies.get_mut(company).ok_or(Failure::NoCompany)?;
        company.created += 1;
        let id = record_id(company.number, company.created);
        let mut values: BTreeMap<_, _> =
            table.columns.iter().map(|column| (column.name, empty_value(column.kind))).collect();
        values.insert("id", json!(id));
        values.extend(changes);
        if values.get(table.number) == Some(&json!("")) {
            values.insert(table.number, json!(format!("{}{:05}", table.number_series, company.created)));
        }
        values.insert("lastModifiedDateTime", json!(modified_at(version)));
        let records = company.tables.entry(table.name).or_default();
        let number = values.get(table.number);
        if number.is_some_and(Value::is_string) && records.iter().any(|other| Some(other.value(table.number)) == number)
        {
            return Err(Failure::SameKey(table.name));
        }
        let record = Record { id, version, values };
        records.push(record.clone());
        self.writes += 1;
        Ok(record)
    }

    /// Changes a record, which gets a new version by that.
    pub fn update(
        &mut self,
        company: usize,
        table: &'static Table,
        id: Uuid,
        changes: Vec<Change>,
    ) -> Result<Record, Failure> {
        let version = self.clock + 1;
        let company = self.companies.get_mut(company).ok_or(Failure::NoCompany)?;
        let records = company.tables.entry(table.name).or_default();
        for (column, value) in &changes {
            let taken = |other: &Record| other.id != id && other.value(table.number) == value;
            if *column == table.number && records.iter().any(taken) {
                return Err(Failure::SameKey(table.name));
            }
        }
        let record = records.iter_mut().find(|record| record.id == id).ok_or(Failure::RecordNotFound(table.name))?;
        record.values.extend(changes);
        record.values.insert("lastModifiedDateTime", json!(modified_at(version)));
        record.version = version;
        self.clock = version;
        self.writes += 1;
        Ok(record.clone())
    }

    pub fn delete(&mut self, company: usize, table: &'static Table, id: Uuid) -> Result<(), Failure> {
        let company = self.companies.get_mut(company).ok_or(Failure::NoCompany)?;
        let records = company.tables.entry(table.name).or_default();
        let index = records.iter().position(|record| record.id == id).ok_or(Failure::RecordNotFound(table.name))?;
        records.remove(index);
        self.writes += 1;
        Ok(())
    }
}

fn empty_value(kind: Kind) -> Value {
    match kind {
        Kind::Text(_) => json!(""),
        Kind::Decimal => json!(0),
        Kind::Boolean => json!(false),
        Kind::Guid => json!(Uuid::nil()),
    }
}

/// The same for the same company and place in every run.
fn record_id(company: u16, created: u64) -> Uuid {
    Uuid::from_fields(0x5b6c_8fd0, company, 0xed11, &created.to_be_bytes())
}

/// A time that depends on nothing but the version, so that every run gives the same data: one second per write.
fn modified_at(version: u64) -> String {
    let (days, seconds) = (version / 86_400 % 28 + 1, version % 86_400);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("2026-01-{days:02}T{hours:02}:{minutes:02}:{:02}Z", seconds % 60)
}
