//! What can go wrong between a driver and its bus.

use crate::{InterruptKind, Iova};

/// A failure of the bus; each names the step and what can be done.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The function has no such base address register.
    #[error("the function has no BAR {index}: is it the network card you meant?")]
    NoBar {
        /// Which BAR was asked for.
        index: u8,
    },
    /// The range to map is empty or not page aligned.
    #[error(
        "cannot map {len:#x} bytes at {start:#x} for DMA: both must be multiples of the {page}-byte page"
    )]
    Misaligned {
        /// First byte.
        start: usize,
        /// Length in bytes.
        len: usize,
        /// Page size in bytes.
        page: usize,
    },
    /// The address space, or the number of mappings the container grants, is used up.
    #[error(
        "no room in the device's address space for {len:#x} more bytes ({mappings} mappings exist): release windows first"
    )]
    NoIovaSpace {
        /// Length in bytes.
        len: usize,
        /// How many mappings exist.
        mappings: usize,
    },
    /// The user may not lock that much memory, and what a device reaches is locked.
    #[error(
        "mapping {len} more bytes for DMA, with {pinned} mapped, goes beyond the {limit} bytes that may be locked in \
         memory (`ulimit -l`): `sudo prlimit --memlock={} --pid $$` raises the limit for this shell",
        pinned + *len as u64
    )]
    LockedMemory {
        /// Length in bytes.
        len: usize,
        /// Bytes that are mapped.
        pinned: u64,
        /// The limit in bytes (`RLIMIT_MEMLOCK`).
        limit: u64,
    },
    /// An unmap that matches no mapping.
    #[error("{iova}, {len:#x} bytes, is not a mapping of this device")]
    NotMapped {
        /// First address.
        iova: Iova,
        /// Length in bytes.
        len: usize,
    },
    /// The function cannot interrupt that way.
    #[error("the function has no {vectors} vectors of {kind:?}: choose another kind of interrupt, or poll")]
    NoInterrupt {
        /// What was asked for.
        kind: InterruptKind,
        /// How many vectors.
        vectors: u16,
    },
    /// The operating system refused a step.
    #[error("{step} failed: {source}")]
    Os {
        /// The step, as a phrase ("mapping 2 MiB for DMA").
        step: &'static str,
        /// The operating system's reason.
        source: std::io::Error,
    },
}
