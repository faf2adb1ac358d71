//! Entity sets: their URLs and their records.

use uuid::Uuid;

use super::query::QueryOptions;
use super::service::ODataService;
use crate::simulator::business_central::address;
use crate::simulator::business_central::data::database::{Database, Owner};
use crate::simulator::business_central::data::records::Record;
use crate::simulator::business_central::data::schema::{EntityView, KeyKind, Navigation};
use crate::simulator::business_central::errors::BusinessCentralError;

/// The entity set that a request addresses.
pub(super) struct EntitySet<'a> {
    pub service: &'a ODataService<'a>,
    pub view: &'static EntityView,
    pub owner: Owner,
    /// The column and value that link the records to a parent, such as the lines of an order.
    pub within: Option<(&'static str, Uuid)>,
    /// The path of the entity set below the service.
    pub path: String,
}

impl EntitySet<'_> {
    /// The path of a record below the service.
    pub fn path_of(&self, record: &Record) -> String {
        let key = match self.view.key {
            KeyKind::Id => record.id.to_string(),
            KeyKind::Number => address::literal(record.number()),
        };
        format!("{}({key})", self.path)
    }

    /// The record with this key.
    pub fn find<'a>(&self, database: &'a Database, key: &str) -> Result<&'a Record, BusinessCentralError> {
        let malformed = || BusinessCentralError::Key(key.to_owned());
        let records = database.records(self.owner, self.view.table)?;
        // Before a quote there can only be the name of the field.
        let named = key.split_once('=').filter(|_| !key.starts_with('\''));
        let (field, value) = named.unwrap_or((self.view.key_field(), key));
        let record = match self.view.key {
            KeyKind::Number if field == self.view.key_field() => {
                records.numbered(&address::unquote(value).ok_or_else(malformed)?)
            }
            KeyKind::Id if field == self.view.key_field() => {
                records.get(Uuid::try_parse(value).map_err(|_| malformed())?)
            }
            _ => return Err(malformed()),
        };
        record.filter(|record| self.holds(record)).ok_or(BusinessCentralError::RecordNotFound(self.view.table.name))
    }

    /// Whether a record of the table belongs to this entity set.
    pub fn holds(&self, record: &Record) -> bool {
        self.within.is_none_or(|(column, id)| Uuid::try_parse(record.text(column)) == Ok(id))
    }

    /// The entity set that a navigation of a record leads to; `None` if it leads to a file.
    pub fn below(
        &self,
        database: &Database,
        record: &Record,
        navigation: &'static Navigation,
    ) -> Option<EntitySet<'_>> {
        let (view, owner, within) = match navigation {
            Navigation::Set(view) => (*view, Owner::Company(database.find_company(&record.id.to_string()).ok()?), None),
            Navigation::Lines(view, column) => (*view, self.owner, Some((*column, record.id))),
            Navigation::Media(_) => return None,
        };
        let path = format!("{}/{}", self.path_of(record), view.set);
        Some(EntitySet { service: self.service, view, owner, within, path })
    }

    /// The records that match the filter, in the order of creation.
    pub fn selected<'a>(
        &'a self,
        database: &'a Database,
        options: &'a QueryOptions,
    ) -> Result<impl Iterator<Item = &'a Record>, BusinessCentralError> {
        let records = database.records(self.owner, self.view.table)?;
        Ok(records.iter().filter(|record| self.is_selected(record, options)))
    }

    pub fn is_selected(&self, record: &Record, options: &QueryOptions) -> bool {
        self.holds(record) && options.filter.as_ref().is_none_or(|filter| filter.matches(record))
    }
}
