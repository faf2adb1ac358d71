//! The way back: finds in an answer's body the addresses that are there to be followed, and replaces them by local ones.
//!
//! ```text
//! piece → scanner (json, batch, xml) → hold → escape → map → escape → output
//!         where could one stand?       is it one?   undone       written again
//! ```
//!
//! Data is never touched: a scanner names only places where the service itself writes addresses. Bodies pass in pieces that may be
//! cut anywhere; nothing is kept but an address under way.

mod atom;
mod batch;
mod escape;
mod hold;
mod json;
mod output;
mod wsdl;
mod xml;

use bytes::Bytes;
use escape::{Decoded, Enclosure};
use hold::{Hold, Verdict};
use output::Output;

/// The kind of document a body is: it decides where addresses to be followed can stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// OData's JSON: the annotations that hold links.
    Json,
    /// The answer to a JSON `$batch`: the same, and the headers of each part.
    JsonBatch,
    /// WSDL, XML Schema and discovery documents.
    Wsdl,
    /// Atom and AtomPub, as OData V3 wrote them.
    Atom,
}

/// An absolute https address at one of the authorities, its document's escaping undone, its percent-encoding kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<'a> {
    /// From the scheme up to the first `?` or `#`: what the replacement takes the place of. Scheme and host in the case found, and
    /// a `:443` if one was there.
    pub location: &'a str,
    /// What follows the authority in `location`: empty or starting with a slash.
    pub path: &'a str,
    /// What follows the `?`, up to the `#`. Stays in the document as it is.
    pub query: Option<&'a str>,
}

/// One body on its way through: pieces in, pieces out, an address at most held back.
///
/// Memory is bounded by 64 KiB and the piece at hand, whatever the body's size: a longer address stays as it is.
pub struct Rewriter<M> {
    scanner: Scanner,
    /// What an address begins with: the scheme and one of the authorities.
    beginnings: Vec<String>,
    map: M,
    /// The address that began in an earlier piece.
    hold: Option<Hold>,
    /// Its bytes so far.
    held: Vec<u8>,
}

impl<M: FnMut(Address<'_>) -> Option<String>> Rewriter<M> {
    /// `authorities`: the `host` or `host:port` texts an address may start with. `map` gives the local counterpart of an address's
    /// `location`, absolute and unescaped, or nothing where it is to stay.
    pub fn new(document: Document, authorities: &[&str], map: M) -> Self {
        let beginning = |authority: &&str| format!("https://{}", authority.strip_suffix(":443").unwrap_or(authority));
        Self {
            scanner: Scanner::new(document),
            beginnings: authorities.iter().map(beginning).collect(),
            map,
            hold: None,
            held: Vec::new(),
        }
    }

    /// Takes the next piece and appends to `out` what can be handed on: long untouched stretches without copying, short ones
    /// between replaced addresses joined with them.
    pub fn push(&mut self, piece: Bytes, out: &mut Vec<Bytes>) {
        let mut output = Output::new(out, piece.len());
        // Before `passed`, the piece is in `output`; before `read`, the scanner has seen it.
        let Some(mut passed) = self.take_up(&piece, &mut output) else { return };
        let mut read = passed;
        while let Some(place) = self.scanner.scan(piece.get(read..).unwrap_or_default()) {
            read += place.at;
            let value = piece.get(read..).unwrap_or_default();
            let mut hold = Hold::new(place.enclosure);
            match hold.judge(value, &self.beginnings) {
                Verdict::Unknown => {
                    output.pass(&piece, passed..read);
                    self.held.extend_from_slice(value);
                    self.hold = Some(hold);
                    return;
                }
                Verdict::NoAddress => {}
                Verdict::EndsAt(end) => {
                    if let Some(replacement) = replacement(&mut self.map, place.enclosure, value, end) {
                        output.pass(&piece, passed..read);
                        passed = read + replacement.until;
                        output.write(&replacement);
                    }
                    read += end;
                }
            }
        }
        output.pass(&piece, passed..piece.len());
    }

    /// The body has ended: what was held back never became an address.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) {
        self.hold = None;
        if !self.held.is_empty() {
            out.push(Bytes::from(std::mem::take(&mut self.held)));
        }
    }

    /// Goes on with the address that began in an earlier piece. Gives the position in this piece from which on nothing is done yet;
    /// nothing when the whole piece is held.
    fn take_up(&mut self, piece: &Bytes, output: &mut Output<'_>) -> Option<usize> {
        let Some(mut hold) = self.hold.take() else { return Some(0) };
        let before = self.held.len();
        // A spoonful at a time: most addresses end soon, and the piece may be large.
        for more in piece.chunks(1024) {
            self.held.extend_from_slice(more);
            match hold.judge(&self.held, &self.beginnings) {
                Verdict::Unknown => {}
                Verdict::NoAddress => {
                    // All that was held in earlier pieces is inside the value, and the scanner has to know what it passed there.
                    self.held.truncate(before);
                    let _ = self.scanner.scan(&self.held);
                    output.copy(&self.held);
                    self.held.clear();
                    return Some(0);
                }
                Verdict::EndsAt(end) => {
                    self.held.truncate(end);
                    let mut rest = self.held.as_slice();
                    if let Some(replacement) = replacement(&mut self.map, hold.enclosure, rest, end) {
                        output.write(&replacement);
                        rest = rest.get(replacement.until..).unwrap_or_default();
                    }
                    output.copy(rest);
                    self.held.clear();
                    return Some(end.saturating_sub(before));
                }
            }
        }
        self.hold = Some(hold);
        None
    }
}

