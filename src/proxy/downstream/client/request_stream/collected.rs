//! A head that was collected, or is too large to be: hyper gets it, or something that it rejects.

use bytes::BytesMut;
use hyper::StatusCode;

use super::super::unparsable::Unparsable;
use super::{Framing, Phase, RequestStream, request_line};

impl<S> RequestStream<S> {
    /// A head is complete: its request line is repaired. hyper rejects it if the length of its body is in doubt.
    pub(super) fn begin_handing(&mut self, mut head: usize, framing: Framing) {
        if let Some(unparsable) = framing.fault() {
            let _ = self.connection.unparsable.set(unparsable);
            self.held.iter_mut().take(1).for_each(|first| *first = UNPARSABLE_BYTE);
            return self.hand_over(head);
        }
        let end = memchr::memchr(b'\n', &self.held).unwrap_or(head);
        let line = self.held.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (old, repaired) = (line.len(), request_line::repaired(line));
        if let Some(repaired) = repaired {
            let rest = self.held.split_off(old);
            head = head - old + repaired.len();
            self.held = BytesMut::with_capacity(repaired.len() + rest.len());
            self.held.extend_from_slice(&repaired);
            self.held.extend_from_slice(&rest);
        }
        self.hand_over(head);
    }

    /// Whether there is memory for the part of a head that has arrived. Small heads need no share of the budget.
    pub(super) fn has_memory(&mut self) -> bool {
        if self.held.len() <= FREE_HEAD_BYTES {
            return true;
        }
        let held = self.head_memory.get_or_insert_with(|| self.connection.memory.empty());
        // Here, in hyper's buffer, and in the headers that point to it.
        held.resize(2 * self.held.len() as u64).is_ok()
    }

    /// Makes hyper reject the part of a head that has arrived.
    pub(super) fn give_up_head(&mut self, status: StatusCode, reason: &'static str) {
        let _ = self.connection.unparsable.set(Unparsable { status, reason });
        self.held.clear();
        self.held.extend_from_slice(&[UNPARSABLE_BYTE]);
        self.hand_over(self.held.len());
    }

    fn hand_over(&mut self, head: usize) {
        self.phase = Phase::Handing { head, given: 0, number: self.connection.requests().wrapping_add(1) };
    }
}

/// Why a large head is rejected when the memory for clients is full.
pub const MEMORY_FULL: &str =
    "there is no memory for headers of this size (`max_memory` in proxy.yaml). Send it again later";

/// The part of a head that needs no share of the memory for clients.
const FREE_HEAD_BYTES: usize = 16 * 1024;

/// hyper rejects a head that begins with it.
const UNPARSABLE_BYTE: u8 = 0;
