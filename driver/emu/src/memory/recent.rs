//! Which pages were sent of late, and are likely to be in the CPU's cache still.
//!
//! The tags of a direct-mapped cache of pages: each page has one set, and stands there until another page of that set is sent.
//! So a file that is longer than the cache is new again each time, and a small one that is asked for all the time is not.
//! It errs where only a part of a page was sent, where another file is mapped by now, and where others have used the cache;
//! who trusts it then is slower, and nothing else.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of a page here.
const PAGE: usize = 4096;
/// How many pages the cache is taken to hold: 8 MiB.
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
        let end = if len > 0 { (start + len).div_ceil(PAGE) } else { 0 };
        for page in start / PAGE..end {
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

    const START: usize = 0x7f00_0000_0800;

    #[test]
    fn a_piece_is_known_by_all_the_pages_that_it_touches() {
        let recent = RecentPages::new();
        assert!(recent.note(START, 0) && !recent.note(START, 1) && recent.note(START, 1));
        let end_of_page = START + PAGE / 2;
        assert!(!recent.note(end_of_page - 1, 2), "the second page is new");
        assert!(recent.note(end_of_page, 1));
    }

    #[test]
    fn what_fits_into_the_cache_is_known_and_what_is_longer_is_new_each_time() {
        let piece = 10_000;
        for (len, known) in [((SETS - 4) * PAGE, true), (2 * SETS * PAGE, false)] {
            let recent = RecentPages::new();
            let pieces = || (START..START + len).step_by(piece);
            assert!(pieces().all(|at| !recent.note(at, piece)));
            assert!(pieces().all(|at| recent.note(at, piece) == known));
        }
    }
}
