//! The operations of a page published as a SOAP web service.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::envelope::{Element, Fault, escape_text};
use crate::simulator::business_central::books::{Books, Owner};
use crate::simulator::business_central::collection::change;
use crate::simulator::business_central::errors::Failure;
use crate::simulator::business_central::records::{Change, Record};
use crate::simulator::business_central::schema::{Kind, View};

/// The operations, in the order the WSDL lists them.
pub(super) const OPERATIONS: [&str; 8] =
    ["Read", "ReadByRecId", "ReadMultiple", "IsUpdated", "GetRecIdFromKey", "Create", "Update", "Delete"];

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
        "Create" => {
            let changes = page.changes(page.record_of(operation)?)?;
            Ok(page.element(&books.create(owner, view.table, changes)?))
        }
        "Update" => {
            let element = page.record_of(operation)?;
            let id = page.current(books, &element.parameter("Key"))?;
            let changes = page.changes(element)?;
            Ok(page.element(&books.update(owner, view.table, id, changes)?))
        }
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

/// A filter on one field: a value, a value with `*` in it, or a range.
#[derive(Debug, PartialEq, Eq)]
enum Criteria {
    Any,
    Exact(String),
    /// What stands between the stars.
    Wildcard(Vec<String>),
    Range(Option<String>, Option<String>),
}

impl Criteria {
    fn parse(text: &str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Ok(Self::Any);
        }
        if let Some(quoted) = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
            return Ok(Self::Exact(quoted.replace("''", "'")));
        }
        if text.contains(['|', '&', '<', '>', '=', '@', '?', '(', ')']) {
            return Err(Fault::Filter(text.to_owned()));
        }
        if let Some((from, to)) = text.split_once("..") {
            let bound = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            return Ok(Self::Range(bound(from), bound(to)));
        }
        if text.contains('*') {
            return Ok(Self::Wildcard(text.split('*').map(str::to_owned).collect()));
        }
        Ok(Self::Exact(text.to_owned()))
    }

    fn holds(&self, value: &Value) -> bool {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match self {
            Self::Any => true,
            Self::Exact(text) => compare(&value, text).is_eq(),
            Self::Wildcard(parts) => matches_parts(&value, parts),
            Self::Range(from, to) => {
                from.as_ref().is_none_or(|from| compare(&value, from).is_ge())
                    && to.as_ref().is_none_or(|to| compare(&value, to).is_le())
            }
        }
    }
}

/// Numbers by their value, everything else by its characters.
fn compare(one: &str, other: &str) -> std::cmp::Ordering {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(number), Ok(other_number)) => number.total_cmp(&other_number),
        _ => one.cmp(other),
    }
}

/// Whether the value begins with the first part, ends with the last and holds those between in their order.
fn matches_parts(value: &str, parts: &[String]) -> bool {
    let [first, middle @ .., last] = parts else {
        return false;
    };
    let Some(mut rest) = value.strip_prefix(first.as_str()) else {
        return false;
    };
    for part in middle {
        match rest.split_once(part.as_str()) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criteria_are_values_wildcards_and_ranges() {
        for (criteria, value, expected) in [
            ("", "x", true),
            ("10000", "10000", true),
            ("10000", "100000", false),
            ("10000..20000", "9999", false),
            ("10000..20000", "20000", true),
            ("..B", "A", true),
            ("B..", "A", false),
            ("Mü*", "Müller", true),
            ("*er", "Müller", true),
            ("*ll*", "Müller", true),
            ("M*l*r", "Müller", true),
            ("ab*ba", "aba", false),
            ("'a*b'", "a*b", true),
        ] {
            assert_eq!(Criteria::parse(criteria).unwrap().holds(&json!(value)), expected, "{criteria} {value}");
        }
        assert!(Criteria::parse("<>10000").is_err());
    }
}
