//! Small pieces of memory for a device to read: filled, sent by reference, used again.
#![allow(
    unsafe_code,
    reason = "cuts its regions into chunks, and makes a slice of the one that is filled"
)]

use std::fmt;
use std::sync::Arc;

use pagewire_bus::DmaMapper;

use super::{DmaError, GatherSlice, Region, ToDevice};

/// Length of a chunk in bytes: the head of an HTTP response fits.
const CHUNK_BYTES: usize = 512;
/// Length of a region that chunks are cut from, in bytes: one mapping, one file descriptor.
const REGION_BYTES: usize = 256 << 10;

/// Chunks that were given back, and the way to make more: nothing is allocated or mapped while there are some. Its
/// memory follows the largest number of chunks in use at once.
pub struct ChunkPool {
    mapper: Arc<dyn DmaMapper>,
    free: Vec<Chunk>,
}

/// A piece of memory for a device to read. Whoever holds it is the only one that writes it.
///
/// A slice of it names its bytes, not their state: before a chunk is filled anew, or given back, the device must be
/// done with every slice of it. One that is not would read new bytes in the place of old ones.
pub struct Chunk {
    region: Arc<Region<ToDevice>>,
    /// Where it begins in the region.
    start: u32,
    /// How much of it was filled.
    len: u32,
}

impl ChunkPool {
    /// The most bytes that one chunk holds.
    pub const CHUNK_BYTES: usize = CHUNK_BYTES;

    /// No chunks yet.
    #[must_use]
    pub fn new(mapper: Arc<dyn DmaMapper>) -> Self {
        Self {
            mapper,
            free: Vec::new(),
        }
    }

    /// A chunk, to be filled.
    ///
    /// # Errors
    /// There was none, and [`Region::allocate`] says why there will be no more.
    #[inline]
    pub fn take(&mut self) -> Result<Chunk, DmaError> {
        match self.free.pop() {
            Some(chunk) => Ok(chunk),
            None => self.grow(),
        }
    }

    /// Takes back a chunk that the device is done with.
    #[inline]
    pub fn give(&mut self, chunk: Chunk) {
        self.free.push(chunk);
    }

    /// How many chunks are here.
    #[must_use]
    pub fn available(&self) -> usize {
        self.free.len()
    }

    #[cold]
    fn grow(&mut self) -> Result<Chunk, DmaError> {
        let region = Arc::new(Region::<ToDevice>::allocate(&self.mapper, REGION_BYTES)?);
        let chunk = |start: usize| Chunk {
            region: Arc::clone(&region),
            start: start as u32,
            len: 0,
        };
        // The lowest is on top.
        let others = (CHUNK_BYTES..REGION_BYTES).step_by(CHUNK_BYTES).rev();
        self.free.extend(others.map(chunk));
        Ok(chunk(0))
    }
}

impl Chunk {
    /// Fills it with the beginning of `bytes`, as much as it holds; returns how much that was.
    #[inline]
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        let len = bytes.len().min(CHUNK_BYTES);
        // SAFETY: the chunk's bytes lie within its region, which is as writable as any arena, and initialised. Chunks of
        // a region are disjoint and each was made once; the region was never anything but chunks, so no other reference
        // to these bytes exists, and `&mut self` makes this the only one. The device may only read them.
        let own = unsafe {
            let start = self.region.start().add(self.start as usize);
            std::slice::from_raw_parts_mut(start.as_ptr(), len)
        };
        own.copy_from_slice(&bytes[..len]);
        self.len = len as u32;
        len
    }

    /// How many bytes it was filled with.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether it was never filled, or with nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Names `len` of its bytes from `offset` on.
    ///
    /// # Errors
    /// [`DmaError::Empty`]; [`DmaError::OutOfRange`] where not so many were filled.
    #[inline]
    pub fn slice(&self, offset: usize, len: usize) -> Result<GatherSlice, DmaError> {
        let filled = self.len();
        if offset.checked_add(len).is_none_or(|end| end > filled) {
            return Err(DmaError::OutOfRange {
                what: "the chunk",
                offset: offset as u64,
                len,
                available: filled as u64,
            });
        }
        GatherSlice::new(Arc::clone(&self.region), self.start as usize + offset, len)
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Chunk({}, {} bytes)",
            self.region.iova().offset(self.start.into()),
            self.len
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::FakeMapper;
    use super::*;

    #[test]
    fn the_device_reads_what_a_chunk_was_filled_with() {
        let (fake, mapper) = FakeMapper::new();
        let mut pool = ChunkPool::new(mapper);
        let (mut one, mut two) = (pool.take().unwrap(), pool.take().unwrap());
        assert_eq!((one.fill(b"HTTP/1.1 200 OK"), two.fill(b"another")), (15, 7));
        let slice = one.slice(9, 6).unwrap();
        assert_eq!(fake.read(slice.iova(), slice.len() as usize), b"200 OK");
        let slice = two.slice(0, 7).unwrap();
        assert_eq!(fake.read(slice.iova(), slice.len() as usize), b"another");
    }

    #[test]
    fn a_chunk_takes_no_more_than_it_holds_and_names_no_more_than_it_was_filled_with() {
        let (_, mapper) = FakeMapper::new();
        let mut chunk = ChunkPool::new(mapper).take().unwrap();
        assert!(chunk.is_empty() && chunk.slice(0, 1).is_err());
        assert_eq!(chunk.fill(&[7; 700]), CHUNK_BYTES);
        assert!(chunk.slice(0, CHUNK_BYTES).is_ok());
        assert_eq!(chunk.fill(b"short"), 5);
        for (offset, len) in [(0, 6), (5, 1), (usize::MAX, 1), (0, 0)] {
            assert!(chunk.slice(offset, len).is_err(), "{offset} {len}");
        }
    }

    #[test]
    fn what_is_given_back_is_used_again_and_nothing_more_is_mapped() {
        let (fake, mapper) = FakeMapper::new();
        let mut pool = ChunkPool::new(mapper);
        for _ in 0..10 {
            let chunks: Vec<_> = (0..512).map(|_| pool.take().unwrap()).collect();
            let mut starts: Vec<_> = chunks.iter().map(|chunk| chunk.start).collect();
            starts.sort_unstable();
            starts.dedup();
            assert_eq!(starts.len(), 512, "two chunks share bytes");
            chunks.into_iter().for_each(|chunk| pool.give(chunk));
        }
        assert_eq!((fake.mapped().len(), pool.available()), (1, 512));
    }

    #[test]
    fn memory_lives_as_long_as_a_slice_of_it() {
        let (fake, mapper) = FakeMapper::new();
        let mut pool = ChunkPool::new(mapper);
        let mut chunk = pool.take().unwrap();
        chunk.fill(b"payload");
        let slice = chunk.slice(0, 7).unwrap();
        drop((pool, chunk));
        assert_eq!(fake.read(slice.iova(), 7), b"payload");
        drop(slice);
        assert!(fake.mapped().is_empty());
    }
}
