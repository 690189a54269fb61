//! Addresses for a device to use: which are free, and which comes next.
//!
//! - Only what the kernel calls usable is handed out, and never the first 64 KiB: a forgotten address points there.
//! - Fresh addresses come first, above 4 GiB where there are any: an address that is used after its unmap, or cut to 32
//!   bits, meets nothing and faults. Released ones come back when the search has gone all the way round.
//! - Behind each mapping a page stays free, so what runs over its end faults too.
//! - Mappings of 2 MiB and more begin at a multiple of that: the IOMMU can use its large pages.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Addresses below it are never handed out.
const FIRST: u64 = 64 << 10;
/// Where the search begins.
const FRESH: u64 = 1 << 32;
/// A large page of the IOMMU.
const LARGE: u64 = 2 << 20;

/// The free addresses of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IovaAllocator {
    /// First address of each free range, and the address behind its last. No two meet.
    free: BTreeMap<u64, u64>,
    page: u64,
    cursor: u64,
}

impl IovaAllocator {
    /// All that lies in `usable` is free; mappings are multiples of `page`, a power of two.
    pub(super) fn new(usable: &[RangeInclusive<u64>], page: u64) -> Self {
        let mut allocator = Self {
            free: BTreeMap::new(),
            page,
            cursor: FRESH,
        };
        for range in usable {
            let start = (*range.start()).max(FIRST).next_multiple_of(page);
            let end = range.end().saturating_add(1) & !(page - 1);
            if start < end {
                allocator.insert(start, end);
            }
        }
        allocator
    }

    /// Takes `len` bytes, a multiple of the page; none where no free range is long enough.
    pub(super) fn allocate(&mut self, len: u64) -> Option<u64> {
        let (from, to) = self.find(self.cursor, len).or_else(|| self.find(0, len))?;
        let (&start, &end) = self.free.range(..=from).next_back()?;
        self.free.remove(&start);
        if start < from {
            self.free.insert(start, from);
        }
        if to < end {
            self.free.insert(to, end);
        }
        self.cursor = to;
        Some(from)
    }

    /// Gives back what [`allocate`](Self::allocate) gave for the same `len`.
    pub(super) fn release(&mut self, iova: u64, len: u64) {
        self.insert(iova, iova + len + self.page);
    }

    /// The first place at `from` or above for `len` bytes and the page behind them: where it begins and ends.
    fn find(&self, from: u64, len: u64) -> Option<(u64, u64)> {
        let unit = if len >= LARGE { LARGE } else { self.page };
        let around = self.free.range(..from).next_back();
        around
            .into_iter()
            .chain(self.free.range(from..))
            .find_map(|(start, end)| {
                let start = from.max(*start).checked_next_multiple_of(unit)?;
                let behind = start.checked_add(len)?.checked_add(self.page)?;
                (behind <= *end).then_some((start, behind))
            })
    }

    /// Makes a range free, as one with the free ranges that it meets.
    fn insert(&mut self, mut start: u64, mut end: u64) {
        if let Some((&before, &meets)) = self.free.range(..start).next_back()
            && meets >= start
        {
            (start, end) = (before, end.max(meets));
        }
        while let Some((&next, &last)) = self.free.range(start..=end).next() {
            end = end.max(last);
            self.free.remove(&next);
        }
        self.free.insert(start, end);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: u64 = 4096;
    /// What an Intel IOMMU with 39 address bits reports: all but the window of message interrupts.
    const INTEL: [RangeInclusive<u64>; 2] = [0..=0xfedf_ffff, 0xfef0_0000..=0x7f_ffff_ffff];

    #[test]
    fn fresh_addresses_come_first_and_lie_above_four_gigabytes() {
        let mut allocator = IovaAllocator::new(&INTEL, PAGE);
        let first = allocator.allocate(PAGE).unwrap();
        allocator.release(first, PAGE);
        let second = allocator.allocate(PAGE).unwrap();
        assert_eq!((first, second), (FRESH, FRESH + 2 * PAGE));
    }

    #[test]
    fn a_device_of_32_bits_gets_low_addresses_but_not_the_lowest() {
        let mut allocator = IovaAllocator::new(&[0..=0xffff_ffff], PAGE);
        assert_eq!(allocator.allocate(PAGE), Some(FIRST));
    }

    #[test]
    fn large_mappings_begin_at_large_pages() {
        let mut allocator = IovaAllocator::new(&INTEL, PAGE);
        allocator.allocate(PAGE).unwrap();
        for _ in 0..100 {
            assert!(allocator.allocate(LARGE).unwrap().is_multiple_of(LARGE));
        }
    }

    #[test]
    fn the_last_address_of_all_is_no_overflow() {
        let mut allocator = IovaAllocator::new(&[0..=u64::MAX], PAGE);
        assert_eq!(allocator.allocate(!(PAGE - 1)), None);
        assert_eq!(allocator.allocate(1 << 63), Some(FRESH));
    }

    #[test]
    fn what_was_released_is_used_again_when_nothing_fresh_is_left() {
        let mut allocator = IovaAllocator::new(&[FRESH..=FRESH + 8 * PAGE - 1], PAGE);
        let taken: Vec<u64> = std::iter::from_fn(|| allocator.allocate(PAGE)).collect();
        assert_eq!(taken.len(), 4);
        allocator.release(taken[1], PAGE);
        assert_eq!(allocator.allocate(PAGE), Some(taken[1]));
        assert_eq!(allocator.allocate(PAGE), None);
    }

    /// Ranges as a kernel may report them: sorted, apart, some of them not of whole pages.
    fn usable() -> impl Strategy<Value = Vec<RangeInclusive<u64>>> {
        prop::collection::vec((0..64 * PAGE, 1..256 * PAGE), 1..5).prop_map(|parts| {
            let mut at = FRESH - 128 * PAGE;
            let range = |(gap, len): (u64, u64)| {
                let start = at + gap;
                at = start + len + 1;
                start..=start + len - 1
            };
            parts.into_iter().map(range).collect()
        })
    }

    proptest! {
        #[test]
        fn mappings_lie_apart_within_what_is_usable_and_leave_nothing_behind(
            usable in usable(),
            steps in prop::collection::vec((any::<bool>(), 1..600_u64, any::<prop::sample::Index>()), 1..200),
        ) {
            let mut allocator = IovaAllocator::new(&usable, PAGE);
            let empty = allocator.free.clone();
            let mut live: Vec<(u64, u64)> = Vec::new();
            for (take, pages, which) in steps {
                let len = pages * PAGE;
                if !take && !live.is_empty() {
                    let (iova, len) = live.swap_remove(which.index(live.len()));
                    allocator.release(iova, len);
                } else if let Some(iova) = allocator.allocate(len) {
                    let unit = if len >= LARGE { LARGE } else { PAGE };
                    prop_assert!(iova.is_multiple_of(unit) && iova >= FIRST);
                    prop_assert!(usable.iter().any(|range| range.contains(&iova) && range.contains(&(iova + len - 1))));
                    for (other, other_len) in &live {
                        prop_assert!(iova + len < *other || other + other_len < iova, "a page lies between");
                    }
                    live.push((iova, len));
                } else {
                    let longest = allocator.free.iter().map(|(start, end)| end - start).max().unwrap_or(0);
                    let slack = if len >= LARGE { LARGE } else { 0 };
                    prop_assert!(longest < len + PAGE + slack, "{len} bytes fit into {longest}");
                }
            }
            for (iova, len) in live {
                allocator.release(iova, len);
            }
            prop_assert_eq!(allocator.free, empty);
        }
    }
}
