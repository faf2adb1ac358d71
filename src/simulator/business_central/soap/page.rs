//! The operations of a page published as a SOAP web service.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::criteria::Criteria;
use super::envelope::{SoapFault, XmlElement, escape_text};
use crate::simulator::business_central::data::column_value::{ColumnValue, column_value};
use crate::simulator::business_central::data::database::{Database, Owner};
use crate::simulator::business_central::data::records::Record;
use crate::simulator::business_central::data::schema::{ColumnKind, EntityView};
use crate::simulator::business_central::errors::BusinessCentralError;

/// The operations, in the order of the WSDL.
pub(super) const OPERATIONS: [&str; 10] = [
    "Read",
    "ReadByRecId",
    "ReadMultiple",
    "IsUpdated",
    "GetRecIdFromKey",
    "Create",
    "CreateMultiple",
    "Update",
    "UpdateMultiple",
    "Delete",
];

/// Executes an operation and returns the content of its result element.
pub(super) fn call(
    database: &mut Database,
    owner: Owner,
    view: &'static EntityView,
    operation: XmlElement,
) -> Result<String, SoapFault> {
    let page = SoapPage { owner, view };
    match operation.name() {
        "Read" => {
            let no = operation.parameter("No");
            let found = database.records(owner, view.table)?.numbered(&no);
            Ok(found.map(|record| page.element(record)).unwrap_or_default())
        }
        "ReadByRecId" => {
            let rec_id = operation.parameter("recId");
            let found = database.records(owner, view.table)?.iter().find(|record| page.rec_id(record) == rec_id);
            Ok(found.map(|record| page.element(record)).unwrap_or_default())
        }
        "ReadMultiple" => page.read_multiple(database, operation),
        "IsUpdated" => {
            let key = Bookmark::parse(&operation.parameter("Key"))?;
            let updated = page.at(database, &key)?.version != key.version;
            Ok(format!("<IsUpdated_Result>{updated}</IsUpdated_Result>"))
        }
        "GetRecIdFromKey" => {
            let key = Bookmark::parse(&operation.parameter("Key"))?;
            let rec_id = page.rec_id(page.at(database, &key)?);
            Ok(format!("<GetRecIdFromKey_Result>{}</GetRecIdFromKey_Result>", escape_text(&rec_id)))
        }
        "Create" => page.create(database, page.record_of(operation)?),
        "CreateMultiple" => page.each(database, operation, SoapPage::create),
        "Update" => page.update(database, page.record_of(operation)?),
        "UpdateMultiple" => page.each(database, operation, SoapPage::update),
        "Delete" => {
            let id = page.current(database, &operation.parameter("Key"))?;
            database.delete(owner, view.table, id)?;
            Ok("<Delete_Result>true</Delete_Result>".to_owned())
        }
        other => Err(SoapFault::UnknownOperation(other.to_owned())),
    }
}

/// A page in one company.
struct SoapPage {
    owner: Owner,
    view: &'static EntityView,
}

/// The `Key` of a record in SOAP: its ID and version. Opaque to clients.
struct Bookmark {
    id: Uuid,
    version: u64,
}

impl Bookmark {
    fn of(record: &Record) -> Self {
        Self { id: record.id, version: record.version }
    }

    fn write(&self) -> String {
        format!("24;{};{};", STANDARD.encode(self.id.as_bytes()), self.version)
    }

    fn parse(text: &str) -> Result<Self, SoapFault> {
        let parse = || {
            let mut parts = text.trim().strip_prefix("24;")?.split(';');
            let id = Uuid::from_slice(&STANDARD.decode(parts.next()?).ok()?).ok()?;
            Some(Self { id, version: parts.next()?.parse().ok()? })
        };
        parse().ok_or_else(|| SoapFault::Key(text.to_owned()))
    }
}

