//! What the steps of the data path may know of a client's connection, and ask of it.

use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use http_body::SizeHint;
use hyper::http::uri::Scheme;
use socket2::SockRef;
use tokio::net::TcpStream;

use super::look_ahead::{LookAhead, Lookahead};
use super::write_backlog::{BacklogBudget, WriteBacklog};
use crate::config::Timeouts;

/// One accepted connection, as the steps of the data path see it.
///
/// It does not keep the socket open: a write that goes on upstream must not hold the connection of a client that left.
#[derive(Debug)]
pub struct ClientConnection {
    peer: SocketAddr,
    /// Where the client came in; unknown only when it is gone already.
    local: Option<SocketAddr>,
    scheme: Scheme,
    socket: Weak<TcpStream>,
    /// What lies between the socket and us, if the client speaks TLS.
    session: OnceLock<Box<dyn LookAhead>>,
    answer: AtomicU8,
    is_still_sending: AtomicBool,
    /// How many requests hyper has understood.
    requests: AtomicU32,
    /// How long the latest one's body is; `UNKNOWN_LENGTH` if only its end will tell.
    length: AtomicU64,
    /// The number of the last request whose body was read to its end.
    ended: AtomicU32,
    is_resting: AtomicBool,
    handshakes: AtomicU32,
    /// How long the client may take nothing of an answer, in milliseconds.
    patience: AtomicU64,
    /// What it keeps from others while it takes an answer.
    contended: Mutex<Option<Weak<dyn Contended>>>,
    stall: OnceLock<Stall>,
    /// What the client has not taken yet of its answers.
    pub write_backlog: WriteBacklog,
    unreadable: OnceLock<&'static str>,
}

/// Something that others may be waiting for while a response holds it.
pub trait Contended: Send + Sync {
    /// Whether others are waiting for it.
    fn is_contended(&self) -> bool;
}

/// How far the body of the latest request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Exactly(u64),
    /// It is chunked.
    Unknown,
}

/// On which terms the client takes an answer; each one has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Of the request on its connection.
    number: u32,
    /// How long the client may take nothing.
    pub patience: Duration,
}

/// Why a client is cut off that takes too little of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// It may not take so little for so long.
    Overdue,
    /// Others waited for what it kept from them, and it took too little for [`PATIENCE_OF_OTHERS`].
    Blocking,
}

/// How long a client may take nothing of an answer while others wait for what it keeps.
pub const PATIENCE_OF_OTHERS: Duration = Duration::from_secs(60);

/// No answer is under way whose end would be the end of the connection.
const NO_ANSWER: u8 = 0;
/// There is one.
const ANSWERING: u8 = 1;
/// All of it was handed over to hyper, which may not have written all of it yet.
const HANDED_OVER: u8 = 2;

const UNKNOWN_LENGTH: u64 = u64::MAX;

impl ClientConnection {
    pub fn new(
        peer: SocketAddr,
        local: Option<SocketAddr>,
        scheme: Scheme,
        socket: Weak<TcpStream>,
        room: BacklogBudget,
    ) -> Self {
        Self {
            peer,
            local,
            scheme,
            socket,
            session: OnceLock::new(),
            answer: AtomicU8::new(NO_ANSWER),
            is_still_sending: AtomicBool::new(false),
            requests: AtomicU32::new(0),
            length: AtomicU64::new(0),
            ended: AtomicU32::new(0),
            is_resting: AtomicBool::new(false),
            handshakes: AtomicU32::new(0),
            patience: AtomicU64::new(millis(Timeouts::default().body_idle)),
            contended: Mutex::default(),
            stall: OnceLock::new(),
            write_backlog: WriteBacklog::new(room),
            unreadable: OnceLock::new(),
        }
    }

    /// The client's address; an IPv4 client on an IPv6 socket counts as IPv4.
    pub fn ip(&self) -> IpAddr {
        self.peer.ip().to_canonical()
    }

