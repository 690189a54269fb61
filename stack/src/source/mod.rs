//! Where the bytes of a stream come from, as memory that a device can read.
//!
//! | source | payload bytes the CPU copies | memory |
//! |---|---|---|
//! | [`MappedFile`] | none: the page cache is mapped for the device, read only | the page cache, in [`Windows`] |
//! | the same, where it cannot be mapped | each once, by `pread` | a ring of DMA chunks |
//! | [`CopiedFile`] | each once, by `pread` | a ring of DMA chunks |
//! | [`SharedFile`] | none; one for all connections | the page cache, all of the file |
//! | [`Bytes`] | each once, when made | one DMA region |
//! | [`Stack::send_bytes`](crate::Stack::send_bytes) | each once | chunks that are used again |
//!
//! [`Part`] is a range of any of them; of a [`SharedFile`], a connection is promised ranges in the first place.

mod bytes;
mod copied;
mod fingerprint;
mod lease;
mod mapped;
mod part;
mod shared;
mod windows;

pub use bytes::Bytes;
pub use copied::CopiedFile;
pub use fingerprint::Fingerprint;
pub use lease::{LEASE_GRACE, LeaseState};
pub use mapped::MappedFile;
pub use part::Part;
pub use shared::{NotShared, SharedFile};
pub use windows::{Fallback, WindowCounters, WindowLimits, Windows};

use pagewire_nic::dma::{DmaError, GatherSlice};
use smoltcp::time::Instant;

/// A run of bytes of known length that can be sent by reference, any part of it as often as asked.
pub trait Source: Send {
    /// Length in bytes, fixed when the source was made.
    fn len(&self) -> u64;

    /// Whether there is nothing to send.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the slices that hold `len` bytes from `offset` of this source.
    ///
    /// # Errors
    /// The bytes cannot be had any more: see [`SourceError`].
    fn gather(&mut self, offset: u64, len: usize, out: &mut Vec<GatherSlice>) -> Result<(), SourceError>;

    /// Nothing below `offset` will be asked for again.
    fn release(&mut self, offset: u64);

    /// Looks after the source while it is sent, from time to time: `now` only ever grows.
    ///
    /// # Errors
    /// [`SourceError::LeaseBroken`].
    fn watch(&mut self, _now: Instant) -> Result<(), SourceError> {
        Ok(())
    }

    /// Whether what was handed out is what was declared. Asked when the peer has acknowledged all of it.
    ///
    /// # Errors
    /// [`SourceError::Changed`] and what the system says.
    fn verify(&mut self) -> Result<(), SourceError>;
}

/// Why a source could not provide its bytes. The connection that sends them is reset.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file is no longer the one that was declared.
    #[error("the file changed while it was sent ({what}): send it again when nobody writes to it")]
    Changed {
        /// What changed, in words.
        what: String,
    },
    /// Another process waits for our read lease.
    #[error(
        "another process opened the file for writing while it was sent, and waited {waited_s} s: send it again later"
    )]
    LeaseBroken {
        /// How long it was kept waiting, in seconds.
        waited_s: u64,
    },
    /// No memory, no mapping.
    #[error("{0}")]
    Dma(#[from] DmaError),
    /// The system refused a read.
    #[error("reading the file at byte {offset} failed: {source}")]
    Read {
        /// Offset in the file, in bytes.
        offset: u64,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A look-up outside of what is unacknowledged: a fault of the stack, never of the user.
    #[error(
        "bytes {offset}..{end} of the stream were asked for, but {from}..{to} are there: please report this"
    )]
    OutOfRange {
        /// First byte asked for.
        offset: u64,
        /// One past the last byte asked for.
        end: u64,
        /// First byte there.
        from: u64,
        /// One past the last byte there.
        to: u64,
    },
}
