//! Bytes on their way out: pages of a file where they lie, or memory that is filled.
#![allow(unsafe_code, reason = "makes a slice of the memory that is to be filled")]

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use memmap2::MmapOptions;
use pagewire_bus::DmaMapper;

use super::region::Backing;
use super::{Arena, DmaError, Region, ToDevice};

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
            available: self.len() as u64,
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
        Ok(unsafe { std::slice::from_raw_parts_mut(self.start().as_ptr(), self.len()) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Bidirectional;
    use super::super::fake::FakeMapper;
    use super::*;

    fn temporary(bytes: &[u8]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file
    }

    fn numbered(len: usize) -> Vec<u8> {
        (0..len).map(|index| (index % 251) as u8).collect()
    }

    #[test]
    fn the_device_sees_what_was_filled_in() {
        let (fake, mapper) = FakeMapper::new();
        let file = temporary(&numbered(20_000));
        let mut region = Region::<ToDevice>::allocate(&mapper, 8192).unwrap();
        assert_eq!(region.fill_from_file(&file, 3, 8192).unwrap(), 8192);
        region.fill(8190, b"yz").unwrap();
        let seen = fake.read(region.iova(), 8192);
        assert_eq!(seen[..8190], numbered(20_000)[3..8193]);
        assert_eq!(&seen[8190..], b"yz");
    }

    #[test]
    fn a_fill_ends_where_the_file_ends_and_never_outside_of_the_region() {
        let (_, mapper) = FakeMapper::new();
        let file = temporary(&numbered(5000));
        let mut region = Region::<ToDevice>::allocate(&mapper, 4096).unwrap();
        assert_eq!(region.fill_from_file(&file, 4000, 4096).unwrap(), 1000);
        assert_eq!(region.fill_from_file(&file, 5000, 1).unwrap(), 0);
        assert!(region.fill_from_file(&file, 0, 4097).is_err());
        assert!(region.fill(4096, b"").is_ok());
        for (offset, bytes) in [(4096, &b"x"[..]), (4095, b"xy"), (usize::MAX, b"x"), (4097, b"")] {
            assert!(
                matches!(region.fill(offset, bytes), Err(DmaError::OutOfRange { .. })),
                "{offset}"
            );
        }
        let mut window = Region::map_file(&mapper, &file, 0, 5000).unwrap();
        assert!(window.fill(0, b"x").is_err() && window.fill_from_file(&file, 0, 1).is_err());
    }

    #[test]
    fn file_pages_are_the_page_cache_itself() {
        let (fake, mapper) = FakeMapper::new();
        let file = temporary(&numbered(10_000));
        let window = Region::map_file(&mapper, &file, 0, 10_000).unwrap();
        file.write_all_at(b"written after the mapping", 6000).unwrap();
        assert_eq!(
            fake.read(window.iova().offset(6000), 25),
            b"written after the mapping"
        );
    }

    #[test]
    fn bytes_after_the_end_of_the_file_on_its_last_page_are_zero() {
        let (fake, mapper) = FakeMapper::new();
        let window = Region::map_file(&mapper, &temporary(b"short"), 0, 5).unwrap();
        assert_eq!(window.len(), 5);
        let page = rustix::param::page_size();
        assert_eq!(fake.mapped()[0].len, page);
        assert!(fake.read(window.iova(), page)[5..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn a_range_of_terabytes_is_mapped_as_any_other() {
        let (fake, mapper) = FakeMapper::new();
        let file = temporary(b"");
        file.set_len(3 << 40).unwrap();
        let window = Region::map_file(&mapper, &file, (1 << 40) + 1, (1 << 40) + 1).unwrap();
        assert_eq!(fake.mapped()[0].len, (1 << 40) + 4096);
        assert_eq!(fake.read(window.iova().offset(1 << 40), 1), [0]);
    }

    #[test]
    fn what_cannot_be_mapped_is_an_error_and_nothing_else() {
        let (fake, mapper) = FakeMapper::new();
        let file = temporary(b"bytes");
        assert!(matches!(
            Region::map_file(&mapper, &file, 0, 0),
            Err(DmaError::Empty { .. })
        ));
        for (offset, len) in [
            (u64::MAX, 1),
            (1 << 63, 1),
            (4096, usize::MAX),
            (1, usize::MAX),
            ((1 << 63) - 1, 2),
        ] {
            let refusal = Region::map_file(&mapper, &file, offset, len).unwrap_err();
            assert!(
                matches!(refusal, DmaError::OutOfRange { .. }),
                "{offset} {len}: {refusal}"
            );
        }
        for path in ["/", "/proc/self/maps"] {
            let refusal = Region::map_file(&mapper, &File::open(path).unwrap(), 0, 1).unwrap_err();
            assert!(matches!(refusal, DmaError::MapFile { .. }), "{path}: {refusal}");
        }
        assert!(Region::<ToDevice>::allocate(&mapper, 0).is_err());
        assert!(Region::<Bidirectional>::allocate(&mapper, 0).is_err());
        assert!(fake.mapped().is_empty());
    }

    proptest! {
        #[test]
        fn any_part_of_a_file_is_what_the_device_reads(offset in 0_usize..20_000, len in 1_usize..20_000) {
            let (fake, mapper) = FakeMapper::new();
            let bytes = numbered(40_000);
            let file = temporary(&bytes);
            let window = Region::map_file(&mapper, &file, offset as u64, len).unwrap();
            prop_assert_eq!(window.len(), len);
            prop_assert_eq!(fake.read(window.iova(), len), &bytes[offset..offset + len]);
            let page = rustix::param::page_size();
            prop_assert!(fake.mapped()[0].len < len + 2 * page);
            drop(window);
            prop_assert!(fake.mapped().is_empty());
        }
    }
}
