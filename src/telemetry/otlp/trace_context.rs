//! The ids of a trace, and the headers that carry them from one service to the next (W3C Trace Context, level 1).

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::sync::OnceLock;

use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

/// The id of a trace: all that follows from one cause, in all services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(NonZeroU128);

/// The id of a span: one piece of work within a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanId(NonZeroU64);

/// What `traceparent` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// The trace that the request belongs to.
    pub trace: TraceId,
    /// The span of the client.
    pub span: SpanId,
    /// Whether the client traces its request.
    pub is_sampled: bool,
}

/// A request that is traced.
#[derive(Debug)]
pub struct Trace {
    /// The trace it belongs to: the client's, or its own.
    pub id: TraceId,
    /// The span of the client, if the trace is the client's.
    pub parent: Option<SpanId>,
    /// `tracestate`, if the trace is the client's.
    pub state: String,
    /// The span of the request. Its stages have others.
    pub span: SpanId,
    /// Path and query that are sent to Business Central.
    pub sent_to: OnceLock<Uri>,
}

impl TraceId {
    fn random() -> Self {
        Self(NonZeroU128::new(fastrand::u128(..)).unwrap_or(NonZeroU128::MIN))
    }

    /// The form of OTLP.
    pub fn to_bytes(self) -> Vec<u8> {
        self.0.get().to_be_bytes().to_vec()
    }
}

impl SpanId {
    fn random() -> Self {
        Self(NonZeroU64::new(fastrand::u64(..)).unwrap_or(NonZeroU64::MIN))
    }

    /// The form of OTLP.
    pub fn to_bytes(self) -> Vec<u8> {
        self.0.get().to_be_bytes().to_vec()
    }

    /// Another id for each number above 0.
    fn plus(self, number: u64) -> Self {
        Self(NonZeroU64::new(self.0.get().wrapping_add(number)).unwrap_or(NonZeroU64::MAX))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Parent {
    /// What the client's `traceparent` says; `None` without a valid one.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).into_iter();
        match (values.next(), values.next()) {
            (Some(value), None) => Self::parse(value.as_bytes()),
            _ => None,
        }
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let (known, rest) = value.split_at_checked(KNOWN_LENGTH)?;
        let [b'-', b'-', b'-'] = [known.get(2)?, known.get(35)?, known.get(52)?] else { return None };
        // Later versions may append fields.
        let is_complete = match hex(known.get(..2)?)? {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest.first() == Some(&b'-'),
        };
        let trace = NonZeroU128::new(hex(known.get(3..35)?)?)?;
        let span = NonZeroU64::new(u64::try_from(hex(known.get(36..52)?)?).ok()?)?;
        let flags = hex(known.get(53..)?)?;
        is_complete.then_some(Self { trace: TraceId(trace), span: SpanId(span), is_sampled: flags & 1 == 1 })
    }
}

/// A number of lower-case hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

/// `tracestate` as one list; empty without a valid one.
fn trace_state(headers: &HeaderMap) -> String {
    let values: Option<Vec<&str>> = headers.get_all(TRACESTATE).into_iter().map(|value| value.to_str().ok()).collect();
    let joined = values.unwrap_or_default().join(",");
    let members: Vec<&str> =
        joined.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty()).collect();
    let is_valid = joined.len() <= MAX_STATE_BYTES
        && members.len() <= MAX_STATE_MEMBERS
        && members.iter().all(|member| is_member(member));
    if is_valid { members.join(",") } else { String::new() }
}

/// Whether it is `key=value` (W3C Trace Context, section 3.3.1.3).
fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else { return false };
    let is_key_byte = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@');
    let is_key = (1..=MAX_STATE_PART).contains(&key.len())
        && key.bytes().all(is_key_byte)
        && key.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit());
    let is_value_byte = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
    is_key && (1..=MAX_STATE_PART).contains(&value.len()) && value.bytes().all(is_value_byte)
}

impl Trace {
    /// The trace of a request: it continues the client's, if there is one.
    pub(super) fn new(parent: Option<Parent>, headers: &HeaderMap) -> Self {
        Self {
            id: parent.map_or_else(TraceId::random, |parent| parent.trace),
            parent: parent.map(|parent| parent.span),
            state: parent.map_or_else(String::new, |_| trace_state(headers)),
            span: SpanId::random(),
            sent_to: OnceLock::new(),
        }
    }

    /// The span of an attempt at Business Central, from 1.
    pub fn attempt(&self, number: u32) -> SpanId {
        self.span.plus(u64::from(number))
    }

    /// The span of a stage that is no attempt, from 0.
    pub fn stage(&self, number: usize) -> SpanId {
        self.span.plus(FIRST_STAGE + number as u64)
    }

    /// Makes an attempt the parent of what Business Central traces.
    pub fn propagate(&self, attempt: u32, headers: &mut HeaderMap) {
        let parent = format!("00-{}-{}-01", self.id, self.attempt(attempt));
        if let Ok(parent) = HeaderValue::try_from(parent) {
            headers.insert(TRACEPARENT, parent);
        }
        // It is invalid, or of another trace.
        if self.state.is_empty() {
            headers.remove(TRACESTATE);
        }
    }
}

/// Names trace and span of whoever sends a request.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What tracing systems add to it.
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The length of `traceparent` in version 00.
const KNOWN_LENGTH: usize = 55;

/// Eight times what has to be forwarded at least.
const MAX_STATE_BYTES: usize = 4096;

const MAX_STATE_MEMBERS: usize = 32;

const MAX_STATE_PART: usize = 256;

/// More than there are attempts.
const FIRST_STAGE: u64 = 1 << 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_strictly() {
        let parent = Parent::parse(VALID.as_bytes()).unwrap();
        assert_eq!(parent.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!((parent.span.to_string().as_str(), parent.is_sampled), ("00f067aa0ba902b7", true));
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02-what-comes";
        assert!(!Parent::parse(later.as_bytes()).unwrap().is_sampled);
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
            "00-4bf92f3577b34da6a3ce929d0e0e473x-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Parent::parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(Parent::of(&headers(&[("traceparent", VALID), ("traceparent", VALID)])), None);
    }

    #[test]
    fn an_attempt_continues_the_trace_and_an_invalid_state_ends_here() {
        let mut sent = headers(&[("traceparent", VALID), ("tracestate", "a=1, b@c=2"), ("tracestate", "d=3")]);
        let trace = Trace::new(Parent::of(&sent), &sent);
        assert_eq!(trace.state, "a=1,b@c=2,d=3");
        trace.propagate(1, &mut sent);
        let parent = Parent::of(&sent).unwrap();
        assert_eq!((parent.trace, parent.span, parent.is_sampled), (trace.id, trace.attempt(1), true));
        assert_eq!(sent.get_all("tracestate").iter().count(), 2);
        assert_ne!(trace.attempt(1), trace.span);

        for state in ["A=1", "a", "a=", "=1", "a=b=c", "a=b\tc"] {
            let mut sent = headers(&[("traceparent", VALID), ("tracestate", state)]);
            let trace = Trace::new(Parent::of(&sent), &sent);
            trace.propagate(1, &mut sent);
            assert!(trace.state.is_empty() && !sent.contains_key(TRACESTATE), "{state}");
        }
    }
}
