//! What the data path knows of a client's connection, and what it can ask of it.

use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use http_body::SizeHint;
use hyper::http::uri::Scheme;
use socket2::SockRef;
use tokio::net::TcpStream;

use super::look_ahead::{LookAhead, Lookahead};
use super::stall::{Contended, Stall, TakeLimit};
use super::unparsable::Unparsable;
use super::write_backlog::WriteBacklog;
use crate::config::Timeouts;
use crate::proxy::budgets::fair_budget::{FairBudget, Holder};
use crate::proxy::downstream::bind::{Terms, TermsInForce};
use crate::proxy::downstream::ntlm_session::NtlmSession;
use crate::proxy::downstream::peer_certificate::PeerCertificate;
use crate::units::millis;

/// An accepted connection, as the steps of the data path see it.
///
/// It does not keep the socket open: a write in flight must not hold the connection of a client that left.
#[derive(Debug)]
pub struct ClientConnection {
    peer: SocketAddr,
    /// The address the client connected to; unknown only if the client has left already.
    pub local: Option<SocketAddr>,
    /// The scheme of the client's URLs: `http` or `https`.
    pub scheme: Scheme,
    socket: Weak<TcpStream>,
    /// The TLS session, if there is one.
    pub(super) session: OnceLock<Box<dyn LookAhead>>,
    response: AtomicU8,
    is_still_sending: AtomicBool,
    /// Requests that hyper has parsed.
    requests: AtomicU32,
    /// The length of the latest request's body; `UNKNOWN_LENGTH` until its end is known.
    length: AtomicU64,
    /// Number of the last request whose body was read to its end.
    ended: AtomicU32,
    is_idle: AtomicBool,
    /// hyper has a response whose head it has not begun to write.
    head_follows: AtomicBool,
    handshakes: AtomicU32,
    /// How long the client may take nothing of a response, in milliseconds.
    idle_limit: AtomicU64,
    /// What its response holds that others may wait for.
    contended: Mutex<Option<Weak<dyn Contended>>>,
    /// Why it was disconnected, if it was.
    pub stall: OnceLock<Stall>,
    /// What it makes the proxy hold in memory.
    pub memory: Arc<Holder>,
    /// What the client has not taken yet of its responses.
    pub write_backlog: WriteBacklog,
    /// Why a request on this connection could not be parsed.
    pub unparsable: OnceLock<Unparsable>,
    /// The certificate that the client showed.
    pub certificate: PeerCertificate,
    /// The client's NTLM handshake, where it has to prove who it is.
    pub ntlm: NtlmSession,
    terms: Terms,
}

/// No response is in flight that ends with the connection.
const NO_RESPONSE: u8 = 0;
/// One is.
const RESPONDING: u8 = 1;
/// All of it was handed to hyper, which may not have written all of it yet.
const HANDED_OVER: u8 = 2;

const UNKNOWN_LENGTH: u64 = u64::MAX;

impl ClientConnection {
    /// A connection from this peer, which has sent nothing yet.
    pub fn new(
        peer: SocketAddr,
        local: Option<SocketAddr>,
        scheme: Scheme,
        socket: Weak<TcpStream>,
        memory: &FairBudget,
        terms: Terms,
    ) -> Self {
        let memory = memory.holder(peer.ip().to_canonical());
        Self {
            peer,
            local,
            scheme,
            socket,
            session: OnceLock::new(),
            response: AtomicU8::new(NO_RESPONSE),
            is_still_sending: AtomicBool::new(false),
            requests: AtomicU32::new(0),
            length: AtomicU64::new(0),
            ended: AtomicU32::new(0),
            is_idle: AtomicBool::new(false),
            head_follows: AtomicBool::new(false),
            handshakes: AtomicU32::new(0),
            idle_limit: AtomicU64::new(millis(Timeouts::default().body_idle)),
            contended: Mutex::default(),
            stall: OnceLock::new(),
            write_backlog: WriteBacklog::new(memory.clone()),
            memory,
            unparsable: OnceLock::new(),
            certificate: PeerCertificate::default(),
            ntlm: NtlmSession::default(),
            terms,
        }
    }

    /// The client's address; an IPv4 address mapped to IPv6 counts as IPv4.
    pub fn ip(&self) -> IpAddr {
        self.peer.ip().to_canonical()
    }

    /// The terms of its listener now.
    pub fn listener(&self) -> Arc<TermsInForce> {
        self.terms.in_force()
    }

