//! The unbound actions of an environment, read from its metadata when the first request might be one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use hyper::StatusCode;
use hyper::header::HeaderValue;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::business_central::metadata::ActionImports;
use crate::outbound::HttpClient;

/// The names of an environment's unbound actions, looked up once in a while.
#[derive(Debug, Default)]
pub struct UnboundActions {
    known: ArcSwapOption<Known>,
    /// Held while they are looked up: one look-up serves all who wait.
    look_up: Mutex<()>,
}

#[derive(Debug)]
struct Known {
    names: HashSet<String>,
    looked_up_at: Instant,
}

impl UnboundActions {
    /// Whether there is an action of this name. A metadata document that can't be had holds none.
    pub async fn has(&self, name: &str, http: &HttpClient, url: &str, authorization: &HeaderValue) -> bool {
        if let Some(known) = self.known(name) {
            return known;
        }
        let _looking_up = self.look_up.lock().await;
        if let Some(known) = self.known(name) {
            return known;
        }
        let names = match tokio::time::timeout(LOOK_UP_TIME, look_up(http, url, authorization)).await {
            Ok(Some(names)) => names,
            _ => HashSet::new(),
        };
        let has = names.contains(name);
        self.known.store(Some(Arc::new(Known { names, looked_up_at: Instant::now() })));
        has
    }

    /// `None` when they have to be looked up. A codeunit may be published at any time: only a name that is there is believed for long.
    fn known(&self, name: &str) -> Option<bool> {
        let known = self.known.load();
        let known = known.as_ref()?;
        let age = known.looked_up_at.elapsed();
        let has = known.names.contains(name);
        (age < if has { BELIEVED } else { DOUBTED }).then_some(has)
    }
}

async fn look_up(http: &HttpClient, url: &str, authorization: &HeaderValue) -> Option<HashSet<String>> {
    let mut answer = http.get(url, authorization).await.ok()?;
    if answer.status() != StatusCode::OK {
        return None;
    }
    let mut imports = ActionImports::default();
    while let Some(piece) = answer.chunk().await.ok()? {
        imports.push(&piece);
    }
    Some(imports.names())
}

/// A large environment's metadata takes Business Central a while.
const LOOK_UP_TIME: Duration = Duration::from_secs(60);

const BELIEVED: Duration = Duration::from_secs(3600);

const DOUBTED: Duration = Duration::from_secs(60);
