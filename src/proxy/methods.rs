//! Methods: those a request counts as, and what they mean.

use hyper::Method;
use hyper::header::HeaderMap;

/// Whether a request with this method only reads.
pub fn only_reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Whether a request with these methods creates something.
pub fn creates(methods: &[Method]) -> bool {
    methods.iter().all(|method| method == Method::POST)
}

/// The methods a request counts as: its own, and those that old OData clients hide behind a POST.
pub fn methods(own: &Method, headers: &HeaderMap) -> impl Iterator<Item = Method> {
    let hidden = METHOD_HEADERS.iter().flat_map(|name| headers.get_all(*name));
    let hidden = hidden.filter_map(|value| Method::from_bytes(value.as_bytes().to_ascii_uppercase().as_slice()).ok());
    std::iter::once(own.clone()).chain(hidden)
}

/// Headers that hide a method behind another one.
pub const METHOD_HEADERS: [&str; 3] = ["x-http-method", "x-http-method-override", "x-method-override"];
