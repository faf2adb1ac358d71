//! The calls of `changes.lua` and its replies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Times of the shared store, in milliseconds.
pub type StoreTime = u64;

/// What a cached response shows: a company, or what belongs to none. A hash, since no names enter the store.
pub type ScopeId = String;

/// An environment; a hash, too.
pub type EnvironmentId = String;

/// Changes, with their scopes.
pub type ChangesById = BTreeMap<String, Vec<ScopeId>>;

/// A call. The script has the meaning of each part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    pub random: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest: Option<StoreTime>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub begun: ChangesById,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ended: ChangesById,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence: Option<Presence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaving: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<Read>,
}

/// The promise of a replica to register its changes first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Presence {
    pub replica: String,
    pub until: StoreTime,
    pub instance: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracked: Option<Vec<EnvironmentId>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub others: BTreeMap<String, StoreTime>,
}

/// A cached response's question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Read {
    pub environment: EnvironmentId,
    pub scopes: Vec<ScopeId>,
    pub run: String,
}

/// The store's reply.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Reply {
    pub time: StoreTime,
    pub instance: String,
    pub is_late: bool,
    pub is_unknown: bool,
    pub run: String,
    pub replicas: BTreeMap<String, StoreTime>,
    pub epochs: Vec<String>,
    pub obstacle: Option<Obstacle>,
}

/// Why a response can't come from the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Obstacle {
    /// The store lost its data; other replicas are about to register again.
    New,
    /// A replica is missing, or does not register changes in this environment.
    Replica,
    /// A change is in flight.
    Change,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            random: Uuid::new_v4().simple().to_string(),
            latest: None,
            begun: BTreeMap::new(),
            ended: BTreeMap::new(),
            presence: None,
            leaving: None,
            read: None,
        }
    }
}
