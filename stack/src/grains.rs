//! What smoltcp counts in the place of bytes.
//!
//! smoltcp copies each segment out of its transmit ring, and of a stream that is sent by reference the copy is thrown away:
//! to smoltcp such a stream is a count and nothing else. So it is given less to count. One byte of the ring, a *grain*, stands
//! for a run of the stream, as many bytes for each grain as divide the MSS: everything that TCP measures in bytes
//! (windows, the congestion window, the MSS) is smaller for smoltcp by that factor, and a full frame ends where a grain does.
//!
//! ```text
//! stream   0        20       40    47      67      80          bytes, 20 to a grain
//!          |---------|--------|-----|-------|------|
//! grains   0         1        2     3       4      5
//!          \______ promised first __/\_ promised later
//! ```
//! What is promised at a time ends with a grain that may be shorter: the places where that is so divide the stream into
//! [`Piece`]s. A short grain takes as much of a window as any other. Numbers of the peer's are rounded down: of a grain that it
//! has in part, nothing counts as acknowledged.

use std::collections::VecDeque;

/// Most bytes that a grain stands for. More would save nothing that can be measured.
const MOST: usize = 32;
/// smoltcp takes no shorter MSS from a peer: Linux's `TCP_MIN_SND_MSS`.
pub(crate) const SHORTEST_MSS: usize = 48;

/// Bytes of a grain, for frames with `mss` bytes of payload: a whole fraction of that.
pub(crate) fn grain_of(mss: usize) -> usize {
    (1..=MOST.min(mss / SHORTEST_MSS))
        .rev()
        .find(|grain| mss.is_multiple_of(*grain))
        .unwrap_or(1)
}

/// A part of the stream in which only the last grain may be short.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Piece {
    /// The stream offset of its first byte.
    byte: u64,
    /// How many grains come before it.
    grain: u64,
}

/// Which bytes of one stream smoltcp's grains stand for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Grains {
    /// Bytes of a grain.
    size: u64,
    /// The oldest piece that anybody may speak of.
    first: Piece,
    later: VecDeque<Piece>,
    /// Where the stream ends so far.
    end: Piece,
}

impl Grains {
    /// A stream of which a grain is a byte.
    pub(crate) const fn new() -> Self {
        let none = Piece { byte: 0, grain: 0 };
        Self {
            size: 1,
            first: none,
            later: VecDeque::new(),
            end: none,
        }
    }

    /// A grain is `size` bytes from now on; of a stream that has begun nothing changes.
    pub(crate) fn set_size(&mut self, size: usize) {
        if self.end.byte == 0 {
            self.size = size.max(1) as u64;
        }
    }

    /// Bytes of a grain that is not short.
    #[inline]
    pub(crate) const fn size(&self) -> usize {
        self.size as usize
    }

    /// How many bytes there are so far.
    #[inline]
    pub(crate) const fn bytes(&self) -> u64 {
        self.end.byte
    }

    /// The last place up to `to` where the stream, continued to there, ends with a whole grain.
    pub(crate) fn whole(&self, to: u64) -> u64 {
        let last = self.later.back().unwrap_or(&self.first);
        let from = if self.ends_short() {
            self.end.byte
        } else {
            last.byte
        };
        to - to.saturating_sub(from) % self.size
    }

    /// Continues the stream by `bytes`; returns how many grains that is.
    pub(crate) fn extend(&mut self, bytes: u64) -> u64 {
        if self.ends_short() && bytes > 0 {
            self.later.push_back(self.end);
        }
        let grains = bytes.div_ceil(self.size);
        self.end.byte += bytes;
        self.end.grain += grains;
        grains
    }

    fn ends_short(&self) -> bool {
        let last = self.later.back().unwrap_or(&self.first);
        !(self.end.byte - last.byte).is_multiple_of(self.size)
    }

    /// Forgets the pieces that end at or before the stream offset `acknowledged`.
    pub(crate) fn release(&mut self, acknowledged: u64) {
        while self.later.front().is_some_and(|next| next.byte <= acknowledged) {
            self.first = self.later.pop_front().unwrap_or(self.first);
        }
    }

    /// The stream offset that so many grains end at. Below 0 stands the SYN, beyond the end the FIN: one each for smoltcp too.
    #[inline]
    pub(crate) fn byte_at(&self, grain: i64) -> i64 {
        let Ok(place) = u64::try_from(grain) else {
            return grain;
        };
        if place >= self.end.grain {
            return self.end.byte as i64 + (place - self.end.grain) as i64;
        }
        let (piece, end) = self.piece(|piece| piece.grain <= place);
        match place.checked_sub(piece.grain) {
            Some(within) => (piece.byte + within * self.size).min(end) as i64,
            None => piece.byte as i64 - (piece.grain - place) as i64,
        }
    }

