//! What a client sends along: small bodies are taken in first, large ones stream.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::idle_timeout::BodyError;
use super::memory_budget::Room;
use super::min_rate_body::Paced;
use crate::proxy::downstream::client::ClientConnection;

/// A request's body as it came in, with its place kept so that whatever nobody read can still be drained.
#[derive(Debug)]
pub struct ClientBody {
    /// `None` once it was read to its end.
    body: Option<Incoming>,
    unread: Arc<Unread>,
}

/// Where a body that was not read to its end comes back to.
#[derive(Debug)]
pub struct Unread {
    rest: std::sync::Mutex<Option<Incoming>>,
    client: Arc<ClientConnection>,
    /// Of the request on its connection.
    number: u32,
}

/// A body on its way upstream.
#[derive(Debug)]
pub enum RequestBody {
    /// All of it is at hand, so the request can be sent again.
    Whole { bytes: Bytes, _room: Option<Arc<OwnedSemaphorePermit>> },
    /// It streams: what was read ahead, then the rest.
    Streaming { ahead: Bytes, rest: Paced<ClientBody>, progress: Arc<Progress> },
}

/// How far a streaming body got.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    /// Milliseconds after `started` at which the last piece was taken.
    last: AtomicU64,
    failed: AtomicBool,
}

/// The room all bodies that are kept for sending again share.
#[derive(Debug, Clone)]
pub struct ReadAheadRoom(Room);

impl ClientBody {
    pub fn new(body: Incoming, number: u32, client: Arc<ClientConnection>) -> (Self, Arc<Unread>) {
        let unread = Arc::new(Unread { rest: std::sync::Mutex::new(None), client, number });
        (Self { body: Some(body), unread: unread.clone() }, unread)
    }
}

impl Unread {
    /// Reads and discards what is left of the body, up to a bound; whether the connection can be used again.
    pub async fn drain(&self, limit: Drain) -> bool {
        let Some(mut body) = self.rest.lock().ok().and_then(|mut rest| rest.take()) else { return true };
        let discard = async {
            let mut discarded = 0;
            while discarded <= limit.bytes {
                match body.frame().await {
                    Some(Ok(frame)) => discarded += frame.data_ref().map_or(0, Bytes::len),
                    Some(Err(_)) => return false,
                    None => return true,
                }
            }
            false
        };
        // Too slow or too long: then the connection ends with our answer.
        let is_drained = tokio::time::timeout(limit.time, discard).await == Ok(true);
        if is_drained {
            self.client.body_ended(self.number);
        } else {
            self.put(body);
        }
        is_drained
    }

    fn put(&self, body: Incoming) {
        if !body.is_end_stream()
            && let Ok(mut rest) = self.rest.lock()
        {
            *rest = Some(body);
        }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        if self.rest.get_mut().is_ok_and(|rest| rest.is_some()) {
            self.client.stays_unread();
        }
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            self.unread.put(body);
        }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if frame.is_none() {
            self.unread.client.body_ended(self.unread.number);
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Default for ReadAheadRoom {
    fn default() -> Self {
        Self(Room::of_kib(READ_AHEAD_ROOM_KIB))
    }
}

impl ReadAheadRoom {
    /// Room for that many bytes; `None` when they are too many, alone or together with those already there.
    fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        if bytes > READ_AHEAD_BYTES as u64 { None } else { self.0.take(bytes) }
    }

    /// Gives back what a body of unknown length did not need.
    fn keep(mut room: OwnedSemaphorePermit, bytes: usize) -> Option<Arc<OwnedSemaphorePermit>> {
        Room::shrink(&mut room, bytes);
        Some(Arc::new(room))
    }
}

impl RequestBody {
    /// Takes in a body that is small enough; a larger one, or one there is no room for, is left to stream.
    pub async fn take_in(body: ClientBody, idle: Duration, room: &ReadAheadRoom) -> Result<Self, BodyError> {
        if body.is_end_stream() {
            return Ok(Self::default());
        }
        let wanted = body.size_hint().exact().unwrap_or(READ_AHEAD_BYTES as u64);
        let mut body = Paced::new(body, idle);
        let Some(permit) = room.take(wanted) else {
            // Asking for the first piece is what makes hyper send a waiting client its `100 Continue`.
            while let Some(frame) = body.frame().await {
                if let Ok(first) = frame?.into_data() {
                    return Ok(Self::streaming(first, body));
                }
            }
            return Ok(Self::default());
        };
        let mut ahead = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame?.into_data() else { continue };
            if ahead.is_empty() && body.is_end_stream() {
                let room = ReadAheadRoom::keep(permit, piece.len());
                return Ok(Self::whole(piece, room));
            }
            ahead.extend_from_slice(&piece);
            if ahead.len() > READ_AHEAD_BYTES {
                return Ok(Self::streaming(ahead.freeze(), body));
            }
        }
        let room = ReadAheadRoom::keep(permit, ahead.len());
        Ok(Self::whole(ahead.freeze(), room))
    }

