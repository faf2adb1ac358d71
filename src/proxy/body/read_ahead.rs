//! Reading bodies into memory: small ones ahead of everything else, others where their content has to be checked.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;

use super::client_body::ClientBody;
use super::error::BodyError;
use super::memory_budget::MemoryBudget;
use super::min_rate_body::MinRateBody;
use super::request_body::RequestBody;
use crate::bounded_body::read_pieces;

/// Memory for that many bytes; `None` when a body of this size is not read ahead, or the budget is spent.
fn acquire(budget: &MemoryBudget, bytes: u64) -> Option<OwnedSemaphorePermit> {
    if bytes > MAX_BYTES as u64 { None } else { budget.take(bytes) }
}

/// Reads a small body into memory; a larger one, and one the budget has no memory for, streams.
///
/// `idle`: how long nothing may arrive. Reading the first piece makes hyper send a waiting client its `100 Continue`.
pub async fn read_ahead(body: ClientBody, idle: Duration, budget: &MemoryBudget) -> Result<RequestBody, BodyError> {
    if body.is_end_stream() {
        return Ok(RequestBody::default());
    }
    let wanted = body.size_hint().exact().unwrap_or(MAX_BYTES as u64);
    let mut body = MinRateBody::new(body, idle);
    let Some(mut permit) = acquire(budget, wanted) else {
        while let Some(frame) = body.frame().await {
            if let Ok(first) = frame?.into_data() {
                return Ok(RequestBody::streaming(first, body));
            }
        }
        return Ok(RequestBody::default());
    };
    let mut buffered = |bytes: Bytes| {
        // A body of unknown length reserved more than it needs.
        MemoryBudget::shrink(&mut permit, bytes.len());
        bytes
    };
    let mut ahead = BytesMut::new();
    let bytes = loop {
        let Some(frame) = body.frame().await else { break buffered(ahead.freeze()) };
        let Ok(piece) = frame?.into_data() else { continue };
        if ahead.is_empty() && body.is_end_stream() {
            break buffered(piece);
        }
        ahead.extend_from_slice(&piece);
        if ahead.len() > MAX_BYTES {
            return Ok(RequestBody::streaming(ahead.freeze(), body));
        }
    };
    Ok(RequestBody::buffered(bytes, Some(Arc::new(permit))))
}

/// Whether a body is larger than those that are read ahead.
pub fn is_large(body: &RequestBody) -> bool {
    body.bytes().is_none_or(|bytes| bytes.len() > MAX_BYTES)
}

/// All of a body; `None` when it has more than `limit` bytes.
pub async fn read_all<B: Body<Data = Bytes>>(body: B, limit: usize) -> Result<Option<Bytes>, B::Error> {
    let mut bytes = BytesMut::new();
    let is_whole = read_pieces(body, limit, |piece| bytes.extend_from_slice(piece)).await?;
    Ok(is_whole.then(|| bytes.freeze()))
}

/// The largest body that is read ahead and kept for a retry: a large SOAP call fits, an attachment need not.
const MAX_BYTES: usize = 1024 * 1024;

/// The memory of all bodies read ahead, in KiB.
pub const BUDGET_KIB: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bodies_share_one_budget_and_hold_no_more_of_it_than_they_need() {
        let budget = MemoryBudget::of_kib(BUDGET_KIB);
        let unknown = MAX_BYTES as u64;
        let held: Vec<_> = std::iter::from_fn(|| acquire(&budget, unknown)).collect();
        assert_eq!(held.len(), 64);
        assert!(acquire(&budget, 1).is_none() && acquire(&budget, unknown + 1).is_none());
        let shrink = |mut permit| {
            MemoryBudget::shrink(&mut permit, 2000);
            permit
        };
        let shrunk: Vec<_> = held.into_iter().map(shrink).collect();
        assert_eq!(std::iter::from_fn(|| acquire(&budget, 1024)).collect::<Vec<_>>().len(), 64 * 1022);
        drop(shrunk);
        assert!(acquire(&budget, unknown).is_some());
    }
}
