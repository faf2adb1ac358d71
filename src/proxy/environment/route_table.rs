//! Finding the prefix that a path is below.

use std::iter::once;

use foldhash::HashMap;

use crate::business_central::SafePath;

/// Prefixes, as [`RoutePath`](crate::config::RoutePath) writes them, each with its value.
///
/// A look-up costs the same with a thousand prefixes as with one, and no more for a path with a thousand segments.
#[derive(Debug, Clone)]
pub struct RouteTable<T> {
    by_prefix: HashMap<String, T>,
    /// The prefixes in alphabetical order, for messages.
    in_order: Vec<String>,
    /// The most segments of any prefix.
    max_segments: usize,
}

impl<T> RouteTable<T> {
    /// The last of two equal prefixes counts.
    pub fn new(routes: impl IntoIterator<Item = (String, T)>) -> Self {
        let by_prefix: HashMap<String, T> = routes.into_iter().collect();
        let mut in_order: Vec<String> = by_prefix.keys().cloned().collect();
        in_order.sort_unstable();
        let max_segments = by_prefix.keys().map(|prefix| prefix.matches('/').count()).max().unwrap_or(0);
        Self { by_prefix, in_order, max_segments }
    }

    /// The value of the longest prefix on a segment boundary, and the rest of the path.
    pub fn find<'r>(&self, path: SafePath<'r>) -> Option<(&T, SafePath<'r>)> {
        let raw = path.as_str();
        let ends = memchr::memchr_iter(b'/', raw.as_bytes()).chain(once(raw.len())).take(self.max_segments + 1);
        let found = ends.filter_map(|end| {
            let prefix = raw.get(..end)?;
            Some((self.by_prefix.get(prefix)?, path.below(prefix)?))
        });
        found.last()
    }

    /// All prefixes, in alphabetical order.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.in_order.iter().map(String::as_str)
    }

    /// All values, in no order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.by_prefix.values()
    }

    /// All values, in the alphabetical order of their prefixes.
    pub fn values_in_order(&self) -> impl Iterator<Item = &T> {
        self.in_order.iter().filter_map(|prefix| self.by_prefix.get(prefix))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(prefixes: &[&str]) -> RouteTable<String> {
        RouteTable::new(prefixes.iter().map(|prefix| (prefix.to_string(), prefix.to_string())))
    }

    fn found<'r>(table: &RouteTable<String>, path: &'r str) -> Option<(String, &'r str)> {
        let (prefix, rest) = table.find(SafePath::check(path).unwrap())?;
        Some((prefix.clone(), rest.as_str()))
    }

    #[test]
    fn the_longest_prefix_on_a_segment_boundary_wins() {
        let table = table(&["", "/api", "/api/v2.0", "/erp/api"]);
        for (path, prefix, rest) in [
            ("/api", "/api", ""),
            ("/api/", "/api", "/"),
            ("/api/v2.0/items", "/api/v2.0", "/items"),
            ("/api/v2.00/items", "/api", "/v2.00/items"),
            ("/apis", "", "/apis"),
            ("/erp", "", "/erp"),
            ("/erp/api/api/v2.0", "/erp/api", "/api/v2.0"),
            ("/", "", "/"),
        ] {
            assert_eq!(found(&table, path), Some((prefix.to_owned(), rest)), "{path}");
        }
        // `OPTIONS *` is below nothing.
        assert_eq!(found(&table, "*"), None);
    }

    #[test]
    fn what_is_below_no_prefix_is_not_found() {
        assert_eq!(found(&table(&["/api"]), "/soap/api"), None);
        assert_eq!(found(&table(&[]), "/api"), None);
    }

    proptest! {
        #[test]
        fn it_finds_what_trying_every_prefix_finds(
            prefixes in proptest::collection::hash_set("(/[ab]{1,2}){0,3}", 0..6),
            path in "(/[ab]{0,2}){1,5}",
        ) {
            let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
            let safe = SafePath::check(&path).unwrap();
            let longest = prefixes.iter().filter(|prefix| safe.below(prefix).is_some()).max_by_key(|prefix| prefix.len());
            prop_assert_eq!(found(&table(&prefixes), &path).map(|(prefix, _)| prefix), longest.map(|prefix| prefix.to_string()));
        }
    }
}
