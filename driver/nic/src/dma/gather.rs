//! Bytes named by reference: what a gather descriptor points at.

use std::fmt;
use std::sync::Arc;

use pagewire_bus::Iova;

use super::{DmaError, Region, ToDevice};

/// A run of bytes that a device is to read where they lie. It keeps their region mapped: a ring holds it until the
/// device has read them.
#[derive(Clone)]
pub struct GatherSlice {
    region: Arc<Region<ToDevice>>,
    iova: Iova,
    len: u32,
}

impl GatherSlice {
    /// Names `len` bytes of `region` from its byte `offset`.
    ///
    /// # Errors
    /// [`DmaError::Empty`]; [`DmaError::OutOfRange`] where the region does not hold them all, or for 4 GiB and more.
    #[inline]
    pub fn new(region: Arc<Region<ToDevice>>, offset: usize, len: usize) -> Result<Self, DmaError> {
        let inside = offset.checked_add(len).is_some_and(|end| end <= region.len());
        match u32::try_from(len) {
            Ok(short) if inside && short > 0 => Ok(Self {
                iova: region.iova().offset(offset as u64),
                region,
                len: short,
            }),
            _ => Err(refusal(region.len(), offset, len)),
        }
    }

    /// The device's address of the first byte.
    #[must_use]
    #[inline]
    pub fn iova(&self) -> Iova {
        self.iova
    }

    /// Length in bytes.
    #[must_use]
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "a slice is never empty")]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// The region that the bytes are a part of.
    #[must_use]
    pub fn region(&self) -> &Arc<Region<ToDevice>> {
        &self.region
    }
}

#[cold]
fn refusal(available: usize, offset: usize, len: usize) -> DmaError {
    if len == 0 {
        return DmaError::Empty { what: "a slice" };
    }
    DmaError::OutOfRange {
        what: "the region",
        offset: offset as u64,
        len,
        available: available as u64,
    }
}

impl fmt::Debug for GatherSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GatherSlice({}, {} bytes)", self.iova, self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::FakeMapper;
    use super::*;

    #[test]
    fn a_slice_names_bytes_of_its_region_and_keeps_it_mapped() {
        let (fake, mapper) = FakeMapper::new();
        let mut region = Region::<ToDevice>::allocate(&mapper, 4096).unwrap();
        region.fill(100, b"payload").unwrap();
        let region = Arc::new(region);
        let slice = GatherSlice::new(Arc::clone(&region), 100, 7).unwrap();
        drop(region);
        assert_eq!(fake.read(slice.iova(), slice.len() as usize), b"payload");
        drop(slice);
        assert!(fake.mapped().is_empty());
    }

    #[test]
    fn a_slice_never_goes_beyond_its_region_and_is_never_empty() {
        let (_, mapper) = FakeMapper::new();
        let region = Arc::new(Region::<ToDevice>::allocate(&mapper, 5000).unwrap());
        let slice = |offset, len| GatherSlice::new(Arc::clone(&region), offset, len);
        assert!(slice(0, 5000).is_ok() && slice(4999, 1).is_ok());
        assert!(matches!(slice(17, 0), Err(DmaError::Empty { .. })));
        for (offset, len) in [
            (0, 5001),
            (5000, 1),
            (4999, 2),
            (usize::MAX, 1),
            (1, usize::MAX),
            (0, 1 << 32),
        ] {
            assert!(
                matches!(slice(offset, len), Err(DmaError::OutOfRange { .. })),
                "{offset} {len}"
            );
        }
    }

    #[test]
    fn slices_of_a_range_of_many_gigabytes_have_64_bit_offsets() {
        let (_, mapper) = FakeMapper::new();
        let file = tempfile::tempfile().unwrap();
        file.set_len(10 << 30).unwrap();
        let region = Arc::new(Region::map_file(&mapper, &file, 0, 10 << 30).unwrap());
        let slice = GatherSlice::new(Arc::clone(&region), 9 << 30, 65_536).unwrap();
        assert_eq!(slice.iova().0 - region.iova().0, 9 << 30);
        assert!(GatherSlice::new(region, 0, 5 << 30).is_err());
    }
}
