//! The unbound actions of an environment, read from its metadata when the first request might call one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use hyper::StatusCode;
use hyper::header::HeaderValue;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::business_central::metadata::ActionImports;
use crate::outbound::{HttpClient, read_pieces};

/// The names of an environment's unbound actions.
#[derive(Debug, Default)]
pub struct UnboundActions {
    known: ArcSwapOption<Known>,
    /// Held during a look-up: one look-up serves all requests that wait.
    look_up: Mutex<()>,
}

#[derive(Debug)]
struct Known {
    names: HashSet<String>,
    looked_up_at: Instant,
}

impl UnboundActions {
    /// Whether there is an action of this name. Metadata that can't be fetched contains none.
    pub async fn has(&self, name: &str, http: &HttpClient, url: &str, authorization: &HeaderValue) -> bool {
        if let Some(known) = self.known(name) {
            return known;
        }
        let _looking_up = self.look_up.lock().await;
        if let Some(known) = self.known(name) {
            return known;
        }
        let names = match tokio::time::timeout(LOOK_UP_TIMEOUT, look_up(http, url, authorization)).await {
            Ok(Some(names)) => names,
            _ => HashSet::new(),
        };
        let has = names.contains(name);
        self.known.store(Some(Arc::new(Known { names, looked_up_at: Instant::now() })));
        has
    }

    /// `None` when a look-up is needed. A codeunit may be published at any time: only a name that exists is trusted for
    /// long.
    fn known(&self, name: &str) -> Option<bool> {
        let known = self.known.load();
        let known = known.as_ref()?;
        let age = known.looked_up_at.elapsed();
        let has = known.names.contains(name);
        (age < if has { KNOWN_TTL } else { UNKNOWN_TTL }).then_some(has)
    }
}

async fn look_up(http: &HttpClient, url: &str, authorization: &HeaderValue) -> Option<HashSet<String>> {
    let response = http.get(url, authorization).await.ok()?;
    if response.status() != StatusCode::OK {
        return None;
    }
    let mut imports = ActionImports::default();
    let is_whole = read_pieces(reqwest::Body::from(response), MAX_BYTES, |piece| imports.push(piece)).await.ok()?;
    is_whole.then(|| imports.names())
}

/// Business Central takes a while to write the metadata of a large environment.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(60);

/// The metadata of a large environment has some 20 MiB.
const MAX_BYTES: usize = 256 * 1024 * 1024;

const KNOWN_TTL: Duration = Duration::from_secs(3600);

const UNKNOWN_TTL: Duration = Duration::from_secs(60);
