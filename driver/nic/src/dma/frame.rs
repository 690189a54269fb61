//! A frame: a linear handle on one buffer that a device can read and write.
#![allow(unsafe_code, reason = "makes slices of the buffer that the frame owns")]

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use pagewire_bus::Iova;

use super::{Bidirectional, FrameTooLong, Region};

/// One buffer of a [`FramePool`](super::FramePool). Whoever holds the frame owns the bytes: software, which may
/// read and write them, or a driver's ring, which leaves them to the device until it is done.
///
/// A frame is not copied or cloned, only moved. It goes back to its pool with [`FramePool::give`]; one that is dropped
/// is lost to its pool. It keeps its memory mapped, also when the pool is gone.
///
/// [`FramePool::give`]: super::FramePool::give
#[must_use = "a frame that is dropped is lost to its pool: give it back"]
pub struct Frame {
    region: Arc<Region<Bidirectional>>,
    /// The buffer's first byte. Derived from the region's start, so it may be used for all of the region.
    data: NonNull<u8>,
    iova: Iova,
    capacity: u32,
    /// At most `capacity`.
    len: u32,
}

// SAFETY: a frame owns its buffer, which is bound to no thread: see `Frame::new`.
unsafe impl Send for Frame {}
// SAFETY: a shared frame only lets its bytes be read.
unsafe impl Sync for Frame {}

impl Frame {
    /// A handle on `capacity` bytes of `region` from `offset` on; as long as its buffer.
    ///
    /// # Safety
    /// The range lies within the region, and nothing else names any byte of it while the frame lives: neither another
    /// frame nor the region's words.
    pub(super) unsafe fn new(region: Arc<Region<Bidirectional>>, offset: usize, capacity: u32) -> Self {
        let iova = region.iova().offset(offset as u64);
        // SAFETY: the offset lies within the region (the caller vouches).
        let data = unsafe { region.start().add(offset) };
        Self {
            region,
            data,
            iova,
            capacity,
            len: capacity,
        }
    }

