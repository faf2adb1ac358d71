//! Records as JSON: fields, annotations, pages and expanded navigations.

use bytes::Bytes;
use hyper::header::{ETAG, HeaderName, HeaderValue, LOCATION};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::entity_set::EntitySet;
use super::media::MediaResource;
use super::query::{Expand, QueryOptions};
use crate::simulator::business_central::data::database::Database;
use crate::simulator::business_central::data::records::Record;
use crate::simulator::business_central::data::schema::Navigation;
use crate::simulator::business_central::errors::BusinessCentralError;
use crate::simulator::business_central::request::{MetadataLevel, ServiceRequest};
use crate::simulator::business_central::response::{insert_header, json_response, no_content};

/// A page of records.
struct RecordPage<'a> {
    records: Vec<&'a Record>,
    /// The number of all matching records, if requested.
    count: Option<usize>,
    /// The URL of the next page.
    next_link: Option<String>,
}

impl EntitySet<'_> {
    /// The response for a single record.
    pub fn entity(
        &self,
        database: &Database,
        status: StatusCode,
        record: &Record,
        options: &QueryOptions,
    ) -> Result<Response<Bytes>, BusinessCentralError> {
        let mut body = self.context("/$entity");
        body.extend(self.fields(database, record, options)?);
        let mut response = json_response(status, self.service.level, &Value::Object(body));
        insert_header(response.headers_mut(), ETAG, &record.etag());
        Ok(response)
    }

    /// The response to a write: the record, or only its URL and ETag with `Prefer: return=minimal`.
    pub fn written(
        &self,
        database: &Database,
        status: StatusCode,
        record: &Record,
        request: &ServiceRequest,
    ) -> Result<Response<Bytes>, BusinessCentralError> {
        let mut response = if request.prefers("return=minimal") {
            let mut response = no_content();
            let headers = response.headers_mut();
            headers.insert("preference-applied", HeaderValue::from_static("return=minimal"));
            headers.insert("odata-version", HeaderValue::from_static("4.0"));
            insert_header(headers, ETAG, &record.etag());
            insert_header(headers, ENTITY_ID, &self.service.absolute(&self.path_of(record)));
            response
        } else {
            self.entity(database, status, record, &QueryOptions::default())?
        };
        if status == StatusCode::CREATED {
            self.add_location(response.headers_mut(), record);
        }
        Ok(response)
    }

    /// Adds the headers with the URL of a record.
    pub fn add_location(&self, headers: &mut HeaderMap, record: &Record) {
        let address = self.service.absolute(&self.path_of(record));
        insert_header(headers, LOCATION, &address);
        insert_header(headers, ENTITY_ID, &address);
    }

    /// The response for a page of records.
    pub fn page_response(
        &self,
        database: &Database,
        options: &QueryOptions,
        page_size: usize,
    ) -> Result<Response<Bytes>, BusinessCentralError> {
        let page = self.page(database, options, page_size)?;
        let mut body = self.context("");
        body.extend(page.count.map(|count| ("@odata.count".to_owned(), json!(count))));
        body.insert("value".to_owned(), self.values(database, &page, options)?);
        body.extend(page.next_link.map(|link| ("@odata.nextLink".to_owned(), json!(link))));
        Ok(json_response(StatusCode::OK, self.service.level, &Value::Object(body)))
    }

    fn page<'a>(
        &'a self,
        database: &'a Database,
        options: &'a QueryOptions,
        page_size: usize,
    ) -> Result<RecordPage<'a>, BusinessCentralError> {
        let stale = || BusinessCentralError::BadRequest("The skip token is no longer valid.".to_owned());
        // Without `$orderby`, the page starts after the previous one, without reading the records before it.
        let rest: Box<dyn Iterator<Item = &Record>> = match options.skip_token {
            None if options.order.is_empty() => Box::new(self.selected(database, options)?),
            Some(last) if options.order.is_empty() => {
                let records = database.records(self.owner, self.view.table)?.after(last).ok_or_else(stale)?;
                Box::new(records.filter(|record| self.is_selected(record, options)))
            }
            last => {
                let mut sorted: Vec<&Record> = self.selected(database, options)?.collect();
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
        let expects_more = options.top.is_none_or(|top| top > length);
        let next_link = match records.last() {
            Some(last) if expects_more && rest.next().is_some() => Some(self.next_link(options, length, last)),
            _ => None,
        };
        let count = if options.count { Some(self.selected(database, options)?.count()) } else { None };
        Ok(RecordPage { records, count, next_link })
    }

    fn next_link(&self, options: &QueryOptions, length: usize, last: &Record) -> String {
        let mut query = options.carried_over.clone();
        query.extend(options.top.map(|top| format!("$top={}", top.saturating_sub(length))));
        query.push(format!("{}$skiptoken={}", self.service.surface.link_options, last.id));
        format!("{}?{}", self.service.absolute(&self.path), query.join("&"))
    }

    fn values(
        &self,
        database: &Database,
        page: &RecordPage,
        options: &QueryOptions,
    ) -> Result<Value, BusinessCentralError> {
        let value = |record: &&Record| self.fields(database, record, options).map(Value::Object);
        page.records.iter().map(value).collect::<Result<_, _>>().map(Value::Array)
    }

    fn context(&self, end: &str) -> Map<String, Value> {
        self.service.context(&format!("#{}{end}", self.path))
    }

    fn fields(
        &self,
        database: &Database,
        record: &Record,
        options: &QueryOptions,
    ) -> Result<Map<String, Value>, BusinessCentralError> {
        let mut members = Map::new();
        let address = || self.service.absolute(&self.path_of(record));
        if self.service.level == MetadataLevel::Full {
            let entity = format!("#{}.{}", self.service.surface.namespace, self.view.entity);
            members.insert("@odata.type".to_owned(), json!(entity));
            members.insert("@odata.id".to_owned(), json!(address()));
            members.insert("@odata.editLink".to_owned(), json!(address()));
        }
        if self.service.level != MetadataLevel::None {
            members.insert("@odata.etag".to_owned(), json!(record.etag()));
        }
        let is_selected = |field: &&str| options.select.is_empty() || options.select.contains(field);
        for (field, column) in self.view.fields.iter().filter(|(field, _)| is_selected(field)) {
            members.insert((*field).to_owned(), record.value(column).clone());
        }
        for expand in &options.expand {
            self.expand(&mut members, database, record, expand)?;
        }
        if self.service.level == MetadataLevel::Full {
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
        database: &Database,
        record: &Record,
        expand: &Expand,
    ) -> Result<(), BusinessCentralError> {
        let name = expand.navigation.name();
        if let Navigation::Media(media) = expand.navigation {
            let media = MediaResource { collection: self, record, media };
            members.insert(name.to_owned(), Value::Object(media.fields(database)));
            return Ok(());
        }
        let below = self.below(database, record, expand.navigation);
        let below = below.ok_or_else(|| BusinessCentralError::UnknownSegment(name.to_owned()))?;
        let page = below.page(database, &expand.options, self.service.environment.settings.page_size)?;
        for (annotation, value) in below.context("") {
            members.insert(format!("{name}{annotation}"), value);
        }
        members.extend(page.count.map(|count| (format!("{name}@odata.count"), json!(count))));
        members.insert(name.to_owned(), below.values(database, &page, &expand.options)?);
        members.extend(page.next_link.map(|link| (format!("{name}@odata.nextLink"), json!(link))));
        Ok(())
    }
}

const ENTITY_ID: HeaderName = HeaderName::from_static("odata-entityid");
