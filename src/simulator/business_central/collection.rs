//! Records of one kind: reading, creating, changing and deleting them as OData does.

use bytes::Bytes;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::address::{self, Segment};
use super::books::{Books, Owner};
use super::errors::Failure;
use super::media::MediaOf;
use super::query::{self, Options};
use super::records::{Change, Record};
use super::representation::json_response;
use super::request::Request;
use super::schema::{Action, Key, Kind, Navigation, View};
use super::service::Service;

/// An entity set, as one request addresses it.
pub(super) struct Collection<'a> {
    pub service: &'a Service<'a>,
    pub view: &'static View,
    pub owner: Owner,
    /// The column and value that tie the records to another one: the lines of an order.
    pub within: Option<(&'static str, Uuid)>,
    /// Its address below the service.
    pub path: String,
}

impl Collection<'_> {
    /// Answers a request for the collection, one of its records or what stands below that.
    pub fn answer(
        &self,
        books: &mut Books,
        key: Option<&str>,
        rest: &[&str],
        request: &Request,
    ) -> Result<Response<Bytes>, Failure> {
        match (key, rest) {
            (None, []) => match *request.method {
                Method::POST if self.view.table.is_writable() => self.create(books, self.changes(request)?, request),
                _ => self.list(books, request),
            },
            (None, ["$count"]) => self.count(books, request),
            (None, ["$ref"]) => self.references(books, request),
            (Some(key), []) => {
                let record = self.find(books, key)?.clone();
                self.answer_record(books, &record, request)
            }
            (Some(key), [next, rest @ ..]) => {
                let record = self.find(books, key)?.clone();
                self.answer_below(books, &record, next, rest, request)
            }
            (None, rest) => Err(Failure::UnknownSegment(rest.join("/"))),
        }
    }

    /// Answers a request for one record.
    pub fn answer_record(
        &self,
        books: &mut Books,
        record: &Record,
        request: &Request,
    ) -> Result<Response<Bytes>, Failure> {
        match *request.method {
            Method::PATCH if self.view.table.is_writable() => {
                request.check_tag(&record.etag(), true)?;
                self.update(books, record, self.changes(request)?, request)
            }
            Method::DELETE if self.view.table.is_writable() => {
                request.check_tag(&record.etag(), false)?;
                books.delete(self.owner, self.view.table, record.id)?;
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::NO_CONTENT;
                Ok(response)
            }
            _ => {
                request.expect_read()?;
                let options = Options::parse(request.query, self.view)?;
                self.entity(books, StatusCode::OK, record, &options)
            }
        }
    }

    /// Answers a request for what stands below a record: `next` and `rest`.
    pub fn answer_below(
        &self,
        books: &mut Books,
        record: &Record,
        next: &str,
        rest: &[&str],
        request: &Request,
    ) -> Result<Response<Bytes>, Failure> {
        let Segment { name, key } = Segment::parse(next);
        if let Some(action) = name.strip_prefix(self.service.surface.namespace).and_then(|name| name.strip_prefix('.'))
        {
            let action =
                self.view.actions.iter().find(|known| known.name == action && key.is_none() && rest.is_empty());
            let action = action.ok_or_else(|| Failure::NoAction(name.to_owned()))?;
            return self.act(books, record, action, request);
        }
        let unknown = || Failure::UnknownSegment(name.to_owned());
        match self.view.navigation(name).ok_or_else(unknown)? {
            Navigation::Media(media) if key.is_none() => {
                MediaOf { collection: self, record, media }.answer(books, rest, request)
            }
            navigation => self.below(books, record, navigation).ok_or_else(unknown)?.answer(books, key, rest, request),
        }
    }

    /// The records a record leads to; `None` when it leads to something else.
    pub fn below(&self, books: &Books, record: &Record, navigation: &'static Navigation) -> Option<Collection<'_>> {
        let (view, owner, within) = match navigation {
            Navigation::Set(view) => (*view, Owner::Company(books.find_company(&record.id.to_string()).ok()?), None),
            Navigation::Lines(view, column) => (*view, self.owner, Some((*column, record.id))),
            Navigation::Media(_) => return None,
        };
        let path = format!("{}/{}", self.path_of(record), view.set);
        Some(Collection { service: self.service, view, owner, within, path })
    }

    /// The address of a record, below the service.
    pub fn path_of(&self, record: &Record) -> String {
        let key = match self.view.key {
            Key::Id => record.id.to_string(),
            Key::Number => address::literal(record.number()),
        };
        format!("{}({key})", self.path)
    }

    pub fn find<'a>(&self, books: &'a Books, key: &str) -> Result<&'a Record, Failure> {
        let malformed = || Failure::Key(key.to_owned());
        let records = books.records(self.owner, self.view.table)?;
        // What stands before a quote can only be the field's name.
        let named = key.split_once('=').filter(|_| !key.starts_with('\''));
        let (field, value) = named.unwrap_or((self.view.key_field(), key));
        let record = match self.view.key {
            Key::Number if field == self.view.key_field() => {
                records.numbered(&address::unquote(value).ok_or_else(malformed)?)
            }
            Key::Id if field == self.view.key_field() => records.get(Uuid::try_parse(value).map_err(|_| malformed())?),
            _ => return Err(malformed()),
        };
        record.filter(|record| self.holds(record)).ok_or(Failure::RecordNotFound(self.view.table.name))
    }

    /// Whether a record of the table belongs to this collection.
    pub fn holds(&self, record: &Record) -> bool {
        self.within.is_none_or(|(column, id)| Uuid::try_parse(record.text(column)) == Ok(id))
    }

    pub fn create(
        &self,
        books: &mut Books,
        mut changes: Vec<Change>,
        request: &Request,
    ) -> Result<Response<Bytes>, Failure> {
        changes.extend(self.within.map(|(column, id)| (column, Value::String(id.to_string()))));
        let record = books.create(self.owner, self.view.table, changes)?;
        self.written(books, StatusCode::CREATED, &record, request)
    }

    pub fn update(
        &self,
        books: &mut Books,
        record: &Record,
        changes: Vec<Change>,
        request: &Request,
    ) -> Result<Response<Bytes>, Failure> {
        let record = books.update(self.owner, self.view.table, record.id, changes)?;
        self.written(books, StatusCode::OK, &record, request)
    }

    /// Executes a bound action.
    fn act(
        &self,
        books: &mut Books,
        record: &Record,
        action: &Action,
        request: &Request,
    ) -> Result<Response<Bytes>, Failure> {
        if *request.method != Method::POST {
            return Err(Failure::Method(request.method.to_string()));
        }
        let record =
            books.update(self.owner, self.view.table, record.id, vec![("status", Value::from(action.status))])?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        self.add_location(response.headers_mut(), &record);
        Ok(response)
    }

    fn list(&self, books: &Books, request: &Request) -> Result<Response<Bytes>, Failure> {
        request.expect_read()?;
        let options = Options::parse(request.query, self.view)?;
        let page_size = query::page_size(request, self.service.place.settings.page_size);
        self.page_response(books, &options, page_size)
    }

    fn count(&self, books: &Books, request: &Request) -> Result<Response<Bytes>, Failure> {
        request.expect_read()?;
        let options = Options::parse(request.query, self.view)?;
        let count = self.selected(books, &options)?.count();
        let mut response = Response::new(Bytes::from(count.to_string()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        Ok(response)
    }

    /// The addresses of the records, and nothing else of them.
    fn references(&self, books: &Books, request: &Request) -> Result<Response<Bytes>, Failure> {
        request.expect_read()?;
        let options = Options::parse(request.query, self.view)?;
        let reference = |record: &Record| json!({"@odata.id": self.service.absolute(&self.path_of(record))});
        let mut body = self.service.context("#Collection($ref)");
        body.insert("value".to_owned(), self.selected(books, &options)?.map(reference).collect());
        Ok(json_response(StatusCode::OK, self.service.level, &Value::Object(body)))
    }

    /// The body of a write, column by column.
    pub fn changes(&self, request: &Request) -> Result<Vec<Change>, Failure> {
        let body: Map<String, Value> = json_body(request)?;
        let is_data = |field: &String| !field.contains('@');
        body.into_iter()
            .filter(|(field, _)| is_data(field))
            .map(|(field, value)| change(self.view, &field, value))
            .collect()
    }
}

/// The body of a request, which must be JSON.
pub(super) fn json_body<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, Failure> {
    if request.media_type() != "application/json" || request.headers.contains_key(CONTENT_ENCODING) {
        return Err(Failure::ContentType("application/json"));
    }
    serde_json::from_slice(request.whole_body()?)
        .map_err(|error| Failure::BadRequest(format!("The request body is no JSON object: {error}.")))
}

/// A field's new value, if it may have it.
pub(super) fn change(view: &'static View, field: &str, value: Value) -> Result<Change, Failure> {
    let unknown = || Failure::BadRequest(format!("The property '{field}' does not exist on type '{}'.", view.set));
    let column = view.column(field).ok_or_else(unknown)?;
    if !column.writable {
        return Err(Failure::ReadOnly(field.to_owned()));
    }
    let fits = match column.kind {
        Kind::Text(limit) => {
            let length = value.as_str().map(|text| text.chars().count());
            if let Some(length) = length.filter(|length| *length > limit) {
                return Err(Failure::TooLong { field: field.to_owned(), length, limit });
            }
            value.is_string()
        }
        Kind::Date | Kind::DateTime => value.is_string(),
        Kind::Decimal => value.is_number(),
        Kind::Integer => value.is_i64(),
        Kind::Boolean => value.is_boolean(),
        Kind::Guid => value.as_str().is_some_and(|text| Uuid::try_parse(text).is_ok()),
    };
    if fits {
        Ok((column.name, value))
    } else {
        Err(Failure::BadRequest(format!("Cannot convert the value of '{field}'.")))
    }
}
