//! The transmit side: descriptors become frames on the cable.
//!
//! 1. [`engine`] walks published descriptors, one packet at a time; a packet whose end is not published yet
//!    waits;
//! 2. [`build`] makes the packet: a [`whole`] segment whose payload stays where it is, or a frame in the packet
//!    buffer with its checksums, or frames cut from a segment;
//! 3. the frame goes into the cable's inlet;
//! 4. the engine moves the head, and writes done bits where the driver asked for them.
//!
//! A packet that cannot be sent (an address that the table refuses, a page that is gone, a descriptor that
//! means nothing) is dropped and reported, and its descriptors come back as if it had been sent: a driver
//! behind a real IOMMU sees the same.

mod build;
mod engine;
mod whole;

pub(crate) use engine::{Engine, TxStats, len_class};
