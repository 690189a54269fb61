//! Addresses that a device uses, and what it may do there.

use std::fmt;
use std::ptr::NonNull;

/// An I/O virtual address: what a device puts on the bus, translated by the IOMMU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iova(pub u64);

impl Iova {
    /// The address `bytes` further on. An address space ends at 2^64: going past it is a caller's error.
    #[must_use]
    #[inline]
    pub const fn offset(self, bytes: u64) -> Self {
        Self(self.0 + bytes)
    }
}

impl fmt::Display for Iova {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "iova {:#x}", self.0)
    }
}

/// What the device may do with a mapping. It becomes the IOMMU's permission bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The device reads: payload on its way out, file pages. A device write faults.
    ToDevice,
    /// The device writes.
    FromDevice,
    /// The device reads and writes: descriptor rings, frames.
    Bidirectional,
}

impl Direction {
    /// Whether the device may read.
    #[must_use]
    pub const fn device_reads(self) -> bool {
        matches!(self, Self::ToDevice | Self::Bidirectional)
    }

    /// Whether the device may write.
    #[must_use]
    pub const fn device_writes(self) -> bool {
        matches!(self, Self::FromDevice | Self::Bidirectional)
    }
}

/// A range of this process's memory that is to be mapped for a device. Both ends lie on page boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostRange {
    /// First byte.
    pub start: NonNull<u8>,
    /// Length in bytes.
    pub len: usize,
}
