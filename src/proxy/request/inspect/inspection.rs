//! The inspection of a body in memory: decoding and checking it, in bounded work.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::http::request::Parts;

use super::body_address::BodyContext;
use super::step::Subject;
use crate::proxy::body::error::BodyError;
use crate::proxy::body::gunzip::Gunzip;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::budgets::fair_budget::{Held, Holder};
use crate::proxy::environment::changes::Extent;
use crate::proxy::environment::look_up::LookUp;
use crate::proxy::headers;
use crate::proxy::rejection::{Kind, Rejection};

/// A body that has to be inspected.
#[derive(Debug)]
pub struct Inspection {
    subject: Subject,
    /// As the client sent it.
    as_sent: RequestBody,
    is_gzip: bool,
    /// `None` while the body is on disk.
    content: Option<Content>,
}

/// A body in memory that has to be inspected.
#[derive(Debug)]
pub struct Loaded {
    subject: Subject,
    as_sent: RequestBody,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// Not known to be small.
    Gzip(InMemory),
    Decoded(InMemory),
}

/// Bytes, and their share of the budget.
#[derive(Debug)]
struct InMemory {
    bytes: Bytes,
    held: Option<Arc<Held>>,
}

impl Inspection {
    /// The inspection of a body. Gzip that opens to little is decoded.
    pub async fn begin(
        subject: Subject,
        body: RequestBody,
        is_gzip: bool,
        memory: &Arc<Holder>,
    ) -> Result<Self, Rejection> {
        if body.size_hint().lower() > MAX_BYTES as u64 {
            return Err(Rejection::new(Kind::TooLarge, TOO_LARGE));
        }
        let content = match body.replay() {
            RequestBody::Spooled { .. } => None,
            RequestBody::Buffered { bytes, _held: held } if !is_gzip => {
                Some(Content::Decoded(InMemory { bytes, held }))
            }
            RequestBody::Buffered { bytes, _held: held } => {
                match InMemory::read(gunzip(&bytes), MAX_SMALL_BYTES, memory, TOO_LARGE).await {
                    Ok(decoded) => Some(Content::Decoded(decoded)),
                    Err(_) => Some(Content::Gzip(InMemory { bytes, held })),
                }
            }
        };
        Ok(Self { subject, as_sent: body, is_gzip, content })
    }

    /// Whether it may be too much work for a thread that serves requests.
    pub fn is_large(&self) -> bool {
        match &self.content {
            Some(Content::Decoded(decoded)) => decoded.bytes.len() > MAX_SMALL_BYTES,
            Some(Content::Gzip(_)) | None => true,
        }
    }

    /// Reads a body on disk into memory.
    pub async fn load(self, memory: &Arc<Holder>) -> Result<Loaded, Rejection> {
        let Self { subject, as_sent, is_gzip, content } = self;
        let content = match content {
            Some(content) => content,
            None => {
                let read = InMemory::read(as_sent.replay(), MAX_BYTES, memory, TOO_LARGE).await?;
                if is_gzip { Content::Gzip(read) } else { Content::Decoded(read) }
            }
        };
        Ok(Loaded { subject, as_sent, content })
    }
}

impl Loaded {
    /// The body as it may be sent, and what it may change if it is a batch. The headers in `head` change with it.
    pub async fn finish(
        self,
        context: &BodyContext<'_, impl LookUp>,
        head: &mut Parts,
        memory: &Arc<Holder>,
    ) -> Result<(RequestBody, Option<Extent>), Rejection> {
        let Self { subject, as_sent, content } = self;
        let decoded = match content {
            Content::Decoded(decoded) => Ok(decoded),
            Content::Gzip(coded) => inflate(&coded.bytes, memory).await,
        };
        let InMemory { bytes, held } = match decoded {
            Err(_) if subject.may_be_unreadable(context.settings) => return Ok((as_sent, None)),
            decoded => decoded?,
        };
        let (changed, batch_changes) = subject.check(&bytes, context).await?;
        let Some(changed) = changed else { return Ok((as_sent, batch_changes)) };
        headers::of_changed_body(&mut head.headers);
        Ok((RequestBody::buffered(changed.into(), held), batch_changes))
    }
}

impl InMemory {
    /// All of a body; rejected with `too_large` beyond the limit.
    async fn read<B>(mut body: B, limit: usize, memory: &Arc<Holder>, too_large: &str) -> Result<Self, Rejection>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        let (mut bytes, mut held) = (BytesMut::new(), memory.empty());
        while let Some(frame) = body.frame().await.transpose()? {
            let Ok(piece) = frame.into_data() else { continue };
            if bytes.len() + piece.len() > limit {
                return Err(Rejection::new(Kind::TooLarge, too_large));
            }
            held.grow(piece.len() as u64)?;
            bytes.extend_from_slice(&piece);
        }
        Ok(Self { bytes: bytes.freeze(), held: Some(Arc::new(held)) })
    }
}

/// A gzip body, decoded within the bounds.
async fn inflate(coded: &Bytes, memory: &Arc<Holder>) -> Result<InMemory, Rejection> {
    let (limit, too_large) = match MAX_RATIO * coded.len() {
        few if few < MAX_BYTES => (few.max(MAX_BYTES_AT_ANY_RATIO), TOO_COMPRESSED),
        _ => (MAX_BYTES, TOO_LARGE),
    };
    InMemory::read(gunzip(coded), limit, memory, too_large).await
}

fn gunzip(coded: &Bytes) -> Gunzip<RequestBody> {
    Gunzip::new(RequestBody::buffered(coded.clone(), None))
}

/// The largest body that is inspected, in bytes after decoding.
pub const MAX_BYTES: usize = 16 << 20;

/// Decoded bytes up to which an inspection takes about a millisecond.
const MAX_SMALL_BYTES: usize = 256 << 10;

/// The highest ratio to which gzip may open: JSON rarely shrinks to less than a twentieth.
const MAX_RATIO: usize = 100;

/// Decoded bytes up to which the ratio is of no account.
const MAX_BYTES_AT_ANY_RATIO: usize = 1 << 20;

pub const TOO_LARGE: &str = "The body is larger than 16 MiB, too large to check for addresses outside the route's company. Send it in parts, \
     or through a route without `company`.";

const TOO_COMPRESSED: &str = "The body's gzip opens to more than 1 MiB and 100 times its size, too much to check for addresses outside the \
     route's company. Send it uncompressed.";
