//! Scripted answers: what a test wants Business Central to answer, byte for byte and at its own pace.

use std::sync::Mutex;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode, header};

use super::latch::Latch;
use super::listener::Break;
use super::sync::lock;
use super::times::Times;

/// Which requests a script answers: all that meet every condition.
#[derive(Debug, Clone, Default)]
pub struct Matcher {
    method: Option<Method>,
    path_end: Option<String>,
    path_part: Option<String>,
    without_token: bool,
}

impl Matcher {
    /// Every request with an accepted token.
    pub fn any() -> Self {
        Self::default()
    }

    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// The raw path, without the query, ends like this.
    pub fn path_ending(mut self, end: &str) -> Self {
        self.path_end = Some(end.to_owned());
        self
    }

    /// The raw path, without the query, holds this.
    pub fn path_containing(mut self, part: &str) -> Self {
        self.path_part = Some(part.to_owned());
        self
    }

    /// Also requests whose token is missing or refused. Without this a proxy that forgot the token would go unnoticed.
    pub fn even_without_token(mut self) -> Self {
        self.without_token = true;
        self
    }

    fn matches(&self, head: &Parts, token_accepted: bool) -> bool {
        let path = head.uri.path();
        (token_accepted || self.without_token)
            && self.method.as_ref().is_none_or(|method| *method == head.method)
            && self.path_end.as_ref().is_none_or(|end| path.ends_with(end.as_str()))
            && self.path_part.as_ref().is_none_or(|part| path.contains(part.as_str()))
    }
}

/// How the end of a scripted body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `Content-Length`: the sum of all `Send` and `Fill` steps, and one more for a step that breaks the answer off.
    ContentLength,
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The end of the connection; the status line then says HTTP/1.0.
    Close,
}

/// A piece of a scripted body.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Send(Bytes),
    Fill(u64),
    Hold(Latch),
    /// So many bytes are announced that never come.
    Break(Break, u64),
}

/// Everything an answer consists of.
#[derive(Debug, Clone)]
pub(super) struct Scripted {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub framing: Framing,
    pub steps: Vec<Step>,
    pub trailers: HeaderMap,
}

impl Scripted {
    /// An ordinary answer, cut after so many bytes where that is asked for.
    pub fn ordinary(answer: Response<Bytes>, cut_after: Option<usize>) -> Self {
        let (head, mut body) = answer.into_parts();
        let length = cut_after.unwrap_or(usize::MAX);
        let steps = if length < body.len() {
            let missing = body.split_off(length).len() as u64;
            vec![Step::Send(body), Step::Break(Break::Cut, missing)]
        } else {
            vec![Step::Send(body)]
        };
        let (framing, trailers) = (Framing::ContentLength, HeaderMap::new());
        Self { status: head.status, headers: head.headers, framing, steps, trailers }
    }
}

/// A scripted answer. The methods that shape status, headers and body leave an [`ordinary`](Self::ordinary) one as it is.
///
/// ```
/// use bcproxy::simulator::{Framing, Latch, Script};
/// use hyper::StatusCode;
/// let latch = Latch::closed();
/// let slow_download = Script::response(StatusCode::OK).framing(Framing::Chunked).send("first ").hold(&latch).fill(1 << 30).cut();
/// ```
#[derive(Debug, Clone)]
pub struct Script {
    /// What to answer with; `None` for what would have been answered without a script.
    pub(super) scripted: Option<Scripted>,
    pub(super) reads_request: bool,
    pub(super) latch: Option<Latch>,
    pub(super) breaks: Option<Break>,
    /// After how many bytes an ordinary answer's body is cut.
    pub(super) cut_after: Option<usize>,
}

impl Script {
    /// An answer with this status, without headers and body so far.
    pub fn response(status: StatusCode) -> Self {
        Self::with(Some(Scripted {
            status,
            headers: HeaderMap::new(),
            framing: Framing::ContentLength,
            steps: Vec::new(),
            trailers: HeaderMap::new(),
        }))
    }

    /// The real answer: for holding it back, or for losing it after the request took effect.
    pub fn ordinary() -> Self {
        Self::with(None)
    }

    /// A TCP reset instead of an answer, before the request takes effect.
    pub fn reset() -> Self {
        Self::response(StatusCode::OK).break_before_response(Break::Reset)
    }

    /// A 429 or 503 with the envelope of Business Central's limits; `Retry-After` in seconds.
    pub fn busy(status: StatusCode, retry_after: Option<u32>) -> Self {
        let script = Self::error(status, "Application_TooManyRequests", "Too many requests reached.");
        match retry_after {
            Some(seconds) => script.header(header::RETRY_AFTER, HeaderValue::from(seconds)),
            None => script,
        }
    }

