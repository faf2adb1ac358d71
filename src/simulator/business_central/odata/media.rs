//! Files of records: the entity that describes a file, and its bytes, with support for `Range`.

use bytes::Bytes;
use hyper::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, RANGE};
use hyper::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::entity_set::EntitySet;
use crate::simulator::business_central::data::database::{Database, StoredFile};
use crate::simulator::business_central::data::records::{self, Record};
use crate::simulator::business_central::data::schema::Media;
use crate::simulator::business_central::errors::BusinessCentralError;
use crate::simulator::business_central::request::{MetadataLevel, ServiceRequest};
use crate::simulator::business_central::response::{insert_header, json_response, no_content};

/// The file of one record.
pub(super) struct MediaResource<'a> {
    pub collection: &'a EntitySet<'a>,
    pub record: &'a Record,
    pub media: &'static Media,
}

impl MediaResource<'_> {
    /// Answers a request for the entity or for its bytes.
    pub fn respond(
        &self,
        database: &mut Database,
        rest: &[&str],
        request: &ServiceRequest,
    ) -> Result<Response<Bytes>, BusinessCentralError> {
        match rest {
            [] => {
                request.expect_read()?;
                let service = self.collection.service;
                let mut body = service.context(&format!("#{}/$entity", self.path()));
                body.extend(self.fields(database));
                Ok(json_response(StatusCode::OK, service.level, &Value::Object(body)))
            }
            ["$ref"] => {
                request.expect_read()?;
                let service = self.collection.service;
                let mut body = service.context("#$ref");
                body.insert("@odata.id".to_owned(), json!(service.absolute(&self.path())));
                Ok(json_response(StatusCode::OK, service.level, &Value::Object(body)))
            }
            [content] if *content == self.media.content => match *request.method {
                Method::PATCH if self.media.writable => self.store(database, request),
                _ => {
                    request.expect_read()?;
                    Ok(self.read(database, request))
                }
            },
            rest => Err(BusinessCentralError::UnknownSegment(rest.join("/"))),
        }
    }

    /// The members of the entity. It has no members for width and height.
    pub fn fields(&self, database: &Database) -> Map<String, Value> {
        let Media { content, parent, writable, .. } = self.media;
        let (service, file) = (self.collection.service, self.file(database));
        let address = format!("{}/{content}", service.absolute(&self.path()));
        let mut members = Map::new();
        if service.level != MetadataLevel::None {
            members.insert("@odata.etag".to_owned(), json!(self.etag(file)));
        }
        members.insert("id".to_owned(), json!(self.record.id));
        members.insert("parentType".to_owned(), json!(parent));
        members.insert("contentType".to_owned(), json!(file.map_or("", |_| self.media.content_type)));
        if service.level != MetadataLevel::None {
            if *writable {
                members.insert(format!("{content}@odata.mediaEditLink"), json!(address));
            }
            members.insert(format!("{content}@odata.mediaReadLink"), json!(address));
        }
        members
    }

    fn path(&self) -> String {
        format!("{}/{}", self.collection.path_of(self.record), self.media.name)
    }

    fn file<'a>(&self, database: &'a Database) -> Option<&'a StoredFile> {
        database.file(self.collection.owner, self.record.id, self.media)
    }

    fn etag(&self, file: Option<&StoredFile>) -> String {
        records::etag(self.record.id, file.map_or(0, |file| file.version))
    }

    fn store(
        &self,
        database: &mut Database,
        request: &ServiceRequest,
    ) -> Result<Response<Bytes>, BusinessCentralError> {
        request.check_tag(&self.etag(self.file(database)))?;
        if request.media_type() == "application/json" {
            return Err(BusinessCentralError::ContentType(self.media.content_type));
        }
        let bytes = request.whole_body()?.clone();
        database.store_file(self.collection.owner, self.record.id, self.media, bytes)?;
        let mut response = no_content();
        insert_header(response.headers_mut(), ETAG, &self.etag(self.file(database)));
        Ok(response)
    }

    fn read(&self, database: &Database, request: &ServiceRequest) -> Response<Bytes> {
        let Some(file) = self.file(database) else {
            return no_content();
        };
        let length = file.bytes.len();
        let (status, bytes, range) = match ByteRange::parse(request.header(RANGE), length) {
            ByteRange::All => (StatusCode::OK, file.bytes.clone(), None),
            ByteRange::Part(first, last) => {
                let part = file.bytes.get(first..=last).map(|part| file.bytes.slice_ref(part)).unwrap_or_default();
                (StatusCode::PARTIAL_CONTENT, part, Some(format!("bytes {first}-{last}/{length}")))
            }
            ByteRange::Nothing => (StatusCode::RANGE_NOT_SATISFIABLE, Bytes::new(), Some(format!("bytes */{length}"))),
        };
        let mut response = Response::new(bytes);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media.content_type));
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        insert_header(headers, ETAG, &self.etag(Some(file)));
        if let Some(range) = range {
            insert_header(headers, CONTENT_RANGE, &range);
        }
        response
    }
}

/// The part of a file that a `Range` header asks for: its first and last byte.
#[derive(Debug, PartialEq, Eq)]
enum ByteRange {
    All,
    Part(usize, usize),
    Nothing,
}

impl ByteRange {
    /// Multiple ranges and malformed headers select the whole file, since a server may ignore the header.
    fn parse(header: &str, length: usize) -> Self {
        let range = header.trim().strip_prefix("bytes=").filter(|ranges| !ranges.contains(','));
        let Some((first, last)) = range.and_then(|range| range.split_once('-')) else {
            return Self::All;
        };
        let end = length.saturating_sub(1);
        let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) if first <= last => (first, last.min(end)),
            (Ok(first), Err(_)) if last.is_empty() => (first, end),
            (Err(_), Ok(last)) if first.is_empty() && last > 0 => (length.saturating_sub(last), end),
            _ => return Self::All,
        };
        if first < length { Self::Part(first, last) } else { Self::Nothing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_single_range_is_honored() {
        for (header, expected) in [
            ("", ByteRange::All),
            ("bytes=0-3", ByteRange::Part(0, 3)),
            ("bytes=4-", ByteRange::Part(4, 9)),
            ("bytes=-3", ByteRange::Part(7, 9)),
            ("bytes=-30", ByteRange::Part(0, 9)),
            ("bytes=8-99", ByteRange::Part(8, 9)),
            ("bytes=10-", ByteRange::Nothing),
            ("bytes=5-2", ByteRange::All),
            ("bytes=0-1,4-5", ByteRange::All),
            ("items=0-1", ByteRange::All),
        ] {
            assert_eq!(ByteRange::parse(header, 10), expected, "{header}");
        }
        assert_eq!(ByteRange::parse("bytes=0-0", 0), ByteRange::Nothing);
    }
}