    /// The stream offset before which there are all grains but the last `grains`.
    #[inline]
    pub(crate) fn byte_before_end(&self, grains: u64) -> u64 {
        self.byte_at(self.end.grain.saturating_sub(grains) as i64) as u64
    }

    /// How many whole grains end at or before the stream offset `byte`.
    #[inline]
    pub(crate) fn grain_at(&self, byte: i64) -> i64 {
        let Ok(place) = u64::try_from(byte) else {
            return byte;
        };
        if place >= self.end.byte {
            return self.end.grain as i64 + (place - self.end.byte) as i64;
        }
        let (piece, _) = self.piece(|piece| piece.byte <= place);
        match place.checked_sub(piece.byte) {
            Some(within) => (piece.grain + within / self.size) as i64,
            // Long gone: less than all that was ever said, whatever it was.
            None => piece.grain as i64 - (piece.byte - place).div_ceil(self.size) as i64,
        }
    }

    /// The last piece that `reached` holds for, or the first of all, and where it ends.
    fn piece(&self, reached: impl Fn(&Piece) -> bool) -> (Piece, u64) {
        // Nearly always the first: what is under way was promised at once.
        let next = self.later.partition_point(reached);
        let piece = match next.checked_sub(1) {
            Some(at) => self.later[at],
            None => self.first,
        };
        (piece, self.later.get(next).unwrap_or(&self.end).byte)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(size: usize, lengths: &[u64]) -> Grains {
        let mut grains = Grains::new();
        grains.set_size(size);
        lengths.iter().for_each(|&len| {
            grains.extend(len);
        });
        grains
    }

    #[test]
    fn a_grain_divides_the_mss_and_leaves_smoltcp_an_mss_that_it_takes() {
        let known = [
            (1460, 20),
            (1440, 30),
            (1448, 8),
            (8960, 32),
            (536, 8),
            (1459, 1),
            (40, 1),
        ];
        for (mss, grain) in known {
            assert_eq!(grain_of(mss), grain, "MSS {mss}");
        }
        for mss in 1..=9216 {
            let grain = grain_of(mss);
            assert_eq!(mss % grain, 0);
            assert!(grain == 1 || mss / grain >= SHORTEST_MSS);
        }
    }

    #[test]
    fn the_picture_above_is_true() {
        let grains = of(20, &[47, 33]);
        let ends: Vec<_> = (-1..=6).map(|grain| grains.byte_at(grain)).collect();
        assert_eq!(ends, [-1, 0, 20, 40, 47, 67, 80, 81]);
        let whole: Vec<_> = [-1, 0, 19, 20, 46, 47, 66, 79, 80, 81]
            .map(|byte| grains.grain_at(byte))
            .into();
        assert_eq!(whole, [-1, 0, 0, 1, 2, 3, 3, 4, 5, 6]);
    }

    #[test]
    fn pieces_that_fit_together_are_one() {
        let mut grains = of(20, &[40, 60, 20]);
        assert_eq!(grains.later.len(), 0);
        grains.extend(7);
        assert_eq!(
            (grains.later.len(), grains.whole(130), grains.whole(150)),
            (0, 127, 147)
        );
        grains.extend(20);
        assert_eq!((grains.later.len(), grains.whole(150)), (1, 147));
    }

    #[test]
    fn a_stream_that_has_begun_keeps_its_grain() {
        let mut grains = of(20, &[100]);
        grains.set_size(1);
        assert_eq!(grains.size(), 20);
    }

    proptest! {
        /// The model has the end of every grain.
        #[test]
        fn every_grain_ends_where_it_was_promised_and_every_byte_is_rounded_down(
            size in 1_usize..=32, lengths in prop::collection::vec(1_u64..200, 1..30), acknowledged in 0.0..1.0,
        ) {
            let mut grains = of(size, &[]);
            let mut ends = vec![0_u64];
            for len in lengths {
                let start = grains.bytes();
                let added = grains.extend(len);
                // The last grain of what was there is never made longer.
                let new = (1..=added).map(|grain| (start + grain * size as u64).min(start + len));
                let before = ends.len();
                ends.extend(new);
                prop_assert_eq!(ends.len() - before, added as usize);
            }
            let acknowledged = (grains.bytes() as f64 * acknowledged) as u64;
            grains.release(acknowledged);
            let first = ends.partition_point(|end| *end <= acknowledged) - 1;
            for (grain, &end) in ends.iter().enumerate().skip(first) {
                prop_assert_eq!(grains.byte_at(grain as i64), end as i64);
                prop_assert_eq!(grains.grain_at(end as i64), grain as i64);
            }
            for byte in acknowledged..=grains.bytes() {
                let whole = ends.partition_point(|end| *end <= byte) - 1;
                prop_assert_eq!(grains.grain_at(byte as i64), whole as i64);
            }
            for byte in 0..acknowledged {
                prop_assert!(grains.grain_at(byte as i64) <= first as i64);
            }
        }
    }
}
