//! Which bytes of a mapping stand in a posted descriptor, sampled at every 64th byte.
//!
//! Two posted ranges that share a sampled byte overlap; two that do not share one overlap at most in
//! between, by less than 64 bytes. So a report is never false, and a frame posted twice is always caught: it
//! is aligned, or longer than 64 bytes. A bit costs one 512th of the memory it watches, and marking a
//! 16 KiB buffer four plain stores.

use std::sync::atomic::{AtomicU64, Ordering};

/// Distance of the sampled bytes.
pub(super) const SAMPLE: usize = 64;

#[derive(Debug)]
pub(super) struct Occupancy {
    bits: Box<[AtomicU64]>,
}

impl Occupancy {
    pub(super) fn new(len: usize) -> Self {
        let words = len.div_ceil(SAMPLE * 64);
        Self {
            bits: (0..words).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Marks a range; returns whether a sampled byte of it was marked before.
    #[inline]
    pub(super) fn mark(&self, offset: usize, len: usize) -> bool {
        let mut seen = 0;
        self.each_word(offset, len, |word, mask| {
            seen |= word.fetch_or(mask, Ordering::AcqRel) & mask
        });
        seen != 0
    }

    /// Ends the marks of a range.
    #[inline]
    pub(super) fn clear(&self, offset: usize, len: usize) {
        self.each_word(offset, len, |word, mask| {
            if mask == !0 {
                word.store(0, Ordering::Release);
            } else {
                word.fetch_and(!mask, Ordering::AcqRel);
            }
        });
    }

    /// Whether every sampled byte of a range is marked.
    pub(super) fn is_full(&self, offset: usize, len: usize) -> bool {
        let mut full = true;
        self.each_word(offset, len, |word, mask| {
            full &= word.load(Ordering::Acquire) & mask == mask
        });
        full
    }

    #[inline]
    fn each_word(&self, offset: usize, len: usize, mut act: impl FnMut(&AtomicU64, u64)) {
        let mut bit = offset.div_ceil(SAMPLE);
        let end = (offset + len).div_ceil(SAMPLE);
        while bit < end {
            let Some(word) = self.bits.get(bit / 64) else {
                return;
            };
            let low = bit % 64;
            let count = (64 - low).min(end - bit);
            let mask = if count == 64 {
                !0
            } else {
                ((1 << count) - 1) << low
            };
            act(word, mask);
            bit += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_marked_twice_is_seen() {
        let map = Occupancy::new(1 << 16);
        assert!(!map.mark(0, 2048));
        assert!(!map.mark(2048, 2048));
        assert!(map.mark(2048, 64));
        map.clear(2048, 2048);
        assert!(!map.mark(2048, 2048));
    }

    #[test]
    fn neighbours_that_meet_between_two_samples_do_not_overlap() {
        let map = Occupancy::new(4096);
        assert!(!map.mark(0, 54));
        assert!(!map.mark(54, 1000));
        assert!(!map.mark(1054, 3));
        assert!(map.mark(64, 1));
    }

    #[test]
    fn a_page_is_full_when_its_buffers_are_all_posted() {
        let map = Occupancy::new(1 << 14);
        map.mark(4096, 2048);
        assert!(!map.is_full(4096, 4096));
        map.mark(6144, 2048);
        assert!(map.is_full(4096, 4096));
        assert!(!map.is_full(0, 4096));
    }

    #[test]
    fn a_range_past_the_end_is_ignored() {
        let map = Occupancy::new(4096);
        assert!(!map.mark(4000, 1 << 20));
        assert!(map.mark(4032, 64));
    }
}
