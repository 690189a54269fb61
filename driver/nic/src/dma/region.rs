//! Memory mapped for a device, with a direction in its type.
#![allow(
    unsafe_code,
    reason = "hands memory to a device, and makes references into it"
)]

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use memmap2::MmapRaw;
use pagewire_bus::{Direction, DmaMapper, HostRange, Iova};

use super::{Arena, DmaError};

/// The direction of a region, as a type: it decides what the IOMMU lets the device do.
pub trait Dir: sealed::Sealed + Send + Sync + 'static {
    /// The direction as the bus knows it.
    const DIRECTION: Direction;
}

/// The device reads: payload on its way out, pages of files. A write by the device faults.
#[derive(Clone, Copy, Debug)]
pub enum ToDevice {}

/// The device reads and writes: descriptor rings, frames.
#[derive(Clone, Copy, Debug)]
pub enum Bidirectional {}

impl Dir for ToDevice {
    const DIRECTION: Direction = Direction::ToDevice;
}

impl Dir for Bidirectional {
    const DIRECTION: Direction = Direction::Bidirectional;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ToDevice {}
    impl Sealed for super::Bidirectional {}
}

/// Memory that a device reaches. Dropping it unmaps it from the device, then frees it.
///
/// Whatever names a part of it ([`Frame`](super::Frame), [`GatherSlice`](super::GatherSlice), a descriptor ring)
/// holds an `Arc` of it; a ring holds those of all posted buffers until the device is done with them. So a region goes
/// only when nothing is posted from it.
pub struct Region<D: Dir> {
    /// The first byte of the region: `skipped` bytes into the mapping.
    start: NonNull<u8>,
    /// Length in bytes, from `start`.
    len: usize,
    /// The device's address of `start`.
    iova: Iova,
    /// Bytes of the mapping before `start`: the mapping consists of whole pages.
    skipped: usize,
    mapper: Arc<dyn DmaMapper>,
    /// Dropped by hand, after the unmap.
    backing: ManuallyDrop<Backing>,
    direction: PhantomData<D>,
}

/// What holds the pages.
pub(super) enum Backing {
    Arena(Arena),
    File(MmapRaw),
}

impl Backing {
    fn base(&self) -> NonNull<u8> {
        match self {
            Self::Arena(arena) => arena.base(),
            Self::File(map) => NonNull::new(map.as_mut_ptr()).expect("mmap returns no null pointer"),
        }
    }

    /// Whole pages, in bytes.
    fn len(&self) -> usize {
        match self {
            Self::Arena(arena) => arena.len(),
            Self::File(map) => map.len(),
        }
    }
}

// SAFETY: a region owns its pages, which are bound to no thread. Bytes are reached through a shared region only by
// `words` (atomics) and by frames, which are disjoint and have one owner each; `fill` takes the region by `&mut`.
unsafe impl<D: Dir> Send for Region<D> {}
// SAFETY: as above.
unsafe impl<D: Dir> Sync for Region<D> {}

impl<D: Dir> Region<D> {
    /// Maps all of `backing`, and makes a region of `len` bytes from byte `skipped` of it.
    pub(super) fn map(
        mapper: &Arc<dyn DmaMapper>,
        backing: Backing,
        skipped: usize,
        len: usize,
    ) -> Result<Self, DmaError> {
        let memory = HostRange {
            start: backing.base(),
            len: backing.len(),
        };
        assert!(
            len > 0 && skipped <= memory.len && len <= memory.len - skipped,
            "a region lies in its pages"
        );
        // SAFETY: the pages stay mapped in this process until `backing` is dropped; `Region::drop` does so only after
        // the unmap succeeded. If `map` itself fails, nothing is mapped. No Rust reference is made to bytes that the
        // device may write: `ToDevice` memory is none such, and `Bidirectional` memory is reached as atomics, or
        // through frames that a driver keeps to itself while they are posted.
        let mapped = unsafe { mapper.map(memory, D::DIRECTION) };
        let iova = mapped.map_err(|source| DmaError::MapForDevice {
            len: memory.len,
            source,
        })?;
        Ok(Self {
            // SAFETY: `skipped` lies within the mapping: asserted above.
            start: unsafe { memory.start.add(skipped) },
            len,
            iova: iova.offset(skipped as u64),
            skipped,
            mapper: Arc::clone(mapper),
            backing: ManuallyDrop::new(backing),
            direction: PhantomData,
        })
    }