impl SoapPage {
    fn at<'a>(&self, database: &'a Database, key: &Bookmark) -> Result<&'a Record, SoapFault> {
        let table = self.view.table;
        Ok(database.records(self.owner, table)?.get(key.id).ok_or(BusinessCentralError::RecordNotFound(table.name))?)
    }

    /// The ID of the record to write, if it has not changed since the key was read.
    fn current(&self, database: &Database, key: &str) -> Result<Uuid, SoapFault> {
        let key = Bookmark::parse(key)?;
        if self.at(database, &key)?.version == key.version {
            Ok(key.id)
        } else {
            Err(BusinessCentralError::EntityChanged.into())
        }
    }

    fn rec_id(&self, record: &Record) -> String {
        format!("{}: {}", self.view.table.name, record.number())
    }

    /// The record as an element named after the service, without empty fields.
    fn element(&self, record: &Record) -> String {
        let fields: String = self
            .view
            .fields
            .iter()
            .map(|(field, column)| match record.value(column) {
                Value::String(text) if text.is_empty() => String::new(),
                Value::String(text) => format!("<{field}>{}</{field}>", escape_text(text)),
                value => format!("<{field}>{value}</{field}>"),
            })
            .collect();
        let name = self.view.set;
        format!("<{name}><Key>{}</Key>{fields}</{name}>", Bookmark::of(record).write())
    }

    fn create(&self, database: &mut Database, element: XmlElement) -> Result<String, SoapFault> {
        let changes = self.changes(element)?;
        Ok(self.element(&database.create(self.owner, self.view.table, changes)?))
    }

    fn update(&self, database: &mut Database, element: XmlElement) -> Result<String, SoapFault> {
        let id = self.current(database, &element.parameter("Key"))?;
        let changes = self.changes(element)?;
        Ok(self.element(&database.update(self.owner, self.view.table, id, changes)?))
    }

    /// Writes every record of a list, or none if one of them is rejected.
    fn each(
        &self,
        database: &mut Database,
        operation: XmlElement,
        write: impl Fn(&Self, &mut Database, XmlElement) -> Result<String, SoapFault>,
    ) -> Result<String, SoapFault> {
        let name = format!("{}_List", self.view.set);
        let missing = || SoapFault::Malformed(format!("the element {name} is missing"));
        let list = operation.child(&name).ok_or_else(missing)?;
        let records: String = database.transaction(|database| {
            let records = list.children().filter(|child| child.name() == self.view.set);
            records.map(|record| write(self, database, record)).collect::<Result<_, SoapFault>>()
        })?;
        Ok(format!("<{name}>{records}</{name}>"))
    }

    fn record_of<'a>(&self, operation: XmlElement<'a>) -> Result<XmlElement<'a>, SoapFault> {
        let name = self.view.set;
        operation.child(name).ok_or_else(|| SoapFault::Malformed(format!("the element {name} is missing")))
    }

    fn changes(&self, element: XmlElement) -> Result<Vec<ColumnValue>, SoapFault> {
        let fields = element.children().filter(|field| field.name() != "Key");
        fields
            .map(|field| Ok(column_value(self.view, field.name(), self.value(field.name(), field.text())?)?))
            .collect()
    }

    fn value(&self, field: &str, text: String) -> Result<Value, SoapFault> {
        let value = match self.view.column(field).map(|column| column.kind) {
            Some(ColumnKind::Decimal) => {
                text.trim().parse().ok().and_then(serde_json::Number::from_f64).map(Value::Number)
            }
            Some(ColumnKind::Boolean) => match text.trim() {
                "true" | "1" => Some(json!(true)),
                "false" | "0" => Some(json!(false)),
                _ => None,
            },
            _ => return Ok(Value::String(text)),
        };
        value.ok_or_else(|| SoapFault::Value(field.to_owned(), text))
    }

    /// The `setSize` records after `bookmarkKey` that match all filters. 0 selects all; a negative number reads
    /// backwards.
    fn read_multiple(&self, database: &Database, operation: XmlElement) -> Result<String, SoapFault> {
        let mut filters = Vec::new();
        for filter in operation.children().filter(|child| child.name() == "filter") {
            let (field, text) = (filter.parameter("Field"), filter.parameter("Criteria"));
            let column = self.view.column(&field).ok_or_else(|| SoapFault::Filter(field.clone()))?;
            filters.push((column.name, Criteria::parse(&text)?));
        }
        let size = operation.parameter("setSize");
        let size: i64 = match size.trim() {
            "" => 0,
            text => text.parse().map_err(|_| SoapFault::Value("setSize".to_owned(), size.clone()))?,
        };
        let records = database.records(self.owner, self.view.table)?;
        let bookmark = operation.parameter("bookmarkKey");
        let last = if bookmark.trim().is_empty() { None } else { Some(Bookmark::parse(&bookmark)?.id) };
        let gone = || BusinessCentralError::RecordNotFound(self.view.table.name);
        let rest: Box<dyn Iterator<Item = &Record>> = match (last, size < 0) {
            (None, false) => Box::new(records.iter()),
            (None, true) => Box::new(records.iter().rev()),
            (Some(last), false) => Box::new(records.after(last).ok_or_else(gone)?),
            (Some(last), true) => Box::new(records.before(last).ok_or_else(gone)?.rev()),
        };
        let limit = match usize::try_from(size.unsigned_abs()) {
            Ok(0) | Err(_) => usize::MAX,
            Ok(size) => size,
        };
        let matches = |record: &&Record| filters.iter().all(|(column, criteria)| criteria.holds(record.value(column)));
        let selected = rest.filter(matches).take(limit);
        let elements: String = selected.map(|record| self.element(record)).collect();
        Ok(format!("<ReadMultiple_Result>{elements}</ReadMultiple_Result>"))
    }
}
