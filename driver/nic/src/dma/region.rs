//! Memory mapped for a device, with a direction in its type.
#![allow(
    unsafe_code,
    reason = "hands memory to a device, and makes references into it"
)]

use std::fmt;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use memmap2::{MmapOptions, MmapRaw};
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
enum Backing {
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
    fn map(
        mapper: &Arc<dyn DmaMapper>,
        backing: Backing,
        skipped: usize,
        len: usize,
    ) -> Result<Self, DmaError> {
        let memory = HostRange {
            start: backing.base(),
            len: backing.len(),
        };
        debug_assert!(len > 0 && skipped + len <= memory.len);
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
            // SAFETY: `skipped` lies within the mapping (the callers ensure it).
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

impl Region<ToDevice> {
    /// Allocates zeroed memory and maps it for the device to read. Fill it before it is shared.
    ///
    /// # Errors
    /// [`DmaError::Empty`], [`DmaError::NoMemory`], [`DmaError::MapForDevice`].
    pub fn allocate(mapper: &Arc<dyn DmaMapper>, len: usize) -> Result<Self, DmaError> {
        Self::map(mapper, Backing::Arena(Arena::new(len)?), 0, len)
    }

    /// Maps `len` bytes of `file` from byte `offset` for the device to read, where they lie in the page cache.
    /// The CPU reads none of them. `offset` need not be page aligned: the whole pages around the range are mapped, the
    /// region is the range.
    ///
    /// The range should lie within the file. Bytes after the end, on its last page, are zero; pages after the end are
    /// not there, and a device that reads them faults. So it does where the file is truncated later on.
    ///
    /// # Errors
    /// [`DmaError::Empty`]; [`DmaError::OutOfRange`] for a range that no file can have; [`DmaError::MapFile`] where
    /// the system cannot map the file (a pipe, a directory); [`DmaError::MapForDevice`].
    pub fn map_file(
        mapper: &Arc<dyn DmaMapper>,
        file: &File,
        offset: u64,
        len: usize,
    ) -> Result<Self, DmaError> {
        if len == 0 {
            return Err(DmaError::Empty {
                what: "a part of a file",
            });
        }
        let page = rustix::param::page_size();
        let skipped = (offset % page as u64) as usize;
        let first = offset - skipped as u64;
        let out_of_range = || DmaError::OutOfRange {
            what: "the largest file there can be",
            offset,
            len,
            available: i64::MAX as u64,
        };
        let mapped_len = skipped
            .checked_add(len)
            .and_then(|len| len.checked_next_multiple_of(page))
            .ok_or_else(out_of_range)?;
        if first
            .checked_add(mapped_len as u64)
            .is_none_or(|end| i64::try_from(end).is_err())
        {
            return Err(out_of_range());
        }
        let map = MmapOptions::new()
            .offset(first)
            .len(mapped_len)
            .map_raw_read_only(file)
            .map_err(|source| DmaError::MapFile { offset, len, source })?;
        Self::map(mapper, Backing::File(map), skipped, len)
    }

    /// Reads up to `len` bytes of `file` from byte `offset` into the start of the region. Returns how many were read:
    /// fewer only where the file ends. Each of them was copied once by the CPU.
    ///
    /// The device should not be reading: it would see old and new bytes. `&mut` says that no
    /// [`GatherSlice`](super::GatherSlice) names the region (see [`Arc::get_mut`]).
    ///
    /// # Errors
    /// What the system says to `pread`; [`io::ErrorKind::InvalidInput`] where `len` is more than the region has.
    pub fn fill_from_file(&mut self, file: &File, offset: u64, len: usize) -> io::Result<usize> {
        use std::os::unix::fs::FileExt;
        let bytes = self.bytes_mut()?;
        let Some(bytes) = bytes.get_mut(..len) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "more bytes than the region has",
            ));
        };
        let mut done = 0;
        while done < len {
            match file.read_at(&mut bytes[done..], offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Copies `bytes` into the region from its byte `offset` on: for data that is no file. The device should not be
    /// reading: see [`fill_from_file`](Self::fill_from_file).
    ///
    /// # Errors
    /// [`DmaError::OutOfRange`]; nothing is written then.
    pub fn fill(&mut self, offset: usize, bytes: &[u8]) -> Result<(), DmaError> {
        let out_of_range = DmaError::OutOfRange {
            what: "the region",
            offset: offset as u64,
            len: bytes.len(),
            available: self.len as u64,
        };
        let own = self
            .bytes_mut()
            .ok()
            .and_then(|own| own.get_mut(offset..)?.get_mut(..bytes.len()));
        own.ok_or(out_of_range)?.copy_from_slice(bytes);
        Ok(())
    }

    /// The bytes, to be filled. Refused for pages of a file: they are mapped read only, and are the file's.
    fn bytes_mut(&mut self) -> io::Result<&mut [u8]> {
        if self.arena().is_none() {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "pages of a file are read only",
            ));
        }
        // SAFETY: the memory is writable (an arena's), initialised (zeroed by the system), `len` bytes long, and lives
        // as long as `self`, which is borrowed uniquely: no other reference into it exists, and none is made from a
        // `ToDevice` region anywhere else. The device may only read it.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) })
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
