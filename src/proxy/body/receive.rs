//! Receiving a client's body before anything else is done with the request: in memory, or on disk if it is large.
//!
//! A slow upload therefore holds no permit of the limiter. Every request can be retried.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http_body::Body;
use http_body_util::BodyExt;

use super::client_body::ClientBody;
use super::error::BodyError;
use super::min_rate_body::MinRateBody;
use super::request_body::RequestBody;
use super::spool::{Spool, SpoolError, SpoolWriter};
use crate::proxy::budgets::fair_budget::{Exhausted, Held, Holder};

/// Where a body waits until it is complete.
#[derive(Debug)]
pub struct Receiver<'r> {
    /// What its client's connection holds in memory.
    pub memory: &'r Arc<Holder>,
    /// What the body holds on disk.
    pub disk: Arc<Holder>,
    /// Where it goes if it is large.
    pub spool: &'r Spool,
    /// The largest body that is received, in bytes.
    pub max_bytes: u64,
}

/// The part of a body that has arrived.
struct Received {
    /// What is in memory, in blocks that never grow: a buffer that does leaves its former ones behind.
    blocks: Vec<BytesMut>,
    in_memory: usize,
    /// All that has arrived.
    length: u64,
    held: Held,
    file: Option<SpoolWriter>,
}

impl Receiver<'_> {
    /// Receives all of a body. `idle`: how long nothing may arrive.
    ///
    /// Reading the first piece makes hyper send a waiting client its `100 Continue`.
    pub async fn receive(&self, body: ClientBody, idle: Duration) -> Result<RequestBody, BodyError> {
        if body.size_hint().lower() > self.max_bytes {
            return Err(BodyError::TooLarge(self.max_bytes));
        }
        let mut body = MinRateBody::new(body, idle);
        let mut received =
            Received { blocks: Vec::new(), in_memory: 0, length: 0, held: self.memory.empty(), file: None };
        loop {
            // Most bodies are there already.
            let frame = match body.frame().now_or_never() {
                Some(frame) => frame,
                None => match self.disk.or_evicted(self.memory.or_evicted(body.frame())).await {
                    Ok(Ok(frame)) => frame,
                    Ok(Err(evicted)) if received.in_memory == 0 => return Err(evicted.into()),
                    Ok(Err(Exhausted)) => {
                        received.write(self).await?;
                        continue;
                    }
                    Err(evicted) => return Err(SpoolError::from(evicted).into()),
                },
            };
            let Some(frame) = frame.transpose()? else { return received.finish(self).await };
            let Ok(piece) = frame.into_data() else { continue };
            received.length += piece.len() as u64;
            if received.length > self.max_bytes {
                return Err(BodyError::TooLarge(self.max_bytes));
            }
            let is_whole = received.length == piece.len() as u64 && body.is_end_stream();
            if is_whole && piece.len() <= self.spool.memory && received.held.resize(received.length).is_ok() {
                return Ok(RequestBody::buffered(piece, Some(Arc::new(received.held))));
            }
            received.push(&piece);
            let is_held =
                received.in_memory <= received.limit(self.spool) && received.held.resize(received.charge()).is_ok();
            if !is_held {
                received.write(self).await?;
            }
        }
    }
}

impl Received {
    /// How much may be in memory.
    fn limit(&self, spool: &Spool) -> usize {
        match (&self.file, spool.has_folder()) {
            (Some(_), _) => spool.memory.min(BLOCK_BYTES),
            (None, true) => spool.memory,
            (None, false) => usize::MAX,
        }
    }

    /// What it takes of the budget. hyper's buffer is part of it, which grows with what it gets at once.
    fn charge(&self) -> u64 {
        let blocks = match self.length {
            // One more, since the next piece is there before its block is charged.
            SMALL_BYTES.. => (self.blocks.len() + 1) * BLOCK_BYTES,
            _ => self.in_memory,
        };
        blocks as u64 + self.length.min(BUFFER_BYTES)
    }

    fn push(&mut self, mut piece: &[u8]) {
        self.in_memory += piece.len();
        while !piece.is_empty() {
            // Blocks of one size leave no gaps in the allocator's pages. The first one of a body that drips is small.
            let capacity = if self.length < SMALL_BYTES { 0 } else { BLOCK_BYTES };
            let mut block = self.blocks.pop_if(|block| block.len() < BLOCK_BYTES).unwrap_or_default();
            block.reserve(capacity.saturating_sub(block.len()));
            let (fits, rest) = piece.split_at(piece.len().min(BLOCK_BYTES - block.len()));
            block.extend_from_slice(fits);
            self.blocks.push(block);
            piece = rest;
        }
    }

    /// Moves what is in memory to the file.
    async fn write(&mut self, receiver: &Receiver<'_>) -> Result<(), BodyError> {
        if !receiver.spool.has_folder() {
            return Err(BodyError::NoMemory(Exhausted));
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => receiver.spool.create(&receiver.disk).await?,
        };
        let (file, mut blocks) = file.write(std::mem::take(&mut self.blocks)).await?;
        // One is filled again. The others are freed by the thread that allocated them, so the allocator reuses them.
        blocks.truncate(1);
        blocks.iter_mut().for_each(BytesMut::clear);
        (self.file, self.blocks, self.in_memory) = (Some(file), blocks, 0);
        Ok(self.held.resize(self.charge())?)
    }

    async fn finish(mut self, receiver: &Receiver<'_>) -> Result<RequestBody, BodyError> {
        if self.file.is_some() && self.in_memory > 0 {
            self.write(receiver).await?;
        }
        Ok(match self.file {
            Some(file) => RequestBody::spooled(file.finish()),
            None => {
                let (bytes, capacity) = joined(self.blocks);
                self.held.resize(capacity as u64)?;
                RequestBody::buffered(bytes, Some(Arc::new(self.held)))
            }
        })
    }
}

/// The bytes of all blocks, and what they occupy. A single block is not copied if it is nearly full.
fn joined(mut blocks: Vec<BytesMut>) -> (Bytes, usize) {
    let is_single = blocks.len() == 1;
    match blocks.pop_if(|block| is_single && block.capacity() - block.len() <= block.len() / 4) {
        Some(block) => {
            let capacity = block.capacity();
            (block.freeze(), capacity)
        }
        None => {
            let bytes = blocks.concat();
            let length = bytes.len();
            (bytes.into(), length)
        }
    }
}

/// A block of a body in memory, and what is written to a file at once.
const BLOCK_BYTES: usize = 64 * 1024;

/// Up to this length, a body takes no whole block.
const SMALL_BYTES: u64 = 4 * 1024;

/// The largest buffer that hyper reads a body into, and the piece before that it has handed over.
const BUFFER_BYTES: u64 = 192 * 1024;
