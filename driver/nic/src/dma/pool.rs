//! A pool of frames of one size.
#![allow(unsafe_code, reason = "cuts its region into frames")]

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
#[derive(Debug)]
pub struct FramePool {
    /// A ring, a power of two long: `Some` from `head` up to `tail`.
    slots: Box<[Option<Frame>]>,
    /// Where the next frame is taken, counted up for ever.
    head: usize,
    /// Where the next frame is put.
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
        let bytes = count.checked_mul(stride).ok_or_else(too_much)?;
        let slots = count.checked_next_power_of_two().ok_or_else(too_much)?;
        let region = Region::<Bidirectional>::allocate(mapper, bytes)?;
        let mut frames: Vec<Option<Frame>> = Vec::with_capacity(slots);
        frames.extend((0..count).map(|index| {
            // SAFETY: `count * stride` bytes were allocated, so the range lies within the region. The ranges are disjoint,
            // each is made once, and the region is this pool's own: nobody else can name it, by frames or by words.
            Some(unsafe { Frame::new(Arc::clone(&region), index * stride, capacity) })
        }));
        frames.resize_with(slots, || None);
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
        let mask = self.slots.len() - 1;
        let frame = self.slots.get_mut(self.head & mask)?.take()?;
        self.head = self.head.wrapping_add(1);
        Some(frame)
    }

    /// Takes a frame back.
    ///
    /// # Errors
    /// A frame of another pool is refused, and returned.
    #[inline]
    pub fn give(&mut self, mut frame: Frame) -> Result<(), Frame> {
        let mask = self.slots.len() - 1;
        // There is a free slot for each frame of this pool: no more were made.
        match self.slots.get_mut(self.tail & mask) {
            Some(slot @ None) if frame.is_of(&self.region) => {
                frame.reset_len();
                *slot = Some(frame);
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

    /// Makes sure that the memory of all frames is never unmapped or freed: see [`Region::quarantine`].
    pub fn quarantine(&self) {
        self.region.quarantine();
    }
}
