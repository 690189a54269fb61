//! Memory that a device may reach, and who may touch it when.
//!
//! ```text
//!  Arena (memfd pages) ──┐
//!                        ├─► Region<D>: mapped for the device ──┬─► FramePool ─► Frame (bidirectional)
//!  pages of a file ──────┘   unmapped, then freed, on drop      ├─► descriptor words (bidirectional)
//!                                                               └─► GatherSlice (to the device only)
//! ```
//!
//! - [`Arena`]: zeroed host memory that can be shared by its file descriptor; hugepages where there are some.
//! - [`Region`]: whole pages mapped for a device. The direction is a type ([`ToDevice`], [`Bidirectional`]) and
//!   decides the IOMMU's permission. Pages of a file are mapped [`ToDevice`], so that a device can never write them.
//! - [`Frame`]: a linear handle on one buffer. Whoever holds it owns the buffer's bytes: a driver that posts a
//!   buffer keeps the frame in its ring until the device says that it is done.
//! - [`GatherSlice`]: bytes of a region named by reference, which no CPU touches.
//! - [`Chunk`]: a small piece of a region, filled anew for each use.
//! - [`discard`]: memory for payload that is written and never read.
//! - [`RingMemory`]: what a socket's receive ring is made of; it can be given back while nothing is in it.
//! - [`ReadLease`]: the kernel's promise to make writers of a file wait.
//!
//! Life of a region:
//! 1. its pages are there (allocated, or mapped from a file), before any device knows of them;
//! 2. the mapper gives them an I/O virtual address;
//! 3. frames, slices and rings hold the region through an [`Arc`](std::sync::Arc) for as long as they live;
//! 4. the last of them goes: the region is unmapped from the device, and only then freed;
//! 5. where that cannot be (the unmap failed, the device could not be stopped), the pages are *quarantined*:
//!    they stay allocated until the process ends, because a device that still writes to pages that belong to
//!    somebody else by now is worse than a leak.
//!
//! All `unsafe` of this crate lies here, and in the slots of the rings. The rule behind it: there is a Rust reference to a byte only while no
//! device may write that byte. Descriptor words, which both sides touch at any time, are atomics.

mod arena;
mod chunks;
mod discard;
mod error;
#[cfg(test)]
pub(crate) mod fake;
mod frame;
mod gather;
mod lease;
mod payload;
mod pool;
mod region;
mod ring_memory;

pub use arena::{Arena, PageSize};
pub use chunks::{Chunk, ChunkPool};
pub use discard::discard;
pub use error::{DmaError, FrameTooLong};
pub use frame::Frame;
pub use gather::GatherSlice;
pub use lease::{LeaseRefused, ReadLease};
pub use pool::FramePool;
pub use region::{Bidirectional, Dir, Region, ToDevice};
pub use ring_memory::RingMemory;
