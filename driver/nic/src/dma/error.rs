//! What can go wrong with memory for a device.

use std::io;

use pagewire_bus::BusError;

/// Memory for a device could not be had, or not be named as asked.
#[derive(Debug, thiserror::Error)]
pub enum DmaError {
    /// There is not enough memory, or the process may not have that much.
    #[error(
        "no memory for {mib} MiB of DMA frames and rings ({reason}): free some memory, or ask for fewer or smaller buffers"
    )]
    NoMemory {
        /// What was asked for, in MiB, rounded up.
        mib: usize,
        /// What was found.
        reason: io::Error,
    },
    /// A region, slice or pool of nothing.
    #[error("{what} of no bytes at all was asked for: ask for at least one")]
    Empty {
        /// What was asked for.
        what: &'static str,
    },
    /// A range that is not inside of what it names a part of.
    #[error("bytes {offset}..{offset}+{len} do not lie within the {available} bytes of {what}")]
    OutOfRange {
        /// What the range is a part of.
        what: &'static str,
        /// First byte.
        offset: u64,
        /// Length in bytes.
        len: usize,
        /// How many bytes there are.
        available: u64,
    },
    /// The system would not map a part of a file into this process.
    #[error("cannot map {len} bytes of the file from byte {offset}: {source}")]
    MapFile {
        /// First byte.
        offset: u64,
        /// Length in bytes.
        len: usize,
        /// The system's reason.
        source: io::Error,
    },
    /// The bus would not map the memory for the device.
    #[error("cannot map {len} bytes of memory for the device: {source}")]
    MapForDevice {
        /// Length in bytes.
        len: usize,
        /// The bus's reason.
        source: BusError,
    },
    /// A frame was to be longer than its buffer.
    #[error(transparent)]
    FrameTooLong(#[from] FrameTooLong),
}

/// A frame was to be longer than its buffer. Its length stays what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {asked} bytes does not fit into its buffer of {capacity}")]
pub struct FrameTooLong {
    /// The length asked for, in bytes.
    pub asked: usize,
    /// The buffer's size in bytes.
    pub capacity: usize,
}