    /// The device's address of the first byte.
    #[must_use]
    #[inline]
    pub fn iova(&self) -> Iova {
        self.iova
    }

    /// Length in bytes, as it was asked for.
    #[must_use]
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "a region is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The arena that holds the region's pages, where they are not a file's: its descriptor shares them with another
    /// process.
    #[must_use]
    pub fn arena(&self) -> Option<&Arena> {
        match &*self.backing {
            Backing::Arena(arena) => Some(arena),
            Backing::File(_) => None,
        }
    }

    /// Makes sure that this memory is never unmapped and never freed while the process lives. For a driver whose device
    /// did not confirm that it stopped: it may still read and write here.
    pub fn quarantine(self: &Arc<Self>) {
        tracing::error!(
            "{} bytes at {} stay mapped for the device for good: it did not confirm that it stopped",
            self.len,
            self.iova
        );
        // One reference that nothing gives back: the region is never dropped.
        std::mem::forget(Arc::clone(self));
    }

    /// The first byte. Valid for `len` bytes, and derived from the mapping as a whole: pointers made from it by
    /// `add` may be used for any run of bytes within the region.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Region<Bidirectional> {
    /// Allocates zeroed memory and maps it for the device to read and write.
    ///
    /// # Errors
    /// [`DmaError::Empty`], [`DmaError::NoMemory`], [`DmaError::MapForDevice`].
    pub fn allocate(mapper: &Arc<dyn DmaMapper>, len: usize) -> Result<Arc<Self>, DmaError> {
        Self::map(mapper, Backing::Arena(Arena::new(len)?), 0, len).map(Arc::new)
    }

    /// The region as 64-bit words: descriptors, which the device and the driver write in turn. The words are in the
    /// device's byte order (little endian).
    ///
    /// Never of a region that holds frames: [`FramePool`](super::FramePool) keeps its region to itself.
    #[must_use]
    #[inline]
    #[cfg_attr(not(test), allow(dead_code, reason = "rings of descriptors are made of it"))]
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the memory is page aligned, initialised (zeroed by the system), holds `len / 8` words and lives as
        // long as `self`. Atomics may be written by others at any time, the device included. No reference of another
        // type is made to these bytes: only regions without frames are reached by this method.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.len / 8) }
    }

    /// The `index`-th 64-bit word: see [`words`](Self::words).
    ///
    /// # Panics
    /// Where there is no such word: an index comes from the driver, never from a device.
    #[must_use]
    #[inline]
    #[cfg_attr(not(test), allow(dead_code, reason = "rings of descriptors are made of it"))]
    pub(crate) fn word(&self, index: usize) -> &AtomicU64 {
        &self.words()[index]
    }
}

impl<D: Dir> Drop for Region<D> {
    fn drop(&mut self) {
        let iova = Iova(self.iova.0 - self.skipped as u64);
        let len = self.backing.len();
        match self.mapper.unmap(iova, len) {
            // SAFETY: dropped once, here, and not used again. The device reaches it no more, and nothing else in this
            // process names it: whatever does holds an `Arc` of the region.
            Ok(()) => unsafe { ManuallyDrop::drop(&mut self.backing) },
            // Quarantined: the device may still reach the pages, so they must not become anybody else's.
            Err(error) => tracing::error!(
                "{len} bytes at {iova} could not be unmapped from the device ({error}): they are never freed"
            ),
        }
    }
}

