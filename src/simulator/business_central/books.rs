//! The books: companies, their tables, their files, and what belongs to no company.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::catalogue::COMPANY;
use super::errors::Failure;
use super::records::{Change, NO_RECORDS, Record, Records};
use super::schema::{Media, Table};
use crate::simulator::CompanySettings;

/// All books of the environment, and what was done to them.
#[derive(Clone)]
pub(super) struct Books {
    pub companies: Vec<Company>,
    environment: Shelf,
    /// Creations, changes and deletions so far.
    pub writes: u64,
    /// Executions per codeunit method.
    pub codeunit_calls: BTreeMap<&'static str, u64>,
    /// Rises with every write; no two versions of a record are alike.
    clock: u64,
}

#[derive(Clone)]
pub(super) struct Company {
    pub id: Uuid,
    pub name: String,
    shelf: Shelf,
}

/// Whose a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody's but the environment's.
    Environment,
    /// The company at this index.
    Company(usize),
}

/// The tables and files of one owner.
#[derive(Clone)]
struct Shelf {
    /// Part of the ids: companies count from 1.
    number: u16,
    tables: BTreeMap<&'static str, Records>,
    created: u64,
    files: BTreeMap<(Uuid, &'static str), File>,
}

/// The bytes of a picture or document.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub bytes: Bytes,
    pub version: u64,
}

impl Shelf {
    fn new(number: u16) -> Self {
        Self { number, tables: BTreeMap::new(), created: 0, files: BTreeMap::new() }
    }
}

impl Books {
    pub fn new(settings: &[CompanySettings]) -> Self {
        let company = |(number, company): (u16, &CompanySettings)| Company {
            id: company.id,
            name: company.name.clone(),
            shelf: Shelf::new(number),
        };
        let mut environment = Shelf::new(0);
        let known = environment.tables.entry(COMPANY.name).or_default();
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
            // Of two companies of one name the first is found, here and by `find_company`.
            let _ = known.insert(record);
        }
        Self {
            companies: (1..).zip(settings).map(company).collect(),
            environment,
            writes: 0,
            codeunit_calls: BTreeMap::new(),
            clock: 0,
        }
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

    pub fn records(&self, owner: Owner, table: &Table) -> Result<&Records, Failure> {
        let shelf = match owner {
            Owner::Environment => &self.environment,
            Owner::Company(index) => &self.company(index)?.shelf,
        };
        Ok(shelf.tables.get(table.name).unwrap_or(&NO_RECORDS))
    }

    /// Adds a record. Without a number in `changes` the next one of the table's series is given.
    pub fn create(&mut self, owner: Owner, table: &'static Table, changes: Vec<Change>) -> Result<Record, Failure> {
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

    /// Changes a record, which gets a new version by that.
    pub fn update(
        &mut self,
        owner: Owner,
        table: &'static Table,
        id: Uuid,
        changes: Vec<Change>,
    ) -> Result<Record, Failure> {
        let version = self.clock + 1;
        let missing = || Failure::RecordNotFound(table.name);
        let records = self.shelf(owner)?.tables.entry(table.name).or_default();
        let mut record = records.get(id).ok_or_else(missing)?.clone();
        record.change(changes);
        record.change([("lastModifiedDateTime", json!(time(version)))]);
        record.version = version;
        let record = records.replace(record)?.ok_or_else(missing)?.clone();
        self.written(version);
        Ok(record)
    }

    pub fn delete(&mut self, owner: Owner, table: &'static Table, id: Uuid) -> Result<(), Failure> {
        let version = self.clock + 1;
        let records = self.shelf(owner)?.tables.entry(table.name).or_default();
        records.remove(id).ok_or(Failure::RecordNotFound(table.name))?;
        self.written(version);
        Ok(())
    }

    /// The file of a record.
    pub fn file(&self, owner: Owner, record: Uuid, media: &Media) -> Option<&File> {
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
    ) -> Result<(), Failure> {
        let version = self.clock + 1;
        self.shelf(owner)?.files.insert((record, media.name), File { bytes, version });
        self.written(version);
        Ok(())
    }

    /// Does all of the work, or leaves everything as it was.
    pub fn all_or_nothing<T, E>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let before = self.clone();
        let result = work(self);
        if result.is_err() {
            *self = before;
        }
        result
    }

    /// The time it will be after so many seconds.
    pub fn time_in(&self, seconds: u64) -> Value {
        json!(time(self.clock + seconds))
    }

    fn written(&mut self, version: u64) {
        self.clock = version;
        self.writes += 1;
    }

    fn shelf(&mut self, owner: Owner) -> Result<&mut Shelf, Failure> {
        match owner {
            Owner::Environment => Ok(&mut self.environment),
            Owner::Company(index) => {
                self.companies.get_mut(index).map(|company| &mut company.shelf).ok_or(Failure::NoCompany)
            }
        }
    }
}

/// The same for the same owner and place in every run.
fn record_id(owner: u16, created: u64) -> Uuid {
    Uuid::from_fields(0x5b6c_8fd0, owner, 0xed11, &created.to_be_bytes())
}

/// A time that depends on nothing but the version, so that every run gives the same data: one second per write.
fn time(version: u64) -> String {
    let (days, seconds) = (version / 86_400 % 28 + 1, version % 86_400);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("2026-01-{days:02}T{hours:02}:{minutes:02}:{:02}Z", seconds % 60)
}
