//! Files of records: the entity that describes one, and its bytes, which are no JSON and can be read in part.

use bytes::Bytes;
use hyper::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, RANGE};
use hyper::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::books::{Books, File};
use super::collection::Collection;
use super::errors::Failure;
use super::records::{self, Record};
use super::representation::{insert_header, json_response};
use super::request::{Level, Request};
use super::schema::Media;

/// The file of one record.
pub(super) struct MediaOf<'a> {
    pub collection: &'a Collection<'a>,
    pub record: &'a Record,
    pub media: &'static Media,
}

impl MediaOf<'_> {
    /// Answers a request for the entity, or for the bytes below it.
    pub fn answer(&self, books: &mut Books, rest: &[&str], request: &Request) -> Result<Response<Bytes>, Failure> {
        match rest {
            [] => {
                request.expect_read()?;
                let service = self.collection.service;
                let mut body = service.context(&format!("#{}/$entity", self.path()));
                body.extend(self.fields(books));
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
                Method::PATCH if self.media.writable => self.store(books, request),
                _ => {
                    request.expect_read()?;
                    Ok(self.read(books, request))
                }
            },
            rest => Err(Failure::UnknownSegment(rest.join("/"))),
        }
    }

    /// The entity's members. Its size in pixels stands nowhere but in the bytes.
    pub fn fields(&self, books: &Books) -> Map<String, Value> {
        let Media { content, parent, writable, .. } = self.media;
        let (service, file) = (self.collection.service, self.file(books));
        let address = format!("{}/{content}", service.absolute(&self.path()));
        let mut members = Map::new();
        if service.level != Level::None {
            members.insert("@odata.etag".to_owned(), json!(self.etag(file)));
        }
        members.insert("id".to_owned(), json!(self.record.id));
        members.insert("parentType".to_owned(), json!(parent));
        members.insert("contentType".to_owned(), json!(file.map_or("", |_| self.media.content_type)));
        if service.level != Level::None {
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

    fn file<'a>(&self, books: &'a Books) -> Option<&'a File> {
        books.file(self.collection.owner, self.record.id, self.media)
    }

    fn etag(&self, file: Option<&File>) -> String {
        records::etag(self.record.id, file.map_or(0, |file| file.version))
    }

    fn store(&self, books: &mut Books, request: &Request) -> Result<Response<Bytes>, Failure> {
        request.check_tag(&self.etag(self.file(books)), true)?;
        if request.media_type() == "application/json" {
            return Err(Failure::ContentType(self.media.content_type));
        }
        let bytes = request.whole_body()?.clone();
        books.store_file(self.collection.owner, self.record.id, self.media, bytes)?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        insert_header(response.headers_mut(), ETAG, &self.etag(self.file(books)));
        Ok(response)
    }

    fn read(&self, books: &Books, request: &Request) -> Response<Bytes> {
        let Some(file) = self.file(books) else {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::NO_CONTENT;
            return response;
        };
        let length = file.bytes.len();
        let (status, bytes, range) = match Range::parse(request.header(RANGE), length) {
            Range::All => (StatusCode::OK, file.bytes.clone(), None),
            Range::Part(first, last) => {
                let part = file.bytes.get(first..=last).map(|part| file.bytes.slice_ref(part)).unwrap_or_default();
                (StatusCode::PARTIAL_CONTENT, part, Some(format!("bytes {first}-{last}/{length}")))
            }
            Range::Nothing => (StatusCode::RANGE_NOT_SATISFIABLE, Bytes::new(), Some(format!("bytes */{length}"))),
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

/// The part of a file a `Range` header asks for, first and last byte.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    All,
    Part(usize, usize),
    Nothing,
}

impl Range {
    /// Several parts, and what is not understood, are all of it: a server may ignore the header.
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
    fn a_range_is_one_part_or_none() {
        for (header, expected) in [
            ("", Range::All),
            ("bytes=0-3", Range::Part(0, 3)),
            ("bytes=4-", Range::Part(4, 9)),
            ("bytes=-3", Range::Part(7, 9)),
            ("bytes=-30", Range::Part(0, 9)),
            ("bytes=8-99", Range::Part(8, 9)),
            ("bytes=10-", Range::Nothing),
            ("bytes=5-2", Range::All),
            ("bytes=0-1,4-5", Range::All),
            ("items=0-1", Range::All),
        ] {
            assert_eq!(Range::parse(header, 10), expected, "{header}");
        }
        assert_eq!(Range::parse("bytes=0-0", 0), Range::Nothing);
    }
}