impl<D: Dir> fmt::Debug for Region<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("direction", &D::DIRECTION)
            .field("iova", &self.iova)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::os::unix::fs::{FileExt, MetadataExt};
    use std::sync::atomic::Ordering;

    use super::super::fake::{FakeMapper, is_file_mapped};
    use super::*;

    fn temporary(bytes: &[u8]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file
    }

    fn arena_inode<D: Dir>(region: &Region<D>) -> u64 {
        File::from(region.arena().unwrap().as_fd().try_clone_to_owned().unwrap())
            .metadata()
            .unwrap()
            .ino()
    }

    #[test]
    fn the_direction_of_the_type_is_the_permission_of_the_mapping() {
        let (fake, mapper) = FakeMapper::new();
        let _both = Region::<Bidirectional>::allocate(&mapper, 4096).unwrap();
        let _out = Region::<ToDevice>::allocate(&mapper, 4096).unwrap();
        let _file = Region::map_file(&mapper, &temporary(b"x"), 0, 1).unwrap();
        let directions: Vec<_> = fake.mapped().iter().map(|mapping| mapping.direction).collect();
        assert_eq!(
            directions,
            [Direction::Bidirectional, Direction::ToDevice, Direction::ToDevice]
        );
    }

    #[test]
    fn memory_is_unmapped_from_the_device_first_and_then_freed() {
        let (fake, mapper) = FakeMapper::new();
        let file = temporary(&[7; 10_000]);
        let region = Region::<Bidirectional>::allocate(&mapper, 10_000).unwrap();
        let window = Region::map_file(&mapper, &file, 5000, 5000).unwrap();
        let inodes = [arena_inode(&region), file.metadata().unwrap().ino()];
        assert!(inodes.iter().all(|&inode| is_file_mapped(inode)));
        drop((region, window));
        let unmapped = fake.unmapped();
        assert_eq!(unmapped.len(), 2);
        assert!(unmapped.iter().all(|&(_, still_there)| still_there));
        assert!(fake.mapped().is_empty());
        assert!(!inodes.iter().any(|&inode| is_file_mapped(inode)));
    }

    #[test]
    fn memory_that_cannot_be_unmapped_is_never_freed() {
        let (fake, mapper) = FakeMapper::new();
        let region = Region::<Bidirectional>::allocate(&mapper, 4096).unwrap();
        let (iova, inode) = (region.iova(), arena_inode(&region));
        fake.refuse_unmap();
        drop(region);
        assert!(is_file_mapped(inode));
        fake.write(iova, b"the device goes on writing");
    }

    #[test]
    fn quarantined_memory_outlives_all_that_name_it() {
        let (fake, mapper) = FakeMapper::new();
        let region = Region::<Bidirectional>::allocate(&mapper, 4096).unwrap();
        let (iova, inode) = (region.iova(), arena_inode(&region));
        region.quarantine();
        drop(region);
        assert!(fake.unmapped().is_empty() && is_file_mapped(inode));
        fake.write(iova, b"the device goes on writing");
    }

    #[test]
    fn what_the_mapper_refuses_is_freed_at_once_and_said() {
        let (fake, mapper) = FakeMapper::new();
        fake.refuse_map();
        let file = temporary(b"some bytes");
        let error = Region::map_file(&mapper, &file, 0, 10).unwrap_err();
        assert!(matches!(error, DmaError::MapForDevice { .. }), "{error}");
        assert!(error.to_string().contains("for the device"), "{error}");
        assert!(!is_file_mapped(file.metadata().unwrap().ino()));
        assert!(fake.unmapped().is_empty());
    }

    #[test]
    fn words_are_what_the_device_writes_and_reads() {
        let (fake, mapper) = FakeMapper::new();
        let region = Region::<Bidirectional>::allocate(&mapper, 4096).unwrap();
        assert_eq!(region.words().len(), 512);
        fake.write(
            region.iova().offset(4088),
            &0x0123_4567_89ab_cdef_u64.to_le_bytes(),
        );
        assert_eq!(
            u64::from_le(region.word(511).load(Ordering::Acquire)),
            0x0123_4567_89ab_cdef
        );
        region.word(1).store(42_u64.to_le(), Ordering::Release);
        assert_eq!(fake.read(region.iova().offset(8), 8), 42_u64.to_le_bytes());
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn there_is_no_word_after_the_last() {
        let (_, mapper) = FakeMapper::new();
        // The mapping is a page, the region only what was asked for.
        let region = Region::<Bidirectional>::allocate(&mapper, 16).unwrap();
        let _ = region.word(2);
    }
}