    /// Our address on this connection.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.local
    }

    /// What this client writes before our address: `http` or `https`.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// The client speaks TLS: this is its session.
    pub(super) fn set_session(&self, session: Box<dyn LookAhead>) {
        let _ = self.session.set(session);
    }

    /// hyper has understood a head, and says how long the body after it is. The request's number on this connection, from 1.
    pub fn request_begins(&self, body: &SizeHint) -> u32 {
        self.length.store(body.exact().unwrap_or(UNKNOWN_LENGTH), Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// How many requests hyper has understood.
    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Whether the client has sent something that nobody has read yet.
    pub fn has_unread(&self) -> bool {
        self.socket.upgrade().is_some_and(|socket| {
            SockRef::from(&*socket).peek(&mut [MaybeUninit::uninit()]).is_ok_and(|count| count > 0)
        })
    }

    /// A request's body was read to its end.
    pub fn body_ended(&self, number: u32) {
        self.ended.store(number, Ordering::Relaxed);
    }

    /// The number of requests so far, and how long the latest one's body is.
    pub(super) fn latest(&self) -> (u32, Extent) {
        let extent = match self.length.load(Ordering::Relaxed) {
            UNKNOWN_LENGTH => Extent::Unknown,
            length => Extent::Exactly(length),
        };
        (self.requests.load(Ordering::Relaxed), extent)
    }

    pub(super) fn has_ended(&self, number: u32) -> bool {
        self.ended.load(Ordering::Relaxed) == number
    }

    /// Nothing was asked for a while, nothing is under way, and hyper holds nothing.
    pub(super) fn rests(&self, is_resting: bool) {
        self.is_resting.store(is_resting, Ordering::Relaxed);
    }

    pub fn is_resting(&self) -> bool {
        self.is_resting.load(Ordering::Relaxed)
    }

    /// Another handshake was begun; how many there were since a request was last forwarded.
    pub fn handshake_begins(&self) -> u32 {
        self.handshakes.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// A request came that is no handshake.
    pub fn handshake_over(&self) {
        self.handshakes.store(0, Ordering::Relaxed);
    }

    /// For so long the client may take nothing of the answer that begins.
    pub fn may_stall(&self, time: Duration) {
        self.patience.store(millis(time), Ordering::Relaxed);
    }

    /// Those of the answer to the latest request.
    pub(super) fn terms(&self) -> Terms {
        let patience = Duration::from_millis(self.patience.load(Ordering::Relaxed));
        Terms { number: self.requests(), patience }
    }

    /// The response that begins holds this until its last byte has arrived from Business Central.
    pub fn set_contended(&self, held: Weak<impl Contended + 'static>) {
        *self.contended.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }

    /// Whether others wait for what this client's response holds: a limiter's permit, or memory.
    pub(super) fn is_in_the_way(&self) -> bool {
        let held = self.contended.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(Weak::upgrade);
        held.is_some_and(|held| held.is_contended()) || self.write_backlog.is_in_the_way()
    }

    /// It took nothing for longer than it may, or too little, and is cut off: with a reset, since it would take the rest just as slowly.
    pub(super) fn stalls(&self, stall: Stall) {
        let _ = self.stall.set(stall);
        if let Some(socket) = self.socket.upgrade() {
            let _ = socket.set_zero_linger();
        }
    }

    /// Why it was cut off, if it was.
    pub fn stall(&self) -> Option<Stall> {
        self.stall.get().copied()
    }

    pub(super) fn is_unreadable(&self, reason: &'static str) {
        let _ = self.unreadable.set(reason);
    }

    /// Why a request on this connection could not be understood.
    pub fn unreadable(&self) -> Option<&'static str> {
        self.unreadable.get().copied()
    }

    /// An answer begins whose end the client may know by the end of the connection only.
    ///
    /// An orderly close would make half of it look whole. So until it is [whole](Self::answer_is_whole), every close is a reset: of an
    /// answer that broke off, of a stop that waits no longer, of a process that is killed.
    pub fn answer_begins(&self) {
        if self.answer.swap(ANSWERING, Ordering::Relaxed) == NO_ANSWER
            && let Some(socket) = self.socket.upgrade()
        {
            // Fails only when the connection is gone already.
            let _ = socket.set_zero_linger();
        }
    }

    /// The answer that began, if one did, was handed over to hyper to its end.
    pub fn answer_is_whole(&self) {
        let _ = self.answer.compare_exchange(ANSWERING, HANDED_OVER, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Nobody will read what the client still sends of its request.
    pub fn stays_unread(&self) {
        self.is_still_sending.store(true, Ordering::Relaxed);
    }

    /// Waits until the client has closed its side or reset the connection.
    ///
    /// Stays pending when the client has sent more than was read so far: what follows it can't be seen yet. A client that pipelines on an
    /// open connection and closes its half counts as gone.
    pub async fn closed_by_client(&self) {
        let Some(socket) = self.socket.upgrade() else { return };
        let Some(session) = self.session.get() else {
            return match socket.peek(&mut [0]).await {
                Ok(0) | Err(_) => {}
                Ok(_) => std::future::pending().await,
            };
        };
        loop {
            match session.look_ahead(&socket) {
                Lookahead::End => return,
                Lookahead::Bytes => std::future::pending().await,
                Lookahead::Nothing if socket.readable().await.is_err() => return,
                Lookahead::Nothing => {}
            }
        }
    }

    /// hyper has written all it was handed over.
    pub(super) fn is_written(&self) {
        if self.answer.load(Ordering::Relaxed) == HANDED_OVER {
            self.answer.store(NO_ANSWER, Ordering::Relaxed);
            if let Some(socket) = self.socket.upgrade() {
                let _ = SockRef::from(&*socket).set_linger(None);
            }
        }
    }

    pub(super) fn is_still_sending(&self) -> bool {
        self.is_still_sending.load(Ordering::Relaxed)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
