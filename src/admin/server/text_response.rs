//! A response made of text.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Response, StatusCode};

use crate::admin::page;

/// A response made of text: a page, one of its files, JSON or plain text.
#[derive(Debug)]
pub struct TextResponse {
    status: StatusCode,
    headers: HeaderMap,
    text: Bytes,
}

impl TextResponse {
    /// A response with text of this media type.
    pub fn new(status: StatusCode, content_type: &'static str, text: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (CONTENT_TYPE, content_type),
            (CACHE_CONTROL, "no-store"),
            (CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        Self { status, headers, text: text.into() }
    }

    /// A few lines for a program or a terminal, ended by a line break.
    pub fn plain(status: StatusCode, text: impl Into<String>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text.into() + "\n")
    }

    /// A page.
    pub fn page(status: StatusCode, page: String) -> Self {
        Self::new(status, "text/html; charset=utf-8", page + "\n")
    }

    /// 405, with the methods that the path has.
    pub fn method_not_allowed(methods: &'static str, text: &'static str) -> Self {
        Self::plain(StatusCode::METHOD_NOT_ALLOWED, text).with(hyper::header::ALLOW, HeaderValue::from_static(methods))
    }

    /// The same response with one more header, which replaces one of this name.
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The response as hyper sends it.
    pub fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.text));
        (*response.status_mut(), *response.headers_mut()) = (self.status, self.headers);
        response
    }
}
