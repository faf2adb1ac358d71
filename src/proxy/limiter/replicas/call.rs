//! What the store is told and replies: the shapes of `limiter.lua`. Times are in milliseconds.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::config::Limits;
use crate::units::millis;

/// What a replica tells about a limiter, and which permit it wants.
#[derive(Debug, Serialize)]
pub struct Call<'l> {
    pub replica: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_instance: Option<String>,
    pub limits: CalledLimits,
    pub applications: &'l [String],
    pub released: Vec<(u64, &'l str, bool)>,
    pub held: Vec<(u64, &'l str)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Report<'l>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<u64>,
    pub heads: Vec<&'l str>,
    pub further: Vec<&'l str>,
    pub lease: u64,
}

/// The limits that the replica is configured with.
#[derive(Debug, Serialize)]
pub struct CalledLimits {
    pub concurrency: usize,
    pub count: usize,
    pub per: u64,
}

/// Requests that ended without a lease in the store.
#[derive(Debug, Serialize)]
pub struct Report<'l> {
    pub number: u64,
    pub slices: Vec<(&'l str, u64, usize)>,
}

/// What the store replies.
#[derive(Debug, Deserialize)]
pub struct Reply {
    pub instance: String,
    #[serde(default)]
    pub is_unknown: bool,
    pub granted: Option<String>,
    #[serde(default)]
    pub waits: HashMap<String, f64>,
    pub paused: Option<f64>,
    #[serde(default)]
    pub in_flight: usize,
    #[serde(default)]
    pub used: HashMap<String, usize>,
}

impl From<&Limits> for CalledLimits {
    fn from(limits: &Limits) -> Self {
        Self { concurrency: limits.concurrency, count: limits.requests.count, per: millis(limits.requests.per) }
    }
}
