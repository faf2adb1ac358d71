//! The operations of a page published as a SOAP web service.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::criteria::Criteria;
use super::envelope::{Element, Fault, escape_text};
use crate::simulator::business_central::books::{Books, Owner};
use crate::simulator::business_central::collection::change;
use crate::simulator::business_central::errors::Failure;
use crate::simulator::business_central::records::{Change, Record};
use crate::simulator::business_central::schema::{Kind, View};

/// The operations, in the order the WSDL lists them.
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

/// Executes an operation; returns the content of its result element.
pub(super) fn call(books: &mut Books, owner: Owner, view: &'static View, operation: Element) -> Result<String, Fault> {
    let page = Page { owner, view };
    match operation.name() {
        "Read" => {
            let no = operation.parameter("No");
            let found = books.records(owner, view.table)?.numbered(&no);
            Ok(found.map(|record| page.element(record)).unwrap_or_default())
        }
        "ReadByRecId" => {
            let rec_id = operation.parameter("recId");
            let found = books.records(owner, view.table)?.iter().find(|record| page.rec_id(record) == rec_id);
            Ok(found.map(|record| page.element(record)).unwrap_or_default())
        }
        "ReadMultiple" => page.read_multiple(books, operation),
        "IsUpdated" => {
            let key = Bookmark::parse(&operation.parameter("Key"))?;
            let updated = page.at(books, &key)?.version != key.version;
            Ok(format!("<IsUpdated_Result>{updated}</IsUpdated_Result>"))
        }
        "GetRecIdFromKey" => {
            let key = Bookmark::parse(&operation.parameter("Key"))?;
            let rec_id = page.rec_id(page.at(books, &key)?);
            Ok(format!("<GetRecIdFromKey_Result>{}</GetRecIdFromKey_Result>", escape_text(&rec_id)))
        }
        "Create" => page.create(books, page.record_of(operation)?),
        "CreateMultiple" => page.each(books, operation, Page::create),
        "Update" => page.update(books, page.record_of(operation)?),
        "UpdateMultiple" => page.each(books, operation, Page::update),
        "Delete" => {
            let id = page.current(books, &operation.parameter("Key"))?;
            books.delete(owner, view.table, id)?;
            Ok("<Delete_Result>true</Delete_Result>".to_owned())
        }
        other => Err(Fault::UnknownOperation(other.to_owned())),
    }
}

/// A page in one company.
struct Page {
    owner: Owner,
    view: &'static View,
}

/// SOAP's `Key`: which record, and in which version it was read. Opaque to clients.
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

    fn parse(text: &str) -> Result<Self, Fault> {
        let parse = || {
            let mut parts = text.trim().strip_prefix("24;")?.split(';');
            let id = Uuid::from_slice(&STANDARD.decode(parts.next()?).ok()?).ok()?;
            Some(Self { id, version: parts.next()?.parse().ok()? })
        };
        parse().ok_or_else(|| Fault::Key(text.to_owned()))
    }
}