    /// hyper has parsed a head, whose body has this length. Returns the request's number on this connection, from 1.
    pub fn request_begins(&self, body: &SizeHint) -> u32 {
        self.length.store(body.exact().unwrap_or(UNKNOWN_LENGTH), Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// Requests that hyper has parsed.
    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Whether the client has sent something that is still unread.
    pub fn has_unread(&self) -> bool {
        self.socket.upgrade().is_some_and(|socket| {
            SockRef::from(&*socket).peek(&mut [MaybeUninit::uninit()]).is_ok_and(|count| count > 0)
        })
    }

    /// A request's body was read to its end.
    pub fn body_ended(&self, number: u32) {
        self.ended.store(number, Ordering::Relaxed);
    }

    /// The length of the latest request's body; `None` when it is chunked.
    pub(super) fn body_length(&self) -> Option<u64> {
        Some(self.length.load(Ordering::Relaxed)).filter(|length| *length != UNKNOWN_LENGTH)
    }

    pub(super) fn has_ended(&self, number: u32) -> bool {
        self.ended.load(Ordering::Relaxed) == number
    }

    /// The connection is idle: no request for a while, none in flight, and hyper holds no data.
    pub(super) fn set_idle(&self, is_idle: bool) {
        self.is_idle.store(is_idle, Ordering::Relaxed);
    }

    /// Whether it is idle.
    pub fn is_idle(&self) -> bool {
        self.is_idle.load(Ordering::Relaxed)
    }

    /// hyper gets a response: the next bytes that it writes are its head.
    ///
    /// That is certain, because hyper asks for a response only when it has written every body before.
    pub fn head_follows(&self) {
        self.head_follows.store(true, Ordering::Relaxed);
    }

    /// Whether what hyper writes now is the head of a response.
    pub(super) fn takes_head(&self) -> bool {
        let follows = self.head_follows.load(Ordering::Relaxed);
        if follows {
            self.head_follows.store(false, Ordering::Relaxed);
        }
        follows
    }

    /// A handshake begins. Returns how many began since a request was last forwarded.
    pub fn handshake_begins(&self) -> u32 {
        self.handshakes.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// A request came that begins no handshake.
    pub fn handshake_over(&self) {
        self.handshakes.store(0, Ordering::Relaxed);
    }

    /// Sets how long the client may take nothing of the response that begins.
    pub fn set_idle_limit(&self, time: Duration) {
        self.idle_limit.store(millis(time), Ordering::Relaxed);
    }

    /// The time limit of the latest response.
    pub(super) fn take_limit(&self) -> TakeLimit {
        let idle_limit = Duration::from_millis(self.idle_limit.load(Ordering::Relaxed));
        TakeLimit { number: self.requests(), idle_limit }
    }

    /// The response that begins holds this until its last byte has arrived from Business Central.
    pub fn set_contended(&self, held: Weak<impl Contended + 'static>) {
        *self.contended.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }

    /// Whether others wait for what this client's response holds: a limiter's permit, or memory.
    pub(super) fn is_blocking(&self) -> bool {
        let held = self.contended.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(Weak::upgrade);
        held.is_some_and(|held| held.is_contended()) || self.write_backlog.is_blocking()
    }

    /// The client was too slow and is disconnected: with a reset, since it would take the rest just as slowly.
    pub(super) fn disconnect(&self, stall: Stall) {
        let _ = self.stall.set(stall);
        if let Some(socket) = self.socket.upgrade() {
            let _ = socket.set_zero_linger();
        }
    }

    /// A response begins whose end the client may only know by the end of the connection.
    ///
    /// An orderly close would make half of it look complete. Until it is [complete](Self::response_complete), every
    /// close is a reset. That covers a broken response, a stop that waits no longer, and a killed process.
    pub fn response_begins(&self) {
        if self.response.swap(RESPONDING, Ordering::Relaxed) == NO_RESPONSE
            && let Some(socket) = self.socket.upgrade()
        {
            // Fails only when the connection is gone already.
            let _ = socket.set_zero_linger();
        }
    }

    /// The response that began, if one did, was handed to hyper to its end.
    pub fn response_complete(&self) {
        let _ = self.response.compare_exchange(RESPONDING, HANDED_OVER, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The rest of the client's request will not be read.
    pub fn leave_unread(&self) {
        self.is_still_sending.store(true, Ordering::Relaxed);
    }

    /// Waits until the client has closed its side or reset the connection.
    ///
    /// Stays pending when the client has sent more than was read so far: what follows can't be seen yet. A client that
    /// pipelines and then
    /// closes its half counts as gone.
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

    /// hyper has written all it was handed.
    pub(super) fn is_written(&self) {
        if self.response.load(Ordering::Relaxed) == HANDED_OVER {
            self.response.store(NO_RESPONSE, Ordering::Relaxed);
            if let Some(socket) = self.socket.upgrade() {
                let _ = SockRef::from(&*socket).set_linger(None);
            }
        }
    }

    pub(super) fn is_still_sending(&self) -> bool {
        self.is_still_sending.load(Ordering::Relaxed)
    }
}
