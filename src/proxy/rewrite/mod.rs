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
use hold::{Hold, LONGEST, Verdict};
pub use output::Output;

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

/// What knows the local counterparts of addresses.
pub trait Turn {
    /// The local counterpart of an address's `location`, absolute and unescaped, or nothing where it is to stay.
    fn turn(&mut self, address: Address<'_>) -> Option<String>;

    /// What an address that begins with these raw bytes is replaced by, when that is known without a closer look.
    fn known(&self, _value: &[u8]) -> Option<Known<'_>> {
        None
    }
}

/// An address known by its beginning, of characters that no document escapes.
#[derive(Debug, Clone, Copy)]
pub struct Known<'t> {
    /// How much of the address the replacement takes the place of, in bytes.
    pub beginning: usize,
    pub replacement: &'t str,
    /// How long the rest is that stays, in bytes. It is known only if the value ends there.
    pub rest: usize,
}

impl<F: FnMut(Address<'_>) -> Option<String>> Turn for F {
    fn turn(&mut self, address: Address<'_>) -> Option<String> {
        self(address)
    }
}

/// One body on its way through: pieces in, pieces out, an address at most held back.
///
/// Memory is bounded by 64 KiB and the piece at hand, whatever the body's size: a longer address stays as it is.
pub struct Rewriter<T> {
    scanner: Scanner,
    /// What an address begins with: the scheme and one of the authorities.
    beginnings: Vec<String>,
    turn: T,
    /// The address that began in an earlier piece.
    hold: Option<Hold>,
    /// Its bytes so far.
    held: Vec<u8>,
}

impl<T: Turn> Rewriter<T> {
    /// `authorities`: the `host` or `host:port` texts an address may start with.
    pub fn new(document: Document, authorities: &[&str], turn: T) -> Self {
        let beginning = |authority: &&str| format!("https://{}", authority.strip_suffix(":443").unwrap_or(authority));
        Self {
            scanner: Scanner::new(document),
            beginnings: authorities.iter().map(beginning).collect(),
            turn,
            hold: None,
            held: Vec::new(),
        }
    }

    /// Takes the next piece and appends to `output` what can be handed on: long untouched stretches without copying, short ones
    /// joined with replaced addresses.
    pub fn push(&mut self, piece: &Bytes, output: &mut Output) {
        output.expect(piece.len());
        // Before `passed`, the piece is in `output`; before `read`, the scanner has seen it.
        let Some(mut passed) = self.take_up(piece, output) else { return };
        let mut read = passed;
        while let Some(place) = self.scanner.scan(piece.get(read..).unwrap_or_default()) {
            read += place.at;
            let value = piece.get(read..).unwrap_or_default();
            if let Some(known) = self.known(place.enclosure, value) {
                output.pass(piece, passed..read);
                output.copy(known.replacement.as_bytes());
                passed = read + known.beginning;
                read = passed + known.rest;
                continue;
            }
            let mut hold = Hold::new(place.enclosure);
            match hold.judge(value, &self.beginnings) {
                Verdict::Unknown => {
                    output.pass(piece, passed..read);
                    self.held.extend_from_slice(value);
                    self.hold = Some(hold);
                    return;
                }
                Verdict::NoAddress => {}
                Verdict::EndsAt(end) => {
                    if let Some(replacement) = replacement(&mut self.turn, place.enclosure, value, end) {
                        output.pass(piece, passed..read);
                        passed = read + replacement.until;
                        output.write(&replacement);
                    }
                    read += end;
                }
            }
        }
        output.pass(piece, passed..piece.len());
    }

    /// The address at the beginning of a value, if it is a known one and all there is of the value.
    fn known(&self, enclosure: Enclosure, value: &[u8]) -> Option<Known<'_>> {
        let known = self.turn.known(value).filter(|known| known.beginning + known.rest <= LONGEST)?;
        enclosure.ends_at(value.get(known.beginning + known.rest..)?).then_some(known)
    }

    /// The body has ended: what was held back never became an address.
    pub fn finish(&mut self, output: &mut Output) {
        self.hold = None;
        output.copy(&std::mem::take(&mut self.held));
        output.flush();
    }

    /// Goes on with the address that began in an earlier piece. Gives the position in this piece from which on nothing is done yet;
    /// nothing when the whole piece is held.
    fn take_up(&mut self, piece: &Bytes, output: &mut Output) -> Option<usize> {
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
                    if let Some(replacement) = replacement(&mut self.turn, hold.enclosure, rest, end) {
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

fn replacement(turn: &mut impl Turn, enclosure: Enclosure, value: &[u8], end: usize) -> Option<Replacement> {
    let Decoded { text, split, until, style } = enclosure.decode(value.get(..end)?)?;
    let (location, rest) = text.split_at_checked(split)?;
    let authority = location.get("https://".len()..)?;
    let path = authority.find('/').and_then(|slash| authority.get(slash..)).unwrap_or_default();
    let query = rest.strip_prefix('?').map(|query| query.split_once('#').map_or(query, |(query, _)| query));
    let text = turn.turn(Address { location, path, query })?;
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