impl Page {
    fn at<'a>(&self, books: &'a Books, key: &Bookmark) -> Result<&'a Record, Fault> {
        let table = self.view.table;
        Ok(books.records(self.owner, table)?.get(key.id).ok_or(Failure::RecordNotFound(table.name))?)
    }

    /// The record a write is meant for, provided nobody changed it since the key was read.
    fn current(&self, books: &Books, key: &str) -> Result<Uuid, Fault> {
        let key = Bookmark::parse(key)?;
        if self.at(books, &key)?.version == key.version { Ok(key.id) } else { Err(Failure::EntityChanged.into()) }
    }

    fn rec_id(&self, record: &Record) -> String {
        format!("{}: {}", self.view.table.name, record.number())
    }

    /// The record as an element named after the service; empty fields are left out.
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

    fn create(&self, books: &mut Books, element: Element) -> Result<String, Fault> {
        let changes = self.changes(element)?;
        Ok(self.element(&books.create(self.owner, self.view.table, changes)?))
    }

    fn update(&self, books: &mut Books, element: Element) -> Result<String, Fault> {
        let id = self.current(books, &element.parameter("Key"))?;
        let changes = self.changes(element)?;
        Ok(self.element(&books.update(self.owner, self.view.table, id, changes)?))
    }

    /// Writes every record of a list, or none when one of them is refused.
    fn each(
        &self,
        books: &mut Books,
        operation: Element,
        write: impl Fn(&Self, &mut Books, Element) -> Result<String, Fault>,
    ) -> Result<String, Fault> {
        let name = format!("{}_List", self.view.set);
        let missing = || Fault::Malformed(format!("the element {name} is missing"));
        let list = operation.child(&name).ok_or_else(missing)?;
        let records: String = books.all_or_nothing(|books| {
            let records = list.children().filter(|child| child.name() == self.view.set);
            records.map(|record| write(self, books, record)).collect::<Result<_, Fault>>()
        })?;
        Ok(format!("<{name}>{records}</{name}>"))
    }

    fn record_of<'a>(&self, operation: Element<'a>) -> Result<Element<'a>, Fault> {
        let name = self.view.set;
        operation.child(name).ok_or_else(|| Fault::Malformed(format!("the element {name} is missing")))
    }

    fn changes(&self, element: Element) -> Result<Vec<Change>, Fault> {
        let fields = element.children().filter(|field| field.name() != "Key");
        fields.map(|field| Ok(change(self.view, field.name(), self.value(field.name(), field.text())?)?)).collect()
    }

    fn value(&self, field: &str, text: String) -> Result<Value, Fault> {
        let value = match self.view.column(field).map(|column| column.kind) {
            Some(Kind::Decimal) => text.trim().parse().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
            Some(Kind::Boolean) => match text.trim() {
                "true" | "1" => Some(json!(true)),
                "false" | "0" => Some(json!(false)),
                _ => None,
            },
            _ => return Ok(Value::String(text)),
        };
        value.ok_or_else(|| Fault::Value(field.to_owned(), text))
    }

    /// A page of records: all filters hold, `setSize` of them (0 is all, a negative number goes backwards), after `bookmarkKey`.
    fn read_multiple(&self, books: &Books, operation: Element) -> Result<String, Fault> {
        let mut filters = Vec::new();
        for filter in operation.children().filter(|child| child.name() == "filter") {
            let (field, text) = (filter.parameter("Field"), filter.parameter("Criteria"));
            let column = self.view.column(&field).ok_or_else(|| Fault::Filter(field.clone()))?;
            filters.push((column.name, Criteria::parse(&text)?));
        }
        let size = operation.parameter("setSize");
        let size: i64 = match size.trim() {
            "" => 0,
            text => text.parse().map_err(|_| Fault::Value("setSize".to_owned(), size.clone()))?,
        };
        let records = books.records(self.owner, self.view.table)?;
        let bookmark = operation.parameter("bookmarkKey");
        let last = if bookmark.trim().is_empty() { None } else { Some(Bookmark::parse(&bookmark)?.id) };
        let gone = || Failure::RecordNotFound(self.view.table.name);
        let rest: Box<dyn Iterator<Item = &Record>> = match (last, size < 0) {
            (None, false) => Box::new(records.iter()),
            (None, true) => Box::new(records.iter().rev()),
            (Some(last), false) => Box::new(records.after(last).ok_or_else(gone)?),
            (Some(last), true) => Box::new(records.before(last).ok_or_else(gone)?.rev()),
        };
        let wanted = match usize::try_from(size.unsigned_abs()) {
            Ok(0) | Err(_) => usize::MAX,
            Ok(size) => size,
        };
        let matches = |record: &&Record| filters.iter().all(|(column, criteria)| criteria.holds(record.value(column)));
        let selected = rest.filter(matches).take(wanted);
        let elements: String = selected.map(|record| self.element(record)).collect();
        Ok(format!("<ReadMultiple_Result>{elements}</ReadMultiple_Result>"))
    }
}