    /// A body that is at hand.
    pub fn whole(bytes: Bytes, room: Option<Arc<OwnedSemaphorePermit>>) -> Self {
        Self::Whole { bytes, _room: room }
    }

    /// Whether it is larger than what is kept to be sent again.
    pub fn is_large(&self) -> bool {
        match self {
            Self::Whole { bytes, .. } => bytes.len() > READ_AHEAD_BYTES,
            Self::Streaming { .. } => true,
        }
    }

    /// The same body once more, if all of it is at hand.
    pub fn again(&self) -> Option<Self> {
        match self {
            Self::Whole { bytes, _room } => Some(Self::Whole { bytes: bytes.clone(), _room: _room.clone() }),
            Self::Streaming { .. } => None,
        }
    }

    /// All of it, if it is at hand.
    pub fn at_hand(&self) -> Option<&Bytes> {
        match self {
            Self::Whole { bytes, .. } => Some(bytes),
            Self::Streaming { .. } => None,
        }
    }

    /// How far it got, for a body that streams.
    pub fn progress(&self) -> Option<Arc<Progress>> {
        match self {
            Self::Whole { .. } => None,
            Self::Streaming { progress, .. } => Some(progress.clone()),
        }
    }

    fn streaming(ahead: Bytes, rest: Paced<ClientBody>) -> Self {
        let progress = Progress { started: Instant::now(), last: AtomicU64::new(0), failed: AtomicBool::new(false) };
        Self::Streaming { ahead, rest, progress: Arc::new(progress) }
    }
}

impl Default for RequestBody {
    fn default() -> Self {
        Self::whole(Bytes::new(), None)
    }
}

/// A body to its end; `None` when it has more than `limit` bytes.
pub async fn gather<B>(mut body: B, limit: usize) -> Result<Option<Bytes>, BodyError>
where
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    let mut gathered = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else { continue };
        if gathered.len() + piece.len() > limit {
            return Ok(None);
        }
        gathered.extend_from_slice(&piece);
    }
    Ok(Some(gathered.freeze()))
}

impl Progress {
    /// When the last piece was taken.
    pub fn last(&self) -> Instant {
        self.started + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    /// Whether the client broke the body off.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    fn advance(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(elapsed, Ordering::Relaxed);
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Whole { bytes, .. } => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::Streaming { ahead, rest, progress } => {
                if !ahead.is_empty() {
                    progress.advance();
                    return Poll::Ready(Some(Ok(Frame::data(std::mem::take(ahead)))));
                }
                loop {
                    let piece = ready!(Pin::new(&mut *rest).poll_frame(context));
                    progress.advance();
                    let frame = match piece {
                        Some(Ok(frame)) => frame,
                        Some(Err(error)) => {
                            progress.failed.store(true, Ordering::Relaxed);
                            return Poll::Ready(Some(Err(error)));
                        }
                        None => return Poll::Ready(None),
                    };
                    // Trailers end here: they are the client's hop, and Business Central knows none.
                    if frame.is_data() {
                        return Poll::Ready(Some(Ok(frame)));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole { bytes, .. } => bytes.is_empty(),
            Self::Streaming { ahead, rest, .. } => ahead.is_empty() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole { bytes, .. } => SizeHint::with_exact(bytes.len() as u64),
            Self::Streaming { ahead, rest, .. } => match rest.size_hint().exact() {
                Some(exact) => SizeHint::with_exact(ahead.len() as u64 + exact),
                None => SizeHint::new(),
            },
        }
    }
}

/// The largest body that is kept to be sent again: a large SOAP call fits, an attachment need not.
const READ_AHEAD_BYTES: usize = 1024 * 1024;

/// What all kept bodies together may take.
const READ_AHEAD_ROOM_KIB: usize = 64 * 1024;

/// How much of an unwanted body is read before we would rather close the connection.
#[derive(Debug, Clone, Copy)]
pub struct Drain {
    bytes: usize,
    time: Duration,
}

impl Drain {
    pub const REFUSED: Self = Self { bytes: 1024 * 1024, time: Duration::from_secs(10) };

    /// A handshake ends with its connection, and the same body comes again after it: worth waiting for even on a slow line.
    pub const HANDSHAKE: Self = Self { bytes: 64 * 1024 * 1024, time: Duration::from_secs(120) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kept_bodies_share_one_room_and_take_no_more_of_it_than_they_need() {
        let room = ReadAheadRoom::default();
        let unknown = READ_AHEAD_BYTES as u64;
        let taken: Vec<_> = std::iter::from_fn(|| room.take(unknown)).collect();
        assert_eq!(taken.len(), 64);
        assert!(room.take(1).is_none() && room.take(unknown + 1).is_none());
        let kept: Vec<_> = taken.into_iter().map(|taken| ReadAheadRoom::keep(taken, 2000)).collect();
        assert_eq!(std::iter::from_fn(|| room.take(1024)).collect::<Vec<_>>().len(), 64 * 1022);
        drop(kept);
        assert!(room.take(unknown).is_some());
    }
}
