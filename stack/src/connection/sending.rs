//! A connection's stream on its way out: from what the application has promised, or written, to the last acknowledgment
//! and the FIN.
//!
//! In a phantom ring smoltcp only counts: it gets as many of the promised bytes as the ring takes, and what it still
//! holds of them says how many are acknowledged. A real ring is written to.

use smoltcp::socket::tcp::CongestionControl;
use smoltcp::time::Instant;

use super::Connection;
use crate::phantom::{TransmitRing, filled_to};
use crate::small_bytes::SmallBytes;
use crate::source::SourceError;

impl Connection {
    /// Lets `fill` write into the free part of a real ring, as far as it lies in one piece; it returns how much it wrote.
    /// Returns that number; 0 where there is no room.
    pub(crate) fn write(&mut self, fill: impl FnOnce(&mut [u8]) -> usize) -> usize {
        debug_assert_eq!(
            self.flow.ring,
            TransmitRing::Real,
            "a phantom ring is never written"
        );
        let written = self.socket_mut().send(|ring| {
            let len = if ring.is_empty() { 0 } else { fill(ring) };
            (len, len)
        });
        let written = written.unwrap_or(0);
        if written > 0 {
            self.flow.counting.grains_mut().extend(written as u64);
            self.used_room();
        }
        written
    }

    /// All bytes that will be sent are promised: after the last of them comes a FIN.
    pub(crate) fn finish(&mut self) {
        self.finishing = true;
    }

    /// How many more bytes can be promised, or written, before what is promised waits for its turn.
    pub(crate) fn room(&self) -> usize {
        let socket = self.socket();
        if self.finishing || !socket.may_send() {
            return 0;
        }
        let waiting = match self.flow.ring {
            TransmitRing::Phantom => self.flow.queue.promised() - self.flow.queue.acknowledged(),
            TransmitRing::Real => socket.send_queue() as u64,
        };
        (socket.send_capacity() as u64).saturating_sub(waiting) as usize
    }

    /// Takes note of what was acknowledged, hands newly promised bytes to smoltcp, and closes when the last
    /// one is acknowledged. A source that fails resets the connection, and so does a peer that is silent for too
    /// long. `request` is what smoltcp emits at once, in bytes of payload.
    pub(crate) fn advance(&mut self, chunks: &mut SmallBytes, request: usize, now: Instant) {
        if let Some(silence) = self.silence(now) {
            self.abort(silence.into());
        }
        if let Err(error) = self.try_advance(chunks, request, now) {
            self.abort(error.into());
        }
    }

    fn try_advance(
        &mut self,
        chunks: &mut SmallBytes,
        request: usize,
        now: Instant,
    ) -> Result<(), SourceError> {
        if let Some(error) = self.flow.failure.take() {
            return Err(error);
        }
        if self.flow.ring == TransmitRing::Phantom {
            let acknowledged = self.flow.acknowledged(self.socket());
            if acknowledged > self.flow.queue.acknowledged() && self.failure.is_none() {
                self.flow.queue.release(acknowledged, chunks, now)?;
                self.flow.counting.grains_mut().release(acknowledged);
            }
            self.flow.queue.watch(now)?;
            // What is sent again may be what the device found gone: that would go on for ever.
            if self.flow.retransmitted > self.flow.asked_after {
                self.flow.asked_after = self.flow.retransmitted;
                self.flow.queue.verify(now)?;
            }
            self.promise(request);
        }
        // The FIN waits for the last acknowledgment, so that a file which turns out to have changed ends in
        // a reset and never in a regular close.
        let all_acknowledged = self.flow.ring == TransmitRing::Real
            || self.flow.queue.acknowledged() == self.flow.queue.promised();
        if self.finishing && all_acknowledged && self.socket().may_send() {
            self.finishing = false;
            self.socket_mut().close();
        }
        Ok(())
    }

    /// Enqueues promised bytes in the phantom ring: nothing is written. No more than smoltcp is to emit at once wait there to be
    /// sent, so it is asked again after each segment.
    pub(crate) fn promise(&mut self, request: usize) {
        if self.flow.ring == TransmitRing::Real {
            return;
        }
        let socket = self.socket();
        let (acknowledged, promised) = (self.flow.acknowledged(socket), self.flow.queue.promised());
        let from = self.flow.counting.grains().bytes();
        let queued = (from - acknowledged) as usize;
        let filled = filled_to(from, promised, queued, socket.send_capacity(), request);
        // Bytes that a closed window has taken one by one were not sent in it.
        let sent = self.flow.sent().max(acknowledged);
        let to = filled.min(sent + request as u64);
        let to = match socket.congestion_control() {
            CongestionControl::None => to,
            _ => to.min(self.flow.counting.slow_start(acknowledged)),
        };
        // More will follow, and so begin a grain.
        let to = if to < promised {
            self.flow.counting.grains().whole(to)
        } else {
            to
        };
        if to <= from || !socket.may_send() {
            return;
        }
        let mut left = self.flow.counting.grains_mut().extend(to - from) as usize;
        // Twice, because smoltcp offers the room up to the ring's end first.
        for _ in 0..2 {
            let take = |ring: &mut [u8]| {
                let len = ring.len().min(left);
                (len, len)
            };
            left -= self.socket_mut().send(take).unwrap_or(0);
        }
        debug_assert_eq!(left, 0, "a grain takes no more room than its bytes would");
    }

    /// Lets the end of what is promised leave at once, though it is no full segment and others are under way: nobody knows
    /// of anything that it could be sent with. `full` is a segment's length.
    pub(crate) fn spare_the_end(&mut self, full: usize) {
        if self.flow.ring == TransmitRing::Phantom {
            let is_end = self.flow.queue.promised() < self.flow.sent() + full as u64;
            self.socket_mut().set_nagle_enabled(!is_end);
        }
    }
}
