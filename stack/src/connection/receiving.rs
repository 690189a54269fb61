//! A connection's stream on its way in: what has arrived, what of it was taken, and the memory that it takes meanwhile.

use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;

use super::Connection;
use crate::ingress::Place;

/// What is known of a receive ring's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It takes none.
    #[default]
    Untouched,
    /// It takes some; so much had arrived when it was looked at last.
    Since(u64),
}

impl Connection {
    /// How much has arrived, the end of the stream counted as a byte.
    pub(crate) fn arrived(&self) -> u64 {
        self.flow.consumed + self.socket().recv_queue() as u64 + u64::from(self.peer_finished)
    }

    /// The offset in the stream up to which there is room.
    pub(crate) fn window_end(&self) -> u64 {
        self.flow.consumed + self.socket().recv_capacity() as u64
    }

    /// Shows the unread bytes that lie in one piece to `take`, which returns how many of them it took. Returns that number; 0
    /// where nothing is there. `packet` gives a packet of the batch at hand.
    pub(crate) fn receive<'a>(
        &mut self,
        packet: impl FnOnce(Place) -> &'a [u8],
        take: impl FnOnce(&[u8]) -> usize,
    ) -> usize {
        let unread = self.socket().recv_queue();
        if unread == 0 {
            return 0;
        }
        match &mut self.inbox {
            None => {
                let taken = self.socket_mut().recv(|bytes| {
                    let len = take(bytes);
                    (len, len)
                });
                let taken = taken.unwrap_or(0);
                self.flow.consumed += taken as u64;
                taken
            }
            Some(inbox) => {
                let bytes = inbox.front(self.flow.consumed, unread, |place| packet(place));
                let taken = take(bytes).min(bytes.len());
                self.consume(taken);
                taken
            }
        }
    }

    /// Takes `len` bytes, which have been read, out of smoltcp's ring.
    fn consume(&mut self, len: usize) {
        let mut left = len;
        // Twice, because smoltcp shows what there is up to the ring's end first.
        for _ in 0..2 {
            let taken = self.socket_mut().recv(|ring| {
                let len = ring.len().min(left);
                (len, len)
            });
            left -= taken.unwrap_or(0);
        }
        debug_assert_eq!(left, 0, "only what was in the ring can have been read");
        self.flow.consumed += len as u64;
    }

    /// Until when it has nothing to say but an acknowledgment that may wait for more of the same.
    #[inline]
    pub(crate) fn owes_until(&mut self, now: Instant) -> Option<Instant> {
        // Asked first: every turn of a connection comes by here, and few of them go on.
        if !self.flow.owed.is_for_few_long() {
            return None;
        }
        let arrived = self.arrived();
        let socket = self.socket();
        if socket.state() != State::Established || socket.send_queue() > 0 || self.flow.has_gaps(arrived) {
            return None;
        }
        // What is offered: a slow reader's is shorter than the ring.
        let window = socket.recv_capacity() - socket.recv_queue();
        self.flow.owed.may_wait(window, now)
    }

    /// Gives the receive ring's memory back where the ring is empty and nothing has come since it was asked last; returns
    /// whether it did.
    pub(crate) fn try_rest(&mut self) -> bool {
        let arrived = self.arrived();
        let quiet = self.rest == Rest::Since(arrived);
        // What has arrived out of order lies in the ring too, though smoltcp does not count it.
        let empty = self.socket().recv_queue() == 0 && !self.flow.has_gaps(arrived);
        if quiet && empty {
            self.receive.give_back();
            self.rest = Rest::Untouched;
            return true;
        }
        self.rest = Rest::Since(arrived);
        false
    }
}
