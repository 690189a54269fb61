//! Connections at rest give back the memory of their receive rings.
//!
//! A ring that was used once keeps its pages, so ten thousand clients that each said something once would keep
//! theirs. A connection that bytes have come to is looked at after [`REST`], and again and again until none have come
//! for as long and the ring is empty: then what it has taken goes back. That costs a busy connection a look a second,
//! and one at rest nothing.

use pagewire_nic::port::TxQueue;
use smoltcp::time::{Duration, Instant};

use super::Core;
use crate::connection::Rest;

/// For how long nothing must have arrived.
const REST: Duration = Duration::from_secs(1);

impl<T: TxQueue> Core<T> {
    /// Bytes have come to a connection: its ring takes memory.
    #[inline]
    pub(super) fn touch(&mut self, key: usize, now: Instant) {
        let connection = &mut self.connections[key];
        if connection.rest == Rest::Untouched {
            connection.rest = Rest::Since(0);
            let id = self.id_of(key);
            self.touched.push_back((now + REST, id));
        }
    }

    /// Looks at the connections that bytes came to some time ago.
    pub(super) fn let_rest(&mut self, now: Instant) {
        while self.touched.front().is_some_and(|(due, _)| *due <= now) {
            let Some((_, id)) = self.touched.pop_front() else {
                break;
            };
            if self.find_mut(id).is_some_and(|connection| !connection.try_rest()) {
                self.touched.push_back((now + REST, id));
            }
        }
    }
}
