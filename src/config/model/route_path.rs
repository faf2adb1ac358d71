//! The local path prefix of a route.

use std::fmt;
use std::str::FromStr;

/// A local path prefix: empty for `/`, otherwise with a leading and without a trailing slash.
///
/// Segments are plain: letters, digits, `-`, `.`, `_`, `~`, and none is `.` or `..`. So it can be compared with a raw
/// path byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoutePath(String);

/// Why text is not a [`RoutePath`]. The message says how to write one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoutePathError {
    /// The text has no leading slash.
    #[error("begin the path with a slash, such as /api")]
    NoSlash,
    /// A segment is empty, `.` or `..`, or has other characters than those allowed.
    #[error(
        "use letters, digits, `-`, `.`, `_` and `~` between single slashes, such as /erp/api; \
         an address or a `..` is not possible"
    )]
    NotPlain,
    /// The path is [`UNROUTED_PREFIX`] or below it.
    #[error("choose another path: {UNROUTED_PREFIX} is reserved for links that no route covers")]
    Reserved,
}

/// The local prefix of rewritten links that no route covers. No route can have it.
pub const UNROUTED_PREFIX: &str = "/unrouted";

impl RoutePath {
    /// The prefix in the form that requests are compared with: empty for `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoutePath {
    type Err = RoutePathError;

    /// Drops one trailing slash: `/api/` becomes `/api`, and `/` becomes empty.
    fn from_str(text: &str) -> Result<Self, RoutePathError> {
        let path = text.strip_suffix('/').unwrap_or(text);
        if path.is_empty() && !text.is_empty() {
            return Ok(Self(String::new()));
        }
        let segments = path.strip_prefix('/').ok_or(RoutePathError::NoSlash)?;
        let is_plain = |segment: &str| {
            !matches!(segment, "" | "." | "..")
                && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        };
        if !segments.split('/').all(is_plain) {
            return Err(RoutePathError::NotPlain);
        }
        let is_reserved =
            path.strip_prefix(UNROUTED_PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if is_reserved { Err(RoutePathError::Reserved) } else { Ok(Self(path.to_owned())) }
    }
}

impl fmt::Display for RoutePath {
    /// As written in the file: `/` for the empty prefix.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_path_has_plain_segments_only() {
        let parse = |text: &str| text.parse::<RoutePath>().map(|path| path.as_str().to_owned());
        for (text, path) in [("/", ""), ("/api", "/api"), ("/api/", "/api"), ("/a/b-1.0_~", "/a/b-1.0_~")] {
            assert_eq!(parse(text).as_deref(), Ok(path));
        }
        for text in ["/unrouted", "/unrouted/", "/unrouted/x"] {
            assert_eq!(parse(text), Err(RoutePathError::Reserved), "{text}");
        }
        assert!(parse("/unrouted2").is_ok());
        for text in ["", "api", "https://host/api"] {
            assert_eq!(parse(text), Err(RoutePathError::NoSlash), "{text}");
        }
        for text in ["//", "/a//b", "/a/../b", "/./a", "/a b", "/%41", "/a?b", "/ü", "/api//"] {
            assert_eq!(parse(text), Err(RoutePathError::NotPlain), "{text}");
        }
    }
}
