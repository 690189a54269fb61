//! Received bytes that are read where the NIC has put them.
//!
//! A connection whose receive ring is a phantom has smoltcp count its bytes, and an inbox to know where they are:
//!
//! ```text
//!  read ──┬──────────────┬─────────────────────┬─────────── ─ ─ ─
//!         │ in the store │ held: in the frames │   (hole)   in the store: waits for the hole
//!         └──────────────┴─────────────────────┴─────────── ─ ─ ─
//! ```
//!
//! - What arrives in order is *held*: it stays in the frames of the batch it came with until the next round.
//! - What is not read by then, and what arrives ahead of a hole, is copied into the *store*.
//!
//! smoltcp decides what is accepted; what it was shown in place of the payload nobody reads. An application that reads
//! what there is after each round has no byte copied.

use std::collections::VecDeque;

use crate::ingress::Place;
use crate::phantom::Store;

/// Bytes of the stream in the frames of the batch at hand.
#[derive(Clone, Copy, Debug)]
struct Held {
    offset: u64,
    len: usize,
    packet: Place,
    /// Where they begin in the packet.
    at: usize,
}

/// A segment's payload, and where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payload<'a> {
    /// Of its first byte, in the stream. Negative where bytes before the stream's first are repeated.
    pub(crate) offset: i64,
    pub(crate) bytes: &'a [u8],
    /// Its packet, where that lies in one piece, and where the payload begins in it.
    pub(crate) place: Option<(Place, usize)>,
}

/// How far a stream had come before a segment, and after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Advance {
    pub(crate) before: u64,
    pub(crate) after: u64,
    /// One past the last byte that the window took.
    pub(crate) window_end: u64,
}

/// Where a connection's unread bytes are.
pub(crate) struct Inbox {
    held: VecDeque<Held>,
    store: Store,
    /// Bytes that went through the store.
    kept: u64,
}

impl Inbox {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            held: VecDeque::new(),
            store,
            kept: 0,
        }
    }

    pub(crate) fn into_store(self) -> Store {
        self.store
    }

    /// Bytes that were copied because nobody read them in time, or because they came out of order.
    pub(crate) fn kept(&self) -> u64 {
        self.kept
    }

    /// Takes note of a segment that smoltcp has just ruled on. Returns whether some of it is held.
    pub(crate) fn arrive(&mut self, payload: Payload<'_>, advance: Advance) -> bool {
        let end = payload.offset + payload.bytes.len() as i64;
        let in_order = advance.after > advance.before;
        let limit = if in_order {
            advance.after
        } else {
            advance.window_end
        };
        // Offsets of a stream are far below 2^63.
        let from = payload.offset.max(advance.before as i64);
        let to = end.min(limit as i64);
        if to <= from {
            return false;
        }
        let skip = (from - payload.offset) as usize;
        let (offset, len) = (from as u64, (to - from) as usize);
        match payload.place {
            Some((packet, at)) if in_order => {
                let at = at + skip;
                self.held.push_back(Held {
                    offset,
                    len,
                    packet,
                    at,
                });
                true
            }
            // Whether smoltcp has room for one more hole does not matter here: what it refuses comes again, and lies
            // outside what can be read until then.
            _ => {
                self.keep(offset, &payload.bytes[skip..skip + len]);
                false
            }
        }
    }

    /// The unread bytes from `offset` on that lie in one piece, of `unread` in all. `packet` gives those of the batch.
    pub(crate) fn front<'a>(
        &'a mut self,
        offset: u64,
        unread: usize,
        packet: impl FnOnce(Place) -> &'a [u8],
    ) -> &'a [u8] {
        while self
            .held
            .front()
            .is_some_and(|held| held.offset + held.len as u64 <= offset)
        {
            self.held.pop_front();
        }
        match self.held.front() {
            Some(held) if held.offset <= offset => {
                let read = (offset - held.offset) as usize;
                &packet(held.packet)[held.at + read..held.at + held.len]
            }
            Some(held) => self.store.read(offset, (held.offset - offset) as usize),
            None => self.store.read(offset, unread),
        }
    }

    /// The batch ends: what is still unread from `offset` on is kept.
    pub(crate) fn settle<'a>(&mut self, offset: u64, packet: impl Fn(Place) -> &'a [u8]) {
        while let Some(held) = self.held.pop_front() {
            let read = offset.saturating_sub(held.offset).min(held.len as u64) as usize;
            let bytes = &packet(held.packet)[held.at + read..held.at + held.len];
            self.keep(held.offset + read as u64, bytes);
        }
    }

    fn keep(&mut self, offset: u64, bytes: &[u8]) {
        self.kept += bytes.len() as u64;
        self.store.write(offset, bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::phantom::untouched_zeros;

    const WINDOW: usize = 64;

    /// The stream's byte at `offset`.
    fn byte(offset: u64) -> u8 {
        (offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
    }

    /// What a sender and an application may do.
    #[derive(Clone, Debug)]
    enum Step {
        /// A segment that begins so many bytes from the first that is missing.
        Segment { from: i64, len: usize, whole: bool },
        /// So many bytes are read.
        Read(usize),
        /// The batch ends.
        Settle,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (-20_i64..60, 1_usize..30, any::<bool>())
                .prop_map(|(from, len, whole)| Step::Segment { from, len, whole }),
            2 => (0_usize..40).prop_map(Step::Read),
            1 => Just(Step::Settle),
        ]
    }

    proptest! {
        #[test]
        fn every_byte_that_is_read_is_the_streams(steps in proptest::collection::vec(step(), 1..200)) {
            let mut inbox = Inbox::new(Store(untouched_zeros(WINDOW).unwrap()));
            let mut batch: Vec<Vec<u8>> = vec![];
            // By offset: what a receiver in smoltcp's place has taken.
            let mut taken = vec![];
            let (mut read, mut received) = (0_u64, 0_u64);
            for step in steps {
                match step {
                    Step::Segment { from, len, whole } => {
                        let offset = received as i64 + from;
                        let bytes: Vec<u8> = (0..len as i64).map(|at| byte((offset + at) as u64)).collect();
                        let window_end = read + WINDOW as u64;
                        let before = received;
                        taken.resize(taken.len().max(window_end as usize), false);
                        for at in offset.max(before as i64)..(offset + len as i64).min(window_end as i64) {
                            taken[at as usize] = true;
                        }
                        while taken.get(received as usize) == Some(&true) {
                            received += 1;
                        }
                        let packet = Place { first: batch.len(), parts: 1 };
                        inbox.arrive(
                            Payload { offset, bytes: &bytes, place: whole.then_some((packet, 0)) },
                            Advance { before, after: received, window_end },
                        );
                        batch.push(bytes);
                    }
                    Step::Read(most) => {
                        let unread = (received - read) as usize;
                        if unread == 0 {
                            continue;
                        }
                        let bytes = inbox.front(read, unread, |place| &batch[place.first]);
                        prop_assert!(!bytes.is_empty() && bytes.len() <= unread);
                        for &found in &bytes[..most.min(bytes.len())] {
                            prop_assert_eq!(found, byte(read));
                            read += 1;
                        }
                    }
                    Step::Settle => {
                        inbox.settle(read, |place| &batch[place.first]);
                        batch.clear();
                    }
                }
            }
        }
    }
}
