//! What lies between the device and the process's memory.
//!
//! ```text
//!  descriptor ──► address ──► table ──► Piece (readable) | Room (writable) | Ring (descriptor words)
//!                              │                │
//!                        refusal: which rule    └─ copy; a page that is gone is noted, not fatal
//! ```
//! - [`iommu`]: the table of mappings, with directions, and what has become of those that have ended; a hold on it
//!   translates;
//! - [`access`]: the copies themselves, on raw pointers;
//! - [`channel`]: those that two threads share;
//! - [`occupancy`]: which bytes of a mapping stand in a posted descriptor;
//! - [`recent`]: which pages are likely to be in the CPU's cache;
//! - [`view`]: the device's own mapping of memory that it reads;
//! - [`shield`]: how the strict level notices a driver that reads a receive buffer before it is done;
//! - [`fault_guard`]: what happens when a page under a mapping is gone (a file was truncated), or is closed by a shield.
//!
//! This folder is the unsafe bottom of the emulator: everything above it speaks of pieces and rooms.

mod access;
mod channel;
mod fault_guard;
mod iommu;
mod occupancy;
mod recent;
mod shield;
mod view;

pub use access::{Piece, SourceFault};
pub(crate) use access::{Ring, Room, write_out};
pub(crate) use channel::{Helper, Mark, Poster, Posting, channel};
pub(crate) use iommu::{Iommu, Reach, Refusal};
pub(crate) use recent::RecentPages;
