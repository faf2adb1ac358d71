//! The requests that a script applies to.

use hyper::Method;
use hyper::http::request::Parts;

/// Selects requests: those that meet every condition.
#[derive(Debug, Clone, Default)]
pub struct Matcher {
    method: Option<Method>,
    path_end: Option<String>,
    path_part: Option<String>,
    without_token: bool,
}

impl Matcher {
    /// Every request with an accepted token.
    pub fn any() -> Self {
        Self::default()
    }

    /// Adds a condition on the method.
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Adds a condition on the end of the raw path, without the query.
    pub fn path_ending(mut self, end: &str) -> Self {
        self.path_end = Some(end.to_owned());
        self
    }

    /// Adds a condition on a part of the raw path, without the query.
    pub fn path_containing(mut self, part: &str) -> Self {
        self.path_part = Some(part.to_owned());
        self
    }

    /// Also selects requests whose token is missing or rejected. By default, they get their 401.
    pub fn even_without_token(mut self) -> Self {
        self.without_token = true;
        self
    }

    pub(super) fn matches(&self, head: &Parts, token_accepted: bool) -> bool {
        let path = head.uri.path();
        (token_accepted || self.without_token)
            && self.method.as_ref().is_none_or(|method| *method == head.method)
            && self.path_end.as_ref().is_none_or(|end| path.ends_with(end.as_str()))
            && self.path_part.as_ref().is_none_or(|part| path.contains(part.as_str()))
    }
}
