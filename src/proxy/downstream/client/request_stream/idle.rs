//! An idle client's stream: it waits without buffers.

use std::time::Duration;

use bytes::BytesMut;

use super::super::readable::Readable;
use super::RequestStream;
use crate::proxy::header_case::CasedHead;
use crate::proxy::timer::Timer;

impl<S: Readable> RequestStream<S> {
    /// Waits without a buffer until there is something to read. `false` when no request came for this time, counted
    /// from the end of the last one: empty lines are none.
    pub async fn readable(&mut self, time: Duration) -> bool {
        self.held = BytesMut::new();
        self.timer = Timer::default();
        self.head = CasedHead::default();
        let readable = std::future::poll_fn(|context| self.inner.poll_readable(context));
        let is_readable = tokio::time::timeout_at(self.since + time, readable).await.is_ok();
        self.connection.set_idle(false);
        is_readable
    }
}
