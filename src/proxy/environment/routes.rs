//! The routes in service.

use std::sync::Arc;

use super::route::Route;
use super::route_table::RouteTable;
use crate::business_central::SafePath;

/// The routes in service. Clones share them.
#[derive(Debug, Clone)]
pub struct Routes(Arc<RouteTable<Arc<Route>>>);

impl Routes {
    /// Makes them findable by path.
    pub fn new(routes: Vec<Arc<Route>>) -> Self {
        let by_path = routes.into_iter().map(|route| (route.settings.path.as_str().to_owned(), route));
        Self(Arc::new(RouteTable::new(by_path)))
    }

    /// The routes by prefix.
    pub fn table(&self) -> &RouteTable<Arc<Route>> {
        &self.0
    }

    /// All routes, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.0.values()
    }

    /// The route a path takes.
    pub fn find(&self, path: SafePath<'_>) -> Option<&Arc<Route>> {
        self.0.find(path).map(|(route, _)| route)
    }
}
