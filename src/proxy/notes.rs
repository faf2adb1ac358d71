//! What the steps note about a request for its log line and its counts; no step reads what another one noted.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use hyper::header::HeaderValue;

use super::cache::status::CacheUse;
use super::environment::route::Route;
use super::observe::stages::Stages;
use super::request::authenticate::identity::{Identity, KnownAs};
use crate::business_central::{Dialect, identifier};
use crate::entra::ClientId;

/// How far a request came, and how long the stages took. A value that is missing belongs to a stage that was not
/// reached.
#[derive(Debug, Default)]
pub struct Notes {
    /// The age of the first attempt's token.
    pub token_age: OnceLock<Duration>,
    /// The stages that are over.
    pub stages: Stages,
    /// What the route's cache did; nothing on a route without one.
    pub cache: OnceLock<CacheUse>,
    /// What was sent as `client-request-id`, if that is not the request's id: the client's own, or nothing.
    pub client_request_id: OnceLock<Option<HeaderValue>>,
    known_as: OnceLock<Arc<KnownAs>>,
    route: OnceLock<(Arc<Route>, Dialect)>,
    application: Mutex<Option<ClientId>>,
    queued: Mutex<Option<Queued>>,
    attempts: AtomicU32,
}

/// How a request was queued by the limiter, once for each attempt.
#[derive(Debug, Clone, Copy)]
pub struct Queued {
    /// Time in the queue, of all attempts together.
    pub waited: Duration,
    /// Requests that got a permit before the latest attempt; `None` if this one got none.
    pub ahead: Option<u64>,
}

impl Notes {
    /// Notes the route that was chosen, and the form in which its client reads errors.
    pub fn set_route(&self, route: Arc<Route>, dialect: Dialect) {
        let _ = self.route.set((route, dialect));
    }

    /// The route; `None` when no route covers the request.
    pub fn route(&self) -> Option<&Arc<Route>> {
        self.route.get().map(|(route, _)| route)
    }

    /// The form in which a client of the route reads errors.
    pub fn dialect(&self) -> Option<Dialect> {
        self.route.get().map(|(_, dialect)| *dialect)
    }

    /// The `client-request-id` that the client chose itself and that was sent, if it is fit to be shown.
    pub fn client_request_id(&self) -> Option<&str> {
        self.client_request_id.get()?.as_ref().and_then(identifier)
    }

    /// Notes who the client is.
    pub fn set_known_as(&self, known: Arc<KnownAs>) {
        let _ = self.known_as.set(known);
    }

    /// The name of whom the client has proven to be; `None` if nobody asked.
    pub fn identity(&self) -> Option<&str> {
        self.known_as.get()?.identity.as_ref().map(Identity::name)
    }

    /// The entry of `clients` that fits the client.
    pub fn client_name(&self) -> Option<&str> {
        Some(self.known_as.get()?.client.as_ref()?.name.as_str())
    }

    /// Notes the application of the next attempt.
    pub fn set_application(&self, application: ClientId) {
        *self.application.lock().unwrap_or_else(PoisonError::into_inner) = Some(application);
    }

    /// The application of the latest attempt.
    pub fn application(&self) -> Option<ClientId> {
        *self.application.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how the attempts were queued so far.
    pub fn set_queued(&self, queued: Queued) {
        *self.queued.lock().unwrap_or_else(PoisonError::into_inner) = Some(queued);
    }

    /// How the attempts were queued; `None` if none was.
    pub fn queued(&self) -> Option<Queued> {
        *self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an attempt.
    pub fn count_attempt(&self) {
        self.attempts.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of attempts.
    pub fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::Relaxed)
    }
}