    /// The bytes, [`len`](Self::len) of them.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `len <= capacity` bytes from `data` lie in the region, which `self` keeps mapped; they are initialised
        // (zeroed by the system). Only this frame names them (`Frame::new`), so no `&mut` exists while `self` is shared.
        // The device does not write them: a driver that lets it keeps the frame to itself until it is done.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len as usize) }
    }

    /// The bytes, [`len`](Self::len) of them, to be changed. A frame that comes from its pool is as long as its buffer.
    #[must_use]
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; `self` is borrowed uniquely, and with it the bytes.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.len as usize) }
    }

    /// The buffer's size in bytes.
    #[must_use]
    #[inline]
    pub fn capacity(&self) -> usize {
        self.capacity as usize
    }

    /// Length in bytes: how much of the buffer is used.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether no byte of the buffer is used.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Says how much of the buffer is used. No byte of it changes.
    ///
    /// # Errors
    /// [`FrameTooLong`] where that is more than the buffer has; the length stays what it was.
    #[inline]
    pub fn set_len(&mut self, len: usize) -> Result<(), FrameTooLong> {
        if len > self.capacity as usize {
            return Err(FrameTooLong {
                asked: len,
                capacity: self.capacity as usize,
            });
        }
        self.len = len as u32;
        Ok(())
    }

    /// The device's address of the first byte.
    #[must_use]
    #[inline]
    pub fn iova(&self) -> Iova {
        self.iova
    }

    /// The bytes of a packet that lies in several frames, as one slice. `None` where they are not adjacent in memory, or
    /// where one but the last is not full: the packet has to be copied together then.
    #[must_use]
    #[inline]
    pub fn joined<'a>(first: &'a Self, rest: impl IntoIterator<Item = &'a Self>) -> Option<&'a [u8]> {
        let mut len = first.len as usize;
        let mut last = first;
        for next in rest {
            let follows = std::ptr::addr_eq(last.end(), next.data.as_ptr());
            if last.len != last.capacity || !follows || !Arc::ptr_eq(&first.region, &next.region) {
                return None;
            }
            len += next.len as usize;
            last = next;
        }
        // SAFETY: `first.data` is derived from the start of the region by `add`, so it may be used for all of the region.
        // Each frame is full and the next one begins where it ends, in the same region: the `len` bytes are those of
        // the frames' own slices, end to end. Each of those may be read for `'a`, as in `bytes`: all the frames are borrowed
        // that long, so none of them is written, and the region stays mapped.
        Some(unsafe { std::slice::from_raw_parts(first.data.as_ptr(), len) })
    }

    /// Makes sure that the buffer is never unmapped, freed or used again: for a driver whose device did not confirm that
    /// it stopped, and may still write here.
    pub fn quarantine(self) {
        self.region.quarantine();
    }

    /// Whether the frame is a part of `region`.
    #[inline]
    pub(super) fn is_of(&self, region: &Arc<Region<Bidirectional>>) -> bool {
        Arc::ptr_eq(&self.region, region)
    }

    /// As long as its buffer again.
    #[inline]
    pub(super) fn reset_len(&mut self) {
        self.len = self.capacity;
    }

    /// One past the buffer's last byte.
    #[inline]
    fn end(&self) -> *mut u8 {
        self.data.as_ptr().wrapping_add(self.capacity as usize)
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({}, {} of {} bytes)", self.iova, self.len, self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::FramePool;
    use super::super::fake::FakeMapper;
    use super::*;

    #[test]
    fn software_and_device_see_the_same_bytes_in_turn() {
        let (fake, mapper) = FakeMapper::new();
        let mut pool = FramePool::new(&mapper, 2, 64).unwrap();
        let (mut first, second) = (pool.take().unwrap(), pool.take().unwrap());
        first.bytes_mut().copy_from_slice(&[1; 64]);
        assert_eq!(fake.read(first.iova(), 64), [1; 64]);
        fake.write(first.iova().offset(60), &[2; 4]);
        assert_eq!(first.bytes()[59..], [1, 2, 2, 2, 2]);
        assert_eq!(second.bytes(), [0; 64], "its neighbour is another frame's");
    }

    #[test]
    fn a_length_beyond_the_buffer_is_refused_and_changes_nothing() {
        let (_, mapper) = FakeMapper::new();
        let mut frame = FramePool::new(&mapper, 1, 64).unwrap().take().unwrap();
        frame.set_len(10).unwrap();
        assert_eq!(
            frame.set_len(65),
            Err(FrameTooLong {
                asked: 65,
                capacity: 64
            })
        );
        assert_eq!(frame.set_len(usize::MAX).unwrap_err().asked, usize::MAX);
        assert_eq!(
            (frame.len(), frame.bytes().len(), frame.bytes_mut().len()),
            (10, 10, 10)
        );
        frame.set_len(0).unwrap();
        assert!(frame.is_empty() && frame.bytes().is_empty());
    }

    #[test]
    fn frames_of_two_pools_are_never_joined() {
        let (_, mapper) = FakeMapper::new();
        let one = FramePool::new(&mapper, 1, 4096).unwrap().take().unwrap();
        let other = FramePool::new(&mapper, 1, 4096).unwrap().take().unwrap();
        assert!(Frame::joined(&one, [&other]).is_none() && Frame::joined(&other, [&one]).is_none());
    }

    #[test]
    fn a_frame_moves_to_another_thread() {
        let (_, mapper) = FakeMapper::new();
        let mut frame = FramePool::new(&mapper, 1, 64).unwrap().take().unwrap();
        let frame = std::thread::spawn(move || {
            frame.bytes_mut()[0] = 5;
            frame
        });
        assert_eq!(frame.join().unwrap().bytes()[0], 5);
    }

    proptest! {
        #[test]
        fn a_packet_over_several_frames_is_one_slice_exactly_where_they_are_adjacent_and_full(
            order in prop::sample::subsequence((0..8_usize).collect::<Vec<_>>(), 1..=8),
            rotate in any::<prop::sample::Index>(),
            short in prop::option::weighted(0.3, (any::<prop::sample::Index>(), 0_usize..64)),
        ) {
            let (_, mapper) = FakeMapper::new();
            let mut pool = FramePool::new(&mapper, 8, 64).unwrap();
            let mut slots: Vec<_> = std::iter::from_fn(|| pool.take()).map(Some).collect();
            let mut order = order;
            let by = rotate.index(order.len());
            order.rotate_left(by);
            let mut chain: Vec<Frame> = order.iter().map(|&index| slots[index].take().unwrap()).collect();
            for (frame, index) in chain.iter_mut().zip(&order) {
                frame.bytes_mut().fill(*index as u8 + 1);
            }
            if let Some((which, len)) = &short {
                let which = which.index(chain.len());
                chain[which].set_len(*len).unwrap();
            }
            let adjacent = order.windows(2).all(|pair| pair[0] + 1 == pair[1]);
            let full = chain[..chain.len() - 1].iter().all(|frame| frame.len() == 64);
            let expected: Vec<u8> = chain.iter().flat_map(|frame| frame.bytes().to_vec()).collect();
            let joined = Frame::joined(&chain[0], &chain[1..]);
            prop_assert_eq!(joined.is_some(), adjacent && full);
            if let Some(joined) = joined {
                prop_assert_eq!(joined, &expected[..]);
            }
        }
    }
}
