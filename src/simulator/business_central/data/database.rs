//! The database: companies, their tables and files, and the tables that belong to no company.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::column_value::ColumnValue;
use super::records::{EMPTY_TABLE, Record, Records};
use super::schema::{Media, Table};
use super::tables::COMPANY;
use crate::simulator::business_central::errors::BusinessCentralError;
use crate::simulator::settings::CompanySettings;

/// The database of the environment.
#[derive(Clone)]
pub struct Database {
    pub companies: Vec<CompanyData>,
    environment: TableSet,
    /// The number of records created, changed or deleted.
    pub writes: u64,
    /// The number of executions of each codeunit method.
    pub codeunit_calls: BTreeMap<&'static str, u64>,
    /// Incremented by every write, so that every version of a record is unique.
    clock: u64,
}

#[derive(Clone)]
pub struct CompanyData {
    pub id: Uuid,
    pub name: String,
    shelf: TableSet,
}

/// The owner of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The environment, for records that belong to no company.
    Environment,
    /// The company at this index.
    Company(usize),
}

/// The tables and files of one owner.
#[derive(Clone)]
struct TableSet {
    /// The number of the owner, which is part of the IDs. Companies count from 1.
    number: u16,
    tables: BTreeMap<&'static str, Records>,
    created: u64,
    files: BTreeMap<(Uuid, &'static str), StoredFile>,
}

/// A picture or document.
#[derive(Debug, Clone)]
pub struct StoredFile {
    pub bytes: Bytes,
    pub version: u64,
}

impl TableSet {
    fn new(number: u16) -> Self {
        Self { number, tables: BTreeMap::new(), created: 0, files: BTreeMap::new() }
    }
}

impl Database {
    pub fn new(settings: &[CompanySettings]) -> Self {
        let company = |(number, company): (u16, &CompanySettings)| CompanyData {
            id: company.id,
            name: company.name.clone(),
            shelf: TableSet::new(number),
        };
        let mut environment = TableSet::new(0);
        let companies = environment.tables.entry(COMPANY.name).or_default();
        for (number, company) in (1_u64..).zip(settings) {
            let created = time(0);
            let record = Record::new(
                &COMPANY,
                company.id,
                number,
                [
                    ("systemVersion", json!("26.0.12345.0")),
                    ("timestamp", json!(20_000 + number)),
                    ("name", json!(company.name)),
                    ("displayName", json!(company.display_name)),
                    ("systemCreatedAt", json!(created)),
                    ("lastModifiedDateTime", json!(created)),
                ],
            );
            // Of two companies with the same name, only the first is found, as in `find_company`.
            let _ = companies.insert(record);
        }
        Self {
            companies: (1..).zip(settings).map(company).collect(),
            environment,
            writes: 0,
            codeunit_calls: BTreeMap::new(),
            clock: 0,
        }
    }

    pub fn company(&self, index: usize) -> Result<&CompanyData, BusinessCentralError> {
        self.companies.get(index).ok_or(BusinessCentralError::NoCompany)
    }

    /// The company with this ID or name (case-sensitive, as in Business Central).
    pub fn find_company(&self, name_or_id: &str) -> Result<usize, BusinessCentralError> {
        let id = Uuid::try_parse(name_or_id).ok();
        let matches = |company: &CompanyData| company.name == name_or_id || Some(company.id) == id;
        self.companies
            .iter()
            .position(matches)
            .ok_or_else(|| BusinessCentralError::CompanyNotFound(name_or_id.to_owned()))
    }

    pub fn records(&self, owner: Owner, table: &Table) -> Result<&Records, BusinessCentralError> {
        let shelf = match owner {
            Owner::Environment => &self.environment,
            Owner::Company(index) => &self.company(index)?.shelf,
        };
        Ok(shelf.tables.get(table.name).unwrap_or(&EMPTY_TABLE))
    }

