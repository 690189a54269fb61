//! Which pages were sent of late, and are likely to be in the CPU's cache still.
//!
//! The tags of a direct-mapped cache of pages: each page has one set, and stands there until another page of that set is sent.
//! So a file that is longer than the cache is new again each time, and a small one that is asked for all the time is not.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of a page here.
const PAGE: usize = 4096;
/// How many pages the cache is taken to hold: 8 MiB, a core's share of a last-level cache.
const SETS: usize = 2048;

/// Which page stands in each set.
#[derive(Debug)]
pub(crate) struct RecentPages {
    /// Numbers of pages. Nothing is ever mapped at page 0.
    tags: Box<[AtomicUsize; SETS]>,
}

impl RecentPages {
    pub(crate) fn new() -> Self {
        Self {
            tags: Box::new([const { AtomicUsize::new(0) }; SETS]),
        }
    }

    /// Takes note that `len` bytes at `start` are sent. Whether all their pages were noted before, and no other of the same
    /// set since.
    #[inline]
    pub(super) fn note(&self, start: usize, len: usize) -> bool {
        let mut known = true;
        for page in start / PAGE..(start + len).div_ceil(PAGE) {
            let tag = &self.tags[page % SETS];
            if tag.load(Ordering::Relaxed) != page {
                tag.store(page, Ordering::Relaxed);
                known = false;
            }
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_into_the_cache_is_known_and_what_is_longer_is_new_each_time() {
        const START: usize = 0x7f00_0000_0800;
        let piece = 10_000;
        for (len, known) in [((SETS - 4) * PAGE, true), (2 * SETS * PAGE, false)] {
            let recent = RecentPages::new();
            let pieces = || (START..START + len).step_by(piece);
            assert!(pieces().all(|at| !recent.note(at, piece)));
            assert!(pieces().all(|at| recent.note(at, piece) == known));
        }
    }
}
