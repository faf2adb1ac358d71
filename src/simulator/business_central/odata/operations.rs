//! The operations on an entity set: reading, creating, changing and deleting records.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::entity_set::EntitySet;
use super::media::MediaResource;
use super::query::{self, QueryOptions};
use crate::simulator::business_central::address::PathSegment;
use crate::simulator::business_central::data::column_value::{ColumnValue, column_value};
use crate::simulator::business_central::data::database::Database;
use crate::simulator::business_central::data::records::Record;
use crate::simulator::business_central::data::schema::{Action, Navigation};
use crate::simulator::business_central::errors::BusinessCentralError;
use crate::simulator::business_central::request::ServiceRequest;
use crate::simulator::business_central::response::{json_response, no_content};

impl EntitySet<'_> {
    /// Answers a request for the entity set, a record or a resource below it.
    pub fn respond(
        &self,
        database: &mut Database,
        key: Option<&str>,
        rest: &[&str],
        request: &ServiceRequest,
    ) -> Result<Response<Bytes>, BusinessCentralError> {
        match (key, rest) {
            (None, []) => match *request.method {
                Method::POST if self.view.table.is_writable() => self.create(database, self.changes(request)?, request),
                _ => self.list(database, request),
            },
            (None, ["$count"]) => self.count(database, request),
            (None, ["$ref"]) => self.references(database, request),
            (Some(key), []) => {
                let record = self.find(database, key)?.clone();
                self.respond_record(database, &record, request)
            }
            (Some(key), [next, rest @ ..]) => {
                let record = self.find(database, key)?.clone();
                self.respond_below(database, &record, next, rest, request)
            }
            (None, rest) => Err(BusinessCentralError::UnknownSegment(rest.join("/"))),
        }
    }

    /// Answers a request for one record.
    pub fn respond_record(
        &self,
        database: &mut Database,
        record: &Record,
        request: &ServiceRequest,
    ) -> Result<Response<Bytes>, BusinessCentralError> {
        match *request.method {
            Method::PATCH if self.view.table.is_writable() => {
                request.check_tag(&record.etag())?;
                self.update(database, record, self.changes(request)?, request)
            }
            Method::DELETE if self.view.table.is_writable() => {
                request.check_tag(&record.etag())?;
                database.delete(self.owner, self.view.table, record.id)?;
                Ok(no_content())
            }
            _ => {
                request.expect_read()?;
                let options = QueryOptions::parse(request.query, self.view)?;
                self.entity(database, StatusCode::OK, record, &options)
            }
        }
    }

    /// Answers a request for the resource at `next` and `rest` below a record.
    pub fn respond_below(
        &self,
        database: &mut Database,
        record: &Record,
        next: &str,
        rest: &[&str],
        request: &ServiceRequest,
    ) -> Result<Response<Bytes>, BusinessCentralError> {
        let PathSegment { name, key } = PathSegment::parse(next);
        if let Some(action) = name.strip_prefix(self.service.surface.namespace).and_then(|name| name.strip_prefix('.'))
        {
            let action =
                self.view.actions.iter().find(|known| known.name == action && key.is_none() && rest.is_empty());
            let action = action.ok_or_else(|| BusinessCentralError::NoAction(name.to_owned()))?;
            return self.act(database, record, action, request);
        }
        let unknown = || BusinessCentralError::UnknownSegment(name.to_owned());
        match self.view.navigation(name).ok_or_else(unknown)? {
            Navigation::Media(media) if key.is_none() => {
                MediaResource { collection: self, record, media }.respond(database, rest, request)
            }
            navigation => {
                self.below(database, record, navigation).ok_or_else(unknown)?.respond(database, key, rest, request)
            }
        }
    }

    /// Creates a record.
    pub fn create(
        &self,
        database: &mut Database,
        mut changes: Vec<ColumnValue>,
        request: &ServiceRequest,
    ) -> Result<Response<Bytes>, BusinessCentralError> {
        changes.extend(self.within.map(|(column, id)| (column, Value::String(id.to_string()))));
        let record = database.create(self.owner, self.view.table, changes)?;
        self.written(database, StatusCode::CREATED, &record, request)
    }

    /// Changes a record.
    pub fn update(
        &self,
        database: &mut Database,
        record: &Record,
        changes: Vec<ColumnValue>,
        request: &ServiceRequest,
    ) -> Result<Response<Bytes>, BusinessCentralError> {
        let record = database.update(self.owner, self.view.table, record.id, changes)?;
        self.written(database, StatusCode::OK, &record, request)
    }

    /// Executes a bound action.
    fn act(
        &self,
        database: &mut Database,
        record: &Record,
        action: &Action,
        request: &ServiceRequest,
    ) -> Result<Response<Bytes>, BusinessCentralError> {
        if *request.method != Method::POST {
            return Err(BusinessCentralError::Method(request.method.to_string()));
        }
        let record =
            database.update(self.owner, self.view.table, record.id, vec![("status", Value::from(action.status))])?;
        let mut response = no_content();
        self.add_location(response.headers_mut(), &record);
        Ok(response)
    }

    fn list(&self, database: &Database, request: &ServiceRequest) -> Result<Response<Bytes>, BusinessCentralError> {
        request.expect_read()?;
        let options = QueryOptions::parse(request.query, self.view)?;
        let page_size = query::page_size(request, self.service.environment.settings.page_size);
        self.page_response(database, &options, page_size)
    }

    fn count(&self, database: &Database, request: &ServiceRequest) -> Result<Response<Bytes>, BusinessCentralError> {
        request.expect_read()?;
        let options = QueryOptions::parse(request.query, self.view)?;
        let count = self.selected(database, &options)?.count();
        let mut response = Response::new(Bytes::from(count.to_string()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        Ok(response)
    }

    /// The URLs of the records, without their fields.
    fn references(
        &self,
        database: &Database,
        request: &ServiceRequest,
    ) -> Result<Response<Bytes>, BusinessCentralError> {
        request.expect_read()?;
        let options = QueryOptions::parse(request.query, self.view)?;
        let reference = |record: &Record| json!({"@odata.id": self.service.absolute(&self.path_of(record))});
        let mut body = self.service.context("#Collection($ref)");
        body.insert("value".to_owned(), self.selected(database, &options)?.map(reference).collect());
        Ok(json_response(StatusCode::OK, self.service.level, &Value::Object(body)))
    }

    /// The column values in the body of a write.
    pub fn changes(&self, request: &ServiceRequest) -> Result<Vec<ColumnValue>, BusinessCentralError> {
        let body: Map<String, Value> = request.json_body()?;
        let is_data = |field: &String| !field.contains('@');
        body.into_iter()
            .filter(|(field, _)| is_data(field))
            .map(|(field, value)| column_value(self.view, &field, value))
            .collect()
    }
}
