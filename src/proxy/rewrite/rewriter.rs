//! Rewrites a body piece by piece.

use std::sync::Arc;

use bytes::Bytes;

use super::enclosure::Enclosure;
use super::link_map::{KnownPrefix, LinkMap};
use super::output::Output;
use super::pending_link::{LinkCheck, MAX_LINK_BYTES, PendingLink};
use super::replacement::Replacement;
use super::scan::{Document, DocumentScanner};

/// The rewriter of one body: pieces in, pieces out, with at most one incomplete link buffered.
///
/// Memory is bounded by 64 KiB plus the current piece, regardless of the size of the body. Longer links are left
/// unchanged.
#[derive(Debug)]
pub struct Rewriter<M> {
    scanner: DocumentScanner,
    /// What the links to rewrite begin with.
    origins: Arc<[String]>,
    map: M,
    /// The link that started in an earlier piece.
    pending: Option<PendingLink>,
    /// The bytes of that link so far.
    pending_bytes: Vec<u8>,
}

impl<M: LinkMap> Rewriter<M> {
    /// Creates the rewriter of one body. It rewrites links to these `origins`, each `https://host[:port]`.
    pub fn new(document: Document, origins: Arc<[String]>, map: M) -> Self {
        Self { scanner: DocumentScanner::new(document), origins, map, pending: None, pending_bytes: Vec::new() }
    }

    /// Rewrites the next piece and appends the result to `output`. Long unchanged ranges are not copied. Short ones are
    /// joined with rewritten links.
    pub fn push(&mut self, piece: &Bytes, output: &mut Output) {
        output.reserve_for(piece.len());
        // `output` has the piece up to `written`; the scanner has read it up to `read`.
        let Some(mut written) = self.resume_pending(piece, output) else { return };
        let mut read = written;
        while let Some(candidate) = self.scanner.scan(piece.get(read..).unwrap_or_default()) {
            read += candidate.offset;
            let value = piece.get(read..).unwrap_or_default();
            if let Some(known) = self.known_prefix(candidate.enclosure, value) {
                output.append_range(piece, written..read);
                output.append_bytes(known.replacement.as_bytes());
                written = read + known.length;
                read = written + known.rest_length;
                continue;
            }
            let mut link = PendingLink::new(candidate.enclosure);
            match link.check(value, &self.origins) {
                LinkCheck::Incomplete => {
                    output.append_range(piece, written..read);
                    self.pending_bytes.extend_from_slice(value);
                    self.pending = Some(link);
                    return;
                }
                LinkCheck::NotALink => {}
                LinkCheck::EndsAt(end) => {
                    if let Some(replacement) = Replacement::new(&mut self.map, candidate.enclosure, value, end) {
                        output.append_range(piece, written..read);
                        written = read + replacement.until;
                        output.append_replacement(&replacement);
                    }
                    read += end;
                }
            }
        }
        output.append_range(piece, written..piece.len());
    }

    /// The known prefix of a value, if nothing but its unchanged rest follows in the value.
    fn known_prefix(&self, enclosure: Enclosure, value: &[u8]) -> Option<KnownPrefix<'_>> {
        let known = self.map.known_prefix(value).filter(|known| known.length + known.rest_length <= MAX_LINK_BYTES)?;
        enclosure.ends_at(value.get(known.length + known.rest_length..)?).then_some(known)
    }

    /// Ends the body. Bytes of an incomplete link are output unchanged.
    pub fn finish(&mut self, output: &mut Output) {
        self.pending = None;
        output.append_bytes(&std::mem::take(&mut self.pending_bytes));
        output.flush();
    }

    /// Continues the link that started in an earlier piece. Returns the position in this piece where scanning
    /// continues, or `None` if the link does not end in this piece.
    fn resume_pending(&mut self, piece: &Bytes, output: &mut Output) -> Option<usize> {
        let Some(mut link) = self.pending.take() else { return Some(0) };
        let before = self.pending_bytes.len();
        // Copy in small chunks: most links end soon, and the piece may be large.
        for more in piece.chunks(1024) {
            self.pending_bytes.extend_from_slice(more);
            match link.check(&self.pending_bytes, &self.origins) {
                LinkCheck::Incomplete => {}
                LinkCheck::NotALink => {
                    // The bytes of earlier pieces are inside the value, and the scanner has not read them yet.
                    self.pending_bytes.truncate(before);
                    let _ = self.scanner.scan(&self.pending_bytes);
                    output.append_bytes(&self.pending_bytes);
                    self.pending_bytes.clear();
                    return Some(0);
                }
                LinkCheck::EndsAt(end) => {
                    self.pending_bytes.truncate(end);
                    let mut rest = self.pending_bytes.as_slice();
                    if let Some(replacement) = Replacement::new(&mut self.map, link.enclosure, rest, end) {
                        output.append_replacement(&replacement);
                        rest = rest.get(replacement.until..).unwrap_or_default();
                    }
                    output.append_bytes(rest);
                    self.pending_bytes.clear();
                    return Some(end.saturating_sub(before));
                }
            }
        }
        self.pending = Some(link);
        None
    }
}
