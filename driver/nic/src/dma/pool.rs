//! A pool of frames of one size.
#![allow(
    unsafe_code,
    reason = "cuts its region into frames, and keeps them in a ring without a flag for each slot"
)]

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::Arc;

use pagewire_bus::DmaMapper;

use super::{Bidirectional, DmaError, Frame, Region};

/// Frames are whole cache lines, so that no two of them share one.
const CACHE_LINE: usize = 64;

/// Frames of one size, first in, first out. It has one owner; the frames may go anywhere.
///
/// The order matters: a receive ring that is fed from a fresh pool is filled with buffers that follow each other in
/// memory, so that a packet over several of them is one run of bytes ([`Frame::joined`]).
///
/// Nothing is allocated after [`new`](Self::new). A frame holds its own reference to the memory for its whole life, so
/// taking and giving count no references.
pub struct FramePool {
    /// A ring, a power of two long. The slots from `head` up to (not including) `tail` hold a frame each, the others
    /// none; both count up for ever, their low bits are the index.
    slots: Box<[MaybeUninit<Frame>]>,
    /// Where the next frame is taken.
    head: usize,
    /// Where the next frame is put; at most `total` ahead of `head`.
    tail: usize,
    total: usize,
    region: Arc<Region<Bidirectional>>,
}

impl FramePool {
    /// Allocates `count` frames of `frame_len` bytes each, rounded up to whole cache lines.
    ///
    /// # Errors
    /// [`DmaError::Empty`] for none of either, [`DmaError::NoMemory`], [`DmaError::MapForDevice`].
    pub fn new(mapper: &Arc<dyn DmaMapper>, count: usize, frame_len: usize) -> Result<Self, DmaError> {
        Self::with_lead(mapper, count, frame_len, 0)
    }

    /// The same, each frame beginning `lead` bytes after the start of a cache line, which headers of another length than
    /// a cache line's make worth while: what follows them is copied faster from where a line begins.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_lead(
        mapper: &Arc<dyn DmaMapper>,
        count: usize,
        frame_len: usize,
        lead: usize,
    ) -> Result<Self, DmaError> {
        let too_much = || DmaError::NoMemory {
            mib: usize::MAX >> 20,
            reason: std::io::Error::other("more than an address space holds"),
        };
        if count == 0 || frame_len == 0 {
            return Err(DmaError::Empty {
                what: "a pool of frames",
            });
        }
        let stride = frame_len
            .checked_next_multiple_of(CACHE_LINE)
            .ok_or_else(too_much)?;
        let capacity = u32::try_from(stride).map_err(|_| too_much())?;
        let frames_bytes = count.checked_mul(stride).ok_or_else(too_much)?;
        let bytes = frames_bytes.checked_add(lead).ok_or_else(too_much)?;
        let slots = count.checked_next_power_of_two().ok_or_else(too_much)?;
        let region = Region::<Bidirectional>::allocate(mapper, bytes)?;
        let mut frames = Vec::with_capacity(slots);
        frames.extend((0..count).map(|index| {
            // SAFETY: `lead + count * stride` bytes were allocated, so the range lies within the region. The ranges are
            // disjoint, each is made once, and the region is this pool's own: nobody else can name it, by frames or by words.
            MaybeUninit::new(unsafe { Frame::new(Arc::clone(&region), lead + index * stride, capacity) })
        }));
        frames.resize_with(slots, MaybeUninit::uninit);
        Ok(Self {
            slots: frames.into_boxed_slice(),
            head: 0,
            tail: count,
            total: count,
            region,
        })
    }

    /// Takes the frame that has been here longest; it is as long as its buffer. `None` where all are taken.
    #[inline]
    pub fn take(&mut self) -> Option<Frame> {
        if self.head == self.tail {
            return None;
        }
        let slot = self.slots.get(self.head & (self.slots.len() - 1))?;
        self.head = self.head.wrapping_add(1);
        // SAFETY: the slot at `head`, before `tail`, holds a frame. It is read once: `head` has passed it.
        Some(unsafe { slot.assume_init_read() })
    }

    /// Takes a frame back.
    ///
    /// # Errors
    /// A frame of another pool is refused, and returned.
    #[inline]
    pub fn give(&mut self, mut frame: Frame) -> Result<(), Frame> {
        let mask = self.slots.len() - 1;
        match self.slots.get_mut(self.tail & mask) {
            Some(slot) if frame.is_of(&self.region) => {
                // The slot is free: there are no more frames of this region than slots, and this one is not in a slot.
                frame.reset_len();
                slot.write(frame);
                self.tail = self.tail.wrapping_add(1);
                Ok(())
            }
            _ => Err(frame),
        }
    }

    /// How many frames are here.
    #[must_use]
    #[inline]
    pub fn available(&self) -> usize {
        self.tail.wrapping_sub(self.head)
    }

    /// How many frames the pool was made with.
    #[must_use]
    #[inline]
    pub fn total(&self) -> usize {
        self.total
    }

    /// Size of each frame's buffer in bytes.
    #[must_use]
    pub fn frame_capacity(&self) -> usize {
        self.region.len() / self.total
    }

    /// Whether the frame is one of this pool's, wherever it is now.
    #[inline]
    pub(crate) fn owns(&self, frame: &Frame) -> bool {
        frame.is_of(&self.region)
    }

    /// Makes sure that the memory of all frames is never unmapped or freed: see [`Region::quarantine`].
    pub fn quarantine(&self) {
        self.region.quarantine();
    }
}