    /// Creates a record. Without a number in `changes`, it gets the next one of the table's series.
    pub fn create(
        &mut self,
        owner: Owner,
        table: &'static Table,
        changes: Vec<ColumnValue>,
    ) -> Result<Record, BusinessCentralError> {
        let version = self.clock + 1;
        let shelf = self.shelf(owner)?;
        shelf.created += 1;
        let id = record_id(shelf.number, shelf.created);
        let mut record = Record::new(table, id, version, changes);
        if record.value(table.number) == &json!("") {
            record.change([(table.number, json!(format!("{}{:05}", table.number_series, shelf.created)))]);
        }
        record.change([("lastModifiedDateTime", json!(time(version)))]);
        shelf.tables.entry(table.name).or_default().insert(record.clone())?;
        self.written(version);
        Ok(record)
    }

    /// Changes a record, which then has a new version.
    pub fn update(
        &mut self,
        owner: Owner,
        table: &'static Table,
        id: Uuid,
        changes: Vec<ColumnValue>,
    ) -> Result<Record, BusinessCentralError> {
        let version = self.clock + 1;
        let missing = || BusinessCentralError::RecordNotFound(table.name);
        let records = self.shelf(owner)?.tables.entry(table.name).or_default();
        let mut record = records.get(id).ok_or_else(missing)?.clone();
        record.change(changes);
        record.change([("lastModifiedDateTime", json!(time(version)))]);
        record.version = version;
        let record = records.replace(record)?.ok_or_else(missing)?.clone();
        self.written(version);
        Ok(record)
    }

    pub fn delete(&mut self, owner: Owner, table: &'static Table, id: Uuid) -> Result<(), BusinessCentralError> {
        let version = self.clock + 1;
        let records = self.shelf(owner)?.tables.entry(table.name).or_default();
        records.remove(id).ok_or(BusinessCentralError::RecordNotFound(table.name))?;
        self.written(version);
        Ok(())
    }

    /// The file of a record.
    pub fn file(&self, owner: Owner, record: Uuid, media: &Media) -> Option<&StoredFile> {
        let shelf = match owner {
            Owner::Environment => &self.environment,
            Owner::Company(index) => &self.companies.get(index)?.shelf,
        };
        shelf.files.get(&(record, media.name))
    }

    pub fn store_file(
        &mut self,
        owner: Owner,
        record: Uuid,
        media: &'static Media,
        bytes: Bytes,
    ) -> Result<(), BusinessCentralError> {
        let version = self.clock + 1;
        self.shelf(owner)?.files.insert((record, media.name), StoredFile { bytes, version });
        self.written(version);
        Ok(())
    }

    /// Runs a transaction, which is undone if it fails.
    pub fn transaction<T, E>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let before = self.clone();
        let result = work(self);
        if result.is_err() {
            *self = before;
        }
        result
    }

    /// The time of the database in so many seconds.
    pub fn time_in(&self, seconds: u64) -> Value {
        json!(time(self.clock + seconds))
    }

    fn written(&mut self, version: u64) {
        self.clock = version;
        self.writes += 1;
    }

    fn shelf(&mut self, owner: Owner) -> Result<&mut TableSet, BusinessCentralError> {
        match owner {
            Owner::Environment => Ok(&mut self.environment),
            Owner::Company(index) => {
                self.companies.get_mut(index).map(|company| &mut company.shelf).ok_or(BusinessCentralError::NoCompany)
            }
        }
    }
}

/// The ID of an owner's record number `created`, the same in every run.
fn record_id(owner: u16, created: u64) -> Uuid {
    Uuid::from_fields(0x5b6c_8fd0, owner, 0xed11, &created.to_be_bytes())
}

/// The time of a write: one second per version, so that the data is the same in every run.
fn time(version: u64) -> String {
    let (days, seconds) = (version / 86_400 % 28 + 1, version % 86_400);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("2026-01-{days:02}T{hours:02}:{minutes:02}:{:02}Z", seconds % 60)
}
