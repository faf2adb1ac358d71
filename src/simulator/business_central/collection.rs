//! An entity set of a company: reading, creating, changing and deleting its records as OData does.

use bytes::Bytes;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH, LOCATION};
use hyper::{HeaderMap, Method, Response, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Request;
use super::address;
use super::books::{Books, Change, Record};
use super::errors::Failure;
use super::query::{self, Options};
use super::schema::{Key, Kind, View};

/// A company's entity set, as one request addresses it.
pub(super) struct Collection {
    pub view: &'static View,
    /// Its index in the books.
    pub company: usize,
    /// The column and value that tie the records to another one: the lines of an order.
    pub within: Option<(&'static str, Uuid)>,
    /// The collection's absolute address.
    pub address: String,
    /// The absolute address of its description.
    pub context: String,
    /// What a nextLink says before `$skiptoken`.
    pub link_options: &'static str,
    pub page_size: usize,
}

impl Collection {
    /// Answers a request for the collection itself.
    pub fn answer(&self, books: &mut Books, request: &Request) -> Result<Response<Bytes>, Failure> {
        match *request.method {
            Method::GET | Method::HEAD => self.list(books, request),
            Method::POST => self.create(books, request),
            _ => Err(Failure::Method(request.method.to_string())),
        }
    }

    /// Answers a request for the number of records: `customers/$count`.
    pub fn answer_count(&self, books: &Books, request: &Request) -> Result<Response<Bytes>, Failure> {
        request.expect_read()?;
        let options = Options::parse(request.query, self.view)?;
        let mut response = Response::new(Bytes::from(self.selected(books, &options)?.len().to_string()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        Ok(response)
    }

    /// Answers a request for one record.
    pub fn answer_record(&self, books: &mut Books, key: &str, request: &Request) -> Result<Response<Bytes>, Failure> {
        let record = self.find(books, key)?.clone();
        match *request.method {
            Method::GET | Method::HEAD => {
                let options = Options::parse(request.query, self.view)?;
                Ok(self.entity(StatusCode::OK, &record, &options.select))
            }
            Method::PATCH => {
                let tag = request.headers.get(IF_MATCH).ok_or(Failure::NoConcurrencyToken)?;
                check_tag(tag, &record)?;
                let changes = self.changes(request)?;
                let record = books.update(self.company, self.view.table, record.id, changes)?;
                Ok(self.entity(StatusCode::OK, &record, &[]))
            }
            Method::DELETE => {
                request.headers.get(IF_MATCH).map_or(Ok(()), |tag| check_tag(tag, &record))?;
                books.delete(self.company, self.view.table, record.id)?;
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::NO_CONTENT;
                Ok(response)
            }
            _ => Err(Failure::Method(request.method.to_string())),
        }
    }

    pub fn find<'a>(&self, books: &'a Books, key: &str) -> Result<&'a Record, Failure> {
        let malformed = || Failure::Key(key.to_owned());
        let table = self.view.table;
        let company = books.company(self.company)?;
        let record = match self.view.key {
            Key::Id => {
                let id = Uuid::try_parse(key.trim_start_matches("id=")).map_err(|_| malformed())?;
                company.find(table, |record| record.id == id)
            }
            Key::Number => {
                let number = address::unquote(key.trim_start_matches("No=")).ok_or_else(malformed)?;
                company.find(table, |record| record.text(table.number) == number)
            }
        };
        record.filter(|record| self.holds(record)).ok_or(Failure::RecordNotFound(table.name))
    }

    fn list(&self, books: &Books, request: &Request) -> Result<Response<Bytes>, Failure> {
        let options = Options::parse(request.query, self.view)?;
        let selected = self.selected(books, &options)?;
        let start = match options.skip_token {
            None => options.skip,
            Some(last) => match selected.iter().position(|record| record.id == last) {
                Some(index) => index + 1,
                None => return Err(Failure::BadRequest("The skip token is no longer valid.".to_owned())),
            },
        };
        let left = selected.len().saturating_sub(start);
        let wanted = options.top.unwrap_or(left).min(left);
        let length = wanted.min(query::page_size(request.headers, self.page_size));
        let page: Vec<&Record> = selected.iter().skip(start).take(length).copied().collect();

        let mut body = Map::new();
        body.insert("@odata.context".to_owned(), json!(self.context));
        if options.count {
            body.insert("@odata.count".to_owned(), json!(selected.len()));
        }
        let values = page.iter().map(|record| Value::Object(self.fields(record, &options.select))).collect();
        body.insert("value".to_owned(), Value::Array(values));
        if let Some(last) = page.last().filter(|_| wanted > length) {
            let top = options.top.map(|_| wanted - length);
            body.insert("@odata.nextLink".to_owned(), json!(self.next_link(&options, top, last)));
        }
        Ok(json_response(StatusCode::OK, &Value::Object(body)))
    }

    fn selected<'a>(&self, books: &'a Books, options: &Options) -> Result<Vec<&'a Record>, Failure> {
        let records = books.company(self.company)?.records(self.view.table).iter();
        let is_wanted = |record: &&Record| {
            self.holds(record) && options.filter.as_ref().is_none_or(|filter| filter.matches(record))
        };
        let mut selected: Vec<&Record> = records.filter(is_wanted).collect();
        selected.sort_by(|one, other| options.compare(one, other));
        Ok(selected)
    }

    fn holds(&self, record: &Record) -> bool {
        self.within.is_none_or(|(column, id)| Uuid::try_parse(record.text(column)) == Ok(id))
    }

    fn next_link(&self, options: &Options, top: Option<usize>, last: &Record) -> String {
        let mut query = options.lasting.clone();
        query.extend(top.map(|top| format!("$top={top}")));
        query.push(format!("{}$skiptoken={}", self.link_options, last.id));
        format!("{}?{}", self.address, query.join("&"))
    }

    fn create(&self, books: &mut Books, request: &Request) -> Result<Response<Bytes>, Failure> {
        let mut changes = self.changes(request)?;
        changes.extend(self.within.map(|(column, id)| (column, json!(id))));
        let record = books.create(self.company, self.view.table, changes)?;
        let mut response = self.entity(StatusCode::CREATED, &record, &[]);
        let key = match self.view.key {
            Key::Id => record.id.to_string(),
            Key::Number => address::literal(record.text(self.view.table.number)),
        };
        insert_header(response.headers_mut(), LOCATION, &format!("{}({key})", self.address));
        Ok(response)
    }

    fn entity(&self, status: StatusCode, record: &Record, select: &[&str]) -> Response<Bytes> {
        let mut body = Map::new();
        body.insert("@odata.context".to_owned(), json!(format!("{}/$entity", self.context)));
        body.extend(self.fields(record, select));
        let mut response = json_response(status, &Value::Object(body));
        insert_header(response.headers_mut(), ETAG, &record.etag());
        response
    }

    fn fields(&self, record: &Record, select: &[&str]) -> Map<String, Value> {
        let is_wanted = |field: &str| select.is_empty() || select.contains(&field);
        let etag = ("@odata.etag".to_owned(), json!(record.etag()));
        let fields = self.view.fields.iter().filter(|(field, _)| is_wanted(field));
        std::iter::once(etag)
            .chain(fields.map(|(field, column)| (field.to_string(), record.value(column).clone())))
            .collect()
    }

    /// The body of a write, column by column.
    fn changes(&self, request: &Request) -> Result<Vec<Change>, Failure> {
        let content_type = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") || request.headers.contains_key(CONTENT_ENCODING) {
            return Err(Failure::ContentType("application/json"));
        }
        let body: Map<String, Value> = serde_json::from_slice(request.whole_body()?)
            .map_err(|error| Failure::BadRequest(format!("The request body is no JSON object: {error}.")))?;
        let is_data = |field: &String| !field.contains('@');
        body.into_iter()
            .filter(|(field, _)| is_data(field))
            .map(|(field, value)| change(self.view, &field, value))
            .collect()
    }
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
        Kind::Decimal => value.is_number(),
        Kind::Boolean => value.is_boolean(),
        Kind::Guid => value.as_str().is_some_and(|text| Uuid::try_parse(text).is_ok()),
    };
    if fits {
        Ok((column.name, value))
    } else {
        Err(Failure::BadRequest(format!("Cannot convert the value of '{field}'.")))
    }
}

fn check_tag(tag: &HeaderValue, record: &Record) -> Result<(), Failure> {
    match tag.to_str() {
        Ok("*") => Ok(()),
        Ok(tag) if tag == record.etag() => Ok(()),
        Ok(tag) if tag.starts_with("W/\"") => Err(Failure::EntityChanged),
        _ => Err(Failure::NoConcurrencyToken),
    }
}

pub(super) fn json_response(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json; odata.metadata=minimal; odata.streaming=true");
    headers.insert(CONTENT_TYPE, json);
    headers.insert("odata-version", HeaderValue::from_static("4.0"));
    response
}

/// Leaves a value out that can't stand in a header: it echoes what a client sent.
fn insert_header(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