impl Drop for FramePool {
    fn drop(&mut self) {
        while let Some(frame) = self.take() {
            drop(frame);
        }
    }
}

impl fmt::Debug for FramePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FramePool({} of {} frames, {} bytes each)",
            self.available(),
            self.total,
            self.frame_capacity()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashSet, VecDeque};

    use proptest::prelude::*;

    use super::super::fake::FakeMapper;
    use super::*;

    #[test]
    fn frames_behind_a_lead_follow_each_other_and_begin_that_far_into_a_cache_line() {
        let mapper: Arc<dyn DmaMapper> = Arc::new(FakeMapper::default());
        let mut pool = FramePool::with_lead(&mapper, 3, 4096, 10).unwrap();
        let mut frames: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
        assert_eq!(frames.len(), 3);
        for frame in &mut frames {
            assert_eq!((frame.iova().0 % 64, frame.capacity()), (10, 4096));
            frame.bytes_mut().fill(7);
        }
        let whole = Frame::joined(&frames[0], &frames[1..]).unwrap();
        assert!(whole.len() == 3 * 4096 && whole.iter().all(|&byte| byte == 7));
    }

    #[test]
    fn a_frame_fits_into_half_a_cache_line() {
        assert_eq!(size_of::<Frame>(), 32);
        assert_eq!(size_of::<Option<Frame>>(), 32);
    }

    #[test]
    fn frames_come_in_the_order_of_memory_and_then_in_the_order_they_were_given() {
        let (_, mapper) = FakeMapper::new();
        let mut pool = FramePool::new(&mapper, 5, 2048).unwrap();
        let frames: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
        assert_eq!(frames.len(), 5);
        assert!(
            frames
                .windows(2)
                .all(|pair| pair[0].iova().offset(2048) == pair[1].iova())
        );
        let given: Vec<_> = frames.iter().rev().map(Frame::iova).collect();
        for frame in frames.into_iter().rev() {
            pool.give(frame).unwrap();
        }
        let taken: Vec<_> = std::iter::from_fn(|| pool.take())
            .map(|frame| frame.iova())
            .collect();
        assert_eq!(taken, given);
    }

    #[test]
    fn a_frame_of_another_pool_is_refused_and_returned() {
        let (_, mapper) = FakeMapper::new();
        let mut one = FramePool::new(&mapper, 2, 64).unwrap();
        let mut other = FramePool::new(&mapper, 2, 64).unwrap();
        let foreign = other.take().unwrap();
        let iova = foreign.iova();
        let spare = one.take();
        let returned = one.give(foreign).unwrap_err();
        assert_eq!(
            (returned.iova(), one.available(), spare.is_some()),
            (iova, 1, true)
        );
        other.give(returned).unwrap();
    }

    #[test]
    fn a_frame_is_as_long_as_its_buffer_when_it_is_taken_again() {
        let (_, mapper) = FakeMapper::new();
        let mut pool = FramePool::new(&mapper, 1, 1000).unwrap();
        assert_eq!(pool.frame_capacity(), 1024);
        let mut frame = pool.take().unwrap();
        assert_eq!((frame.len(), frame.capacity()), (1024, 1024));
        frame.set_len(60).unwrap();
        pool.give(frame).unwrap();
        assert_eq!(pool.take().unwrap().len(), 1024);
    }

    #[test]
    fn memory_stays_while_a_frame_is_out_and_goes_with_the_last() {
        let (fake, mapper) = FakeMapper::new();
        let mut pool = FramePool::new(&mapper, 3, 64).unwrap();
        let mut frame = pool.take().unwrap();
        drop(pool);
        frame.bytes_mut()[0] = 9;
        assert_eq!(fake.read(frame.iova(), 1), [9]);
        drop(frame);
        assert_eq!(fake.unmapped().len(), 1);
    }

    #[test]
    fn a_frame_that_is_dropped_is_missed_but_breaks_nothing() {
        let (fake, mapper) = FakeMapper::new();
        let mut pool = FramePool::new(&mapper, 2, 64).unwrap();
        drop(pool.take());
        let last = pool.take().unwrap();
        assert!(pool.take().is_none());
        pool.give(last).unwrap();
        assert_eq!((pool.available(), pool.total()), (1, 2));
        drop(pool);
        assert!(fake.mapped().is_empty());
    }

    #[test]
    fn a_quarantined_frame_keeps_its_memory_for_good() {
        let (fake, mapper) = FakeMapper::new();
        let mut pool = FramePool::new(&mapper, 2, 64).unwrap();
        let frame = pool.take().unwrap();
        let iova = frame.iova();
        frame.quarantine();
        drop(pool);
        fake.write(iova, b"the device goes on writing");
    }

    #[test]
    fn pools_that_cannot_be_are_errors() {
        let (_, mapper) = FakeMapper::new();
        for (count, len) in [(0, 64), (1, 0)] {
            assert!(matches!(
                FramePool::new(&mapper, count, len),
                Err(DmaError::Empty { .. })
            ));
        }
        for (count, len) in [
            (usize::MAX, 64),
            (1 << 40, 2048),
            (1, 1 << 32),
            (1, usize::MAX),
            (1 << 62, 64),
        ] {
            let error = FramePool::new(&mapper, count, len).unwrap_err();
            assert!(
                matches!(error, DmaError::NoMemory { .. }),
                "{count} {len}: {error}"
            );
        }
    }

    proptest! {
        #[test]
        fn frames_are_conserved_and_distinct_whatever_is_taken_and_given(
            total in 1_usize..20,
            steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..200),
        ) {
            let (fake, mapper) = FakeMapper::new();
            let mut pool = FramePool::new(&mapper, total, 64).unwrap();
            let mut inside: VecDeque<_> = (0..total as u64).map(|index| fake.mapped()[0].iova.offset(64 * index)).collect();
            let mut outside: Vec<Frame> = Vec::new();
            for (take, which) in steps {
                if take {
                    let frame = pool.take();
                    prop_assert_eq!(frame.as_ref().map(Frame::iova), inside.pop_front());
                    outside.extend(frame);
                } else if !outside.is_empty() {
                    let frame = outside.swap_remove(which.index(outside.len()));
                    inside.push_back(frame.iova());
                    pool.give(frame).unwrap();
                }
                prop_assert_eq!(pool.available() + outside.len(), pool.total());
            }
            let distinct: HashSet<_> = inside.iter().copied().chain(outside.iter().map(Frame::iova)).collect();
            prop_assert_eq!(distinct.len(), total);
            drop((pool, outside));
            prop_assert!(fake.mapped().is_empty());
        }
    }
}
