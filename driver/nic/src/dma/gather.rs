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
