//! From 32-bit sequence numbers to 64-bit places in the stream, and back.
//!
//! A header names a byte by 32 bits, a file is longer than that. The extender knows the initial sequence
//! number and how far the stream was ever sent, and takes a sequence number to mean the nearest place to
//! that frontier: unambiguous while nobody speaks of bytes 2 GiB away from it, and windows end at 1 GiB
//! (RFC 7323 §2.2).
//!
//! ```text
//! sequence   ISN    ISN+1   ...            ISN+1+n
//! offset     -1     0       ... n-1        n
//!            SYN    first byte, last byte  FIN
//! ```
//! Offset −1 is the SYN, and also where a keep-alive stands that is sent before the first byte.

use std::ops::Range;

/// Extends the sequence numbers of one direction of one connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extender {
    /// Sequence number of offset 0.
    first: u32,
    /// The offset after everything that was ever sent.
    frontier: u64,
}

impl Extender {
    /// For a stream whose SYN carries the sequence number `initial`.
    pub const fn new(initial: u32) -> Self {
        Self {
            first: initial.wrapping_add(1),
            frontier: 0,
        }
    }

    /// The same stream where it was counted otherwise and sent up to `frontier`.
    pub(crate) const fn counted_to(self, frontier: u64) -> Self {
        Self { frontier, ..self }
    }

    /// The initial sequence number, that of the SYN.
    pub const fn initial(&self) -> u32 {
        self.first.wrapping_sub(1)
    }

    /// The offset after everything that was ever sent; a FIN that was sent counts as a byte.
    pub const fn frontier(&self) -> u64 {
        self.frontier
    }

    /// The offset that a sequence number means. Below −1 it stands before the SYN: no byte of this stream.
    pub const fn offset(&self, sequence: u32) -> i64 {
        let distance = sequence.wrapping_sub(self.sequence(self.frontier as i64)) as i32;
        self.frontier as i64 + distance as i64
    }

    /// The sequence number of an offset.
    pub const fn sequence(&self, offset: i64) -> u32 {
        self.first.wrapping_add(offset as u32)
    }

    /// Takes note of a segment that is sent: `length` sequence numbers from `sequence` on, SYN and FIN
    /// counted. Returns its offsets. A retransmission moves nothing, new data moves the frontier.
    ///
    /// `None`, and nothing changes, where the segment begins before the SYN.
    pub fn send(&mut self, sequence: u32, length: u32) -> Option<Range<i64>> {
        let start = self.offset(sequence);
        if start < -1 {
            return None;
        }
        let end = start + i64::from(length);
        self.frontier = self.frontier.max(u64::try_from(end).unwrap_or(0));
        Some(start..end)
    }

    /// The offset before which everything is acknowledged, or `None` where the acknowledgment names what
    /// was never sent, or the SYN itself.
    pub fn acknowledged(&self, acknowledgment: u32) -> Option<u64> {
        let offset = u64::try_from(self.offset(acknowledgment)).ok()?;
        (offset <= self.frontier).then_some(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_syn_stands_at_minus_one_and_the_first_byte_at_zero() {
        for initial in [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            let mut stream = Extender::new(initial);
            assert_eq!(stream.initial(), initial);
            assert_eq!(stream.send(initial, 1), Some(-1..0));
            assert_eq!(stream.frontier(), 0);
            assert_eq!(stream.send(initial.wrapping_add(1), 10), Some(0..10));
            assert_eq!(stream.frontier(), 10);
            assert_eq!(
                (stream.sequence(-1), stream.sequence(0)),
                (initial, initial.wrapping_add(1))
            );
        }
    }

    #[test]
    fn a_keep_alive_before_the_first_byte_stands_at_minus_one_and_moves_nothing() {
        let mut stream = Extender::new(7);
        assert_eq!(stream.send(7, 1), Some(-1..0));
        assert_eq!(stream.send(7, 1), Some(-1..0));
        assert_eq!(stream.frontier(), 0);
    }

    #[test]
    fn the_fin_stands_after_the_last_byte() {
        let mut stream = Extender::new(u32::MAX - 3);
        stream.send(u32::MAX - 2, 5);
        assert_eq!(stream.send(2, 1), Some(5..6));
        assert_eq!(stream.acknowledged(3), Some(6));
        assert_eq!(stream.acknowledged(4), None);
    }

    #[test]
    fn what_lies_before_the_syn_is_below_minus_one_and_acknowledges_nothing() {
        let mut stream = Extender::new(1000);
        assert_eq!(stream.offset(999), -2);
        assert_eq!(stream.send(999, 20), None);
        assert_eq!(stream.frontier(), 0);
        assert_eq!(stream.acknowledged(999), None);
        assert_eq!(stream.acknowledged(1000), None);
        assert_eq!(stream.acknowledged(1001), Some(0));
        assert_eq!(stream.acknowledged(1002), None);
    }

    proptest! {
        /// The model knows the 64-bit truth and shows the extender its low 32 bits.
        #[test]
        fn offsets_are_right_over_many_wraps_and_retransmissions_from_a_gigabyte_behind(
            initial: u32,
            steps in prop::collection::vec((1u64..=1 << 30, 0u64..=1 << 30, 0u32..=1 << 20), 1..200),
        ) {
            let wire = |offset: i64| initial.wrapping_add(1).wrapping_add(offset as u32);
            let mut stream = Extender::new(initial);
            let mut frontier = 0u64;
            for (advance, back, length) in steps {
                let new = frontier as i64..(frontier + advance) as i64;
                prop_assert_eq!(stream.offset(wire(new.end)), new.end);
                prop_assert_eq!(stream.send(wire(new.start), advance as u32), Some(new));
                frontier += advance;
                let start = frontier.saturating_sub(back);
                let length = length.min((frontier - start) as u32);
                let again = start as i64..start as i64 + i64::from(length);
                prop_assert_eq!(stream.send(wire(start as i64), length), Some(again));
                prop_assert_eq!(stream.frontier(), frontier);
                prop_assert_eq!(stream.acknowledged(wire(start as i64)), Some(start));
                prop_assert_eq!(stream.acknowledged(wire(frontier as i64 + 1)), None);
                prop_assert_eq!(stream.sequence(start as i64), wire(start as i64));
            }
        }
    }
}