    /// A 401 as for a refused token.
    pub fn unauthorized() -> Self {
        let message = "The server has rejected the client credentials.";
        Self::error(StatusCode::UNAUTHORIZED, "Authentication_InvalidCredentials", message)
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// An error in Business Central's JSON envelope.
    pub fn error(status: StatusCode, code: &str, message: &str) -> Self {
        let body = serde_json::json!({"error": {"code": code, "message": message}}).to_string();
        Self::response(status).header(header::CONTENT_TYPE, HeaderValue::from_static("application/json")).send(body)
    }

    /// A 302 to another place.
    pub fn redirect(location: HeaderValue) -> Self {
        Self::response(StatusCode::FOUND).header(header::LOCATION, location)
    }

    fn with(scripted: Option<Scripted>) -> Self {
        Self { scripted, reads_request: true, latch: None, breaks: None, cut_after: None }
    }

    /// Adds a header; the same name twice gives two lines.
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.shaped(|scripted| {
            scripted.headers.append(name, value);
        })
    }

    pub fn framing(self, framing: Framing) -> Self {
        self.shaped(|scripted| scripted.framing = framing)
    }

    /// Sends these bytes, as one chunk when chunked.
    pub fn send(self, bytes: impl Into<Bytes>) -> Self {
        self.step(Step::Send(bytes.into()))
    }

    /// Sends `length` generated bytes in bounded memory: the lower-case alphabet, over and over.
    pub fn fill(self, length: u64) -> Self {
        self.step(Step::Fill(length))
    }

    /// Waits in the middle of the body until the latch is open. What stands before it has been sent.
    pub fn hold(self, latch: &Latch) -> Self {
        self.step(Step::Hold(latch.clone()))
    }

    /// Ends the connection here, in the middle of the body, after everything before it was sent.
    pub fn cut(self) -> Self {
        self.step(Step::Break(Break::Cut, 1))
    }

    /// Resets the connection here, in the middle of the body.
    pub fn reset_here(self) -> Self {
        self.step(Step::Break(Break::Reset, 1))
    }

    /// Adds a trailer. The answer is chunked then; HTTP sends trailers only to clients that said `TE: trailers`.
    pub fn trailer(self, name: HeaderName, value: HeaderValue) -> Self {
        self.shaped(|scripted| {
            scripted.framing = Framing::Chunked;
            scripted.headers.append(header::TRAILER, HeaderValue::from(name.clone()));
            scripted.trailers.append(name, value);
        })
    }

    /// Holds back everything, the head included, until the latch is open. An ordinary answer has taken effect by then.
    pub fn hold_head(mut self, latch: &Latch) -> Self {
        self.latch = Some(latch.clone());
        self
    }

    /// Answers without reading the request's body. Not for ordinary answers, which depend on it.
    pub fn leave_request_unread(mut self) -> Self {
        self.reads_request = self.scripted.is_none();
        self
    }

    /// Breaks the connection off where the answer would begin. After [`ordinary`](Self::ordinary) the request has taken effect.
    pub fn break_before_response(mut self, how: Break) -> Self {
        self.breaks = Some(how);
        self
    }

    /// Cuts the body of an [`ordinary`](Self::ordinary) answer after so many bytes as they travel, as [`cut`](Self::cut) does
    /// with a scripted one; the length of all of it has been announced. A body that is no longer than that stays whole.
    pub fn cut_after(mut self, length: usize) -> Self {
        self.cut_after = Some(length).filter(|_| self.scripted.is_none());
        self
    }

    fn step(self, step: Step) -> Self {
        self.shaped(|scripted| scripted.steps.push(step))
    }

    fn shaped(mut self, shape: impl FnOnce(&mut Scripted)) -> Self {
        if let Some(scripted) = &mut self.scripted {
            shape(scripted);
        }
        self
    }
}

/// The scripts in force, in the order they were given; the first that matches is played.
#[derive(Default)]
pub(super) struct Scripts(Mutex<Vec<(Matcher, Times, Script)>>);

impl Scripts {
    pub fn add(&self, matcher: Matcher, times: Times, script: Script) {
        lock(&self.0).push((matcher, times, script));
    }

    pub fn clear(&self) {
        lock(&self.0).clear();
    }

    /// The script for this request, used once more.
    pub fn take(&self, head: &Parts, token_accepted: bool) -> Option<Script> {
        let mut scripts = lock(&self.0);
        let (_, times, script) = scripts
            .iter_mut()
            .find(|(matcher, times, _)| !times.is_used_up() && matcher.matches(head, token_accepted))?;
        times.take();
        let script = script.clone();
        scripts.retain(|(_, times, _)| !times.is_used_up());
        Some(script)
    }
}