/// What takes the place of an address up to its query or fragment.
struct Replacement {
    text: String,
    enclosure: Enclosure,
    style: escape::Style,
    /// The position in the value up to which it replaces.
    until: usize,
}

fn replacement(
    map: &mut impl FnMut(Address<'_>) -> Option<String>,
    enclosure: Enclosure,
    value: &[u8],
    end: usize,
) -> Option<Replacement> {
    let Decoded { text, split, until, style } = enclosure.decode(value.get(..end)?)?;
    let (location, rest) = text.split_at_checked(split)?;
    let authority = location.get("https://".len()..)?;
    let path = authority.find('/').and_then(|slash| authority.get(slash..)).unwrap_or_default();
    let query = rest.strip_prefix('?').map(|query| query.split_once('#').map_or(query, |(query, _)| query));
    let text = map(Address { location, path, query })?;
    Some(Replacement { text, enclosure, style, until })
}

/// Where an address may stand.
struct Place {
    /// The position of its first byte in the bytes scanned.
    at: usize,
    enclosure: Enclosure,
}

/// The scanner of a kind of document.
///
/// `scan` reads on to the next place. It is then inside the value there: the next call may begin at the value's first byte or at
/// any later one up to the value's end, which it has to be shown.
enum Scanner {
    Json(json::Json),
    Batch(batch::Batch),
    Wsdl(xml::Xml<wsdl::Wsdl>),
    Atom(xml::Xml<atom::Atom>),
}

impl Scanner {
    fn new(document: Document) -> Self {
        match document {
            Document::Json => Self::Json(json::Json::default()),
            Document::JsonBatch => Self::Batch(batch::Batch::default()),
            Document::Wsdl => Self::Wsdl(xml::Xml::default()),
            Document::Atom => Self::Atom(xml::Xml::default()),
        }
    }

    fn scan(&mut self, bytes: &[u8]) -> Option<Place> {
        match self {
            Self::Json(json) => json.scan(bytes),
            Self::Batch(batch) => batch.scan(bytes),
            Self::Wsdl(xml) => xml.scan(bytes),
            Self::Atom(xml) => xml.scan(bytes),
        }
    }
}
