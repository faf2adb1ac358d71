//! Records as JSON: fields, annotations, pages, what they lead to.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::books::Books;
use super::collection::Collection;
use super::errors::Failure;
use super::media::MediaOf;
use super::query::{Expand, Options};
use super::records::Record;
use super::request::{Level, Request};
use super::schema::Navigation;

/// Some of a collection's records.
struct Page<'a> {
    records: Vec<&'a Record>,
    /// How many the collection has, where that was asked for.
    count: Option<usize>,
    /// Where the next page is.
    next_link: Option<String>,
}

impl Collection<'_> {
    /// One record as an answer of its own.
    pub fn entity(
        &self,
        books: &Books,
        status: StatusCode,
        record: &Record,
        options: &Options,
    ) -> Result<Response<Bytes>, Failure> {
        let mut body = self.context("/$entity");
        body.extend(self.fields(books, record, options)?);
        let mut response = json_response(status, self.service.level, &Value::Object(body));
        insert_header(response.headers_mut(), ETAG, &record.etag());
        Ok(response)
    }

    /// The answer to a write: the record, or as little as the client asked for.
    pub fn written(
        &self,
        books: &Books,
        status: StatusCode,
        record: &Record,
        request: &Request,
    ) -> Result<Response<Bytes>, Failure> {
        let mut response = if request.prefers("return=minimal") {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::NO_CONTENT;
            let headers = response.headers_mut();
            headers.insert("preference-applied", HeaderValue::from_static("return=minimal"));
            headers.insert("odata-version", HeaderValue::from_static("4.0"));
            insert_header(headers, ETAG, &record.etag());
            insert_header(headers, ENTITY_ID, &self.service.absolute(&self.path_of(record)));
            response
        } else {
            self.entity(books, status, record, &Options::default())?
        };
        if status == StatusCode::CREATED {
            self.add_location(response.headers_mut(), record);
        }
        Ok(response)
    }

    pub fn add_location(&self, headers: &mut HeaderMap, record: &Record) {
        let address = self.service.absolute(&self.path_of(record));
        insert_header(headers, LOCATION, &address);
        insert_header(headers, ENTITY_ID, &address);
    }

    pub fn page_response(
        &self,
        books: &Books,
        options: &Options,
        page_size: usize,
    ) -> Result<Response<Bytes>, Failure> {
        let page = self.page(books, options, page_size)?;
        let mut body = self.context("");
        body.extend(page.count.map(|count| ("@odata.count".to_owned(), json!(count))));
        body.insert("value".to_owned(), self.values(books, &page, options)?);
        body.extend(page.next_link.map(|link| ("@odata.nextLink".to_owned(), json!(link))));
        Ok(json_response(StatusCode::OK, self.service.level, &Value::Object(body)))
    }

    /// The records a filter lets through, in the order they were created.
    pub fn selected<'a>(
        &'a self,
        books: &'a Books,
        options: &'a Options,
    ) -> Result<impl Iterator<Item = &'a Record>, Failure> {
        let records = books.records(self.owner, self.view.table)?;
        Ok(records.iter().filter(|record| self.is_wanted(record, options)))
    }

    fn is_wanted(&self, record: &Record, options: &Options) -> bool {
        self.holds(record) && options.filter.as_ref().is_none_or(|filter| filter.matches(record))
    }

    fn page<'a>(&'a self, books: &'a Books, options: &'a Options, page_size: usize) -> Result<Page<'a>, Failure> {
        let stale = || Failure::BadRequest("The skip token is no longer valid.".to_owned());
        // Without an order the page begins where the last one ended, without a look at what lies before.
        let rest: Box<dyn Iterator<Item = &Record>> = match options.skip_token {
            None if options.order.is_empty() => Box::new(self.selected(books, options)?),
            Some(last) if options.order.is_empty() => {
                let records = books.records(self.owner, self.view.table)?.after(last).ok_or_else(stale)?;
                Box::new(records.filter(|record| self.is_wanted(record, options)))
            }
            last => {
                let mut sorted: Vec<&Record> = self.selected(books, options)?.collect();
                sorted.sort_by(|one, other| options.compare(one, other));
                let start = match last {
                    Some(last) => sorted.iter().position(|record| record.id == last).ok_or_else(stale)? + 1,
                    None => 0,
                };
                Box::new(sorted.into_iter().skip(start))
            }
        };
        let mut rest = rest.skip(options.skip);
        let length = options.top.map_or(page_size, |top| top.min(page_size));
        let records: Vec<&Record> = rest.by_ref().take(length).collect();
        let wants_more = options.top.is_none_or(|top| top > length);
        let next_link = match records.last() {
            Some(last) if wants_more && rest.next().is_some() => Some(self.next_link(options, length, last)),
            _ => None,
        };
        let count = if options.count { Some(self.selected(books, options)?.count()) } else { None };
        Ok(Page { records, count, next_link })
    }

    fn next_link(&self, options: &Options, length: usize, last: &Record) -> String {
        let mut query = options.lasting.clone();
        query.extend(options.top.map(|top| format!("$top={}", top.saturating_sub(length))));
        query.push(format!("{}$skiptoken={}", self.service.surface.link_options, last.id));
        format!("{}?{}", self.service.absolute(&self.path), query.join("&"))
    }

    fn values(&self, books: &Books, page: &Page, options: &Options) -> Result<Value, Failure> {
        let value = |record: &&Record| self.fields(books, record, options).map(Value::Object);
        page.records.iter().map(value).collect::<Result<_, _>>().map(Value::Array)
    }

    fn context(&self, end: &str) -> Map<String, Value> {
        self.service.context(&format!("#{}{end}", self.path))
    }

    fn fields(&self, books: &Books, record: &Record, options: &Options) -> Result<Map<String, Value>, Failure> {
        let mut members = Map::new();
        let address = || self.service.absolute(&self.path_of(record));
        if self.service.level == Level::Full {
            let entity = format!("#{}.{}", self.service.surface.namespace, self.view.entity);
            members.insert("@odata.type".to_owned(), json!(entity));
            members.insert("@odata.id".to_owned(), json!(address()));
            members.insert("@odata.editLink".to_owned(), json!(address()));
        }
        if self.service.level != Level::None {
            members.insert("@odata.etag".to_owned(), json!(record.etag()));
        }
        let is_wanted = |field: &&str| options.select.is_empty() || options.select.contains(field);
        for (field, column) in self.view.fields.iter().filter(|(field, _)| is_wanted(field)) {
            members.insert((*field).to_owned(), record.value(column).clone());
        }
        for expand in &options.expand {
            self.expand(&mut members, books, record, expand)?;
        }
        if self.service.level == Level::Full {
            for name in self.view.navigations.iter().map(Navigation::name) {
                let address = format!("{}/{name}", address());
                members.insert(format!("{name}@odata.associationLink"), json!(format!("{address}/$ref")));
                members.insert(format!("{name}@odata.navigationLink"), json!(address));
            }
        }
        Ok(members)
    }

    fn expand(
        &self,
        members: &mut Map<String, Value>,
        books: &Books,
        record: &Record,
        expand: &Expand,
    ) -> Result<(), Failure> {
        let name = expand.navigation.name();
        if let Navigation::Media(media) = expand.navigation {
            let media = MediaOf { collection: self, record, media };
            members.insert(name.to_owned(), Value::Object(media.fields(books)));
            return Ok(());
        }
        let below = self.below(books, record, expand.navigation);
        let below = below.ok_or_else(|| Failure::UnknownSegment(name.to_owned()))?;
        let page = below.page(books, &expand.options, self.service.place.settings.page_size)?;
        for (annotation, value) in below.context("") {
            members.insert(format!("{name}{annotation}"), value);
        }
        members.extend(page.count.map(|count| (format!("{name}@odata.count"), json!(count))));
        members.insert(name.to_owned(), below.values(books, &page, &expand.options)?);
        members.extend(page.next_link.map(|link| (format!("{name}@odata.nextLink"), json!(link))));
        Ok(())
    }
}

pub(super) const ENTITY_ID: HeaderName = HeaderName::from_static("odata-entityid");

pub(super) fn json_response(status: StatusCode, level: Level, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let json = match level {
        Level::None => "application/json; odata.metadata=none; odata.streaming=true",
        Level::Minimal => "application/json; odata.metadata=minimal; odata.streaming=true",
        Level::Full => "application/json; odata.metadata=full; odata.streaming=true",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(json));
    headers.insert("odata-version", HeaderValue::from_static("4.0"));
    response
}

/// Leaves a value out that can't stand in a header: it echoes what a client sent.
pub(super) fn insert_header(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
