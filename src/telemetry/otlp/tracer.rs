//! Which requests are traced, and where their spans wait for the export.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::header::HeaderMap;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::time::Instant;

use super::queue::Queue;
use super::state::{ExportState, Signal};
use super::trace_context::{Parent, Trace};
use crate::config::{Otlp, Share};

/// Chooses the requests that are traced.
#[derive(Debug)]
pub struct Tracer {
    share: Share,
    /// A second, and how many requests were to be traced in it because their clients trace them.
    asked: Mutex<(Instant, u32)>,
    /// The spans that wait for their export.
    pub spans: Arc<Queue<Span>>,
}

/// The tracer of a configuration, and what becomes of its spans and of everything else that is exported.
#[derive(Debug, Clone, Default)]
pub struct Tracing {
    settings: Option<Otlp>,
    /// `None`: no request is traced.
    pub tracer: Option<Arc<Tracer>>,
    /// Counts since the start of the process.
    pub state: Arc<ExportState>,
}

impl Tracing {
    /// The collector that gets the spans, if there is one.
    pub fn settings(&self) -> Option<&Otlp> {
        self.settings.as_ref()
    }

    /// The tracer of these settings; the previous one if they are the same.
    pub fn of(settings: Option<&Otlp>, previous: &Self) -> Self {
        if previous.settings.as_ref() == settings {
            return previous.clone();
        }
        let state = previous.state.clone();
        let tracer = settings.and_then(|settings| {
            let asked = Mutex::new((Instant::now(), 0));
            Some(Arc::new(Tracer { share: settings.traces?, asked, spans: Queue::new(Signal::Traces, &state) }))
        });
        Self { settings: settings.cloned(), tracer, state }
    }
}

impl Tracer {
    /// The trace of a request, if it is traced.
    ///
    /// A client decides whether its requests are traced, up to a rate: it must not take all capacity.
    pub fn start(&self, headers: &HeaderMap) -> Option<Box<Trace>> {
        let parent = Parent::of(headers);
        let is_traced = match parent {
            Some(Parent { is_sampled: false, .. }) => false,
            Some(_) if self.admits_asked() => true,
            Some(_) | None => self.share.contains(fastrand::u32(..)),
        };
        is_traced.then(|| Box::new(Trace::new(parent, headers)))
    }

    /// Whether another request is traced because its client traces it.
    fn admits_asked(&self) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = &mut *asked;
        if since.elapsed() >= SECOND {
            (*since, *count) = (Instant::now(), 0);
        }
        *count = count.saturating_add(1);
        *count <= MAX_ASKED
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// How many requests a second are traced because their clients trace them.
const MAX_ASKED: u32 = 10;

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn tracer(share: Share) -> Tracer {
        let spans = Queue::new(Signal::Traces, &Arc::default());
        Tracer { share, asked: Mutex::new((Instant::now(), 0)), spans }
    }

    fn parent(flags: &str) -> HeaderMap {
        let value = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        HeaderMap::from_iter([("traceparent".parse().unwrap(), HeaderValue::from_str(&value).unwrap())])
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_followed_up_to_a_rate() {
        let (never, always) = (tracer(Share::NONE), tracer(Share::ALL));
        for _ in 0..2 {
            let traced = (0..1000).filter(|_| never.start(&parent("01")).is_some()).count();
            assert_eq!(traced, 10);
            tokio::time::advance(SECOND).await;
        }
        assert!(never.start(&HeaderMap::new()).is_none());
        assert!((0..100).all(|_| always.start(&HeaderMap::new()).is_some()));
        assert!((0..100).all(|_| always.start(&parent("00")).is_none()));
    }
}
