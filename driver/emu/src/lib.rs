//! Emulated NICs: an 82540EM, an 82574L and an 82599 in this process, behind the same bus traits as real ones.
//!
//! ```text
//!   driver ──MMIO──► registers ──doorbell──► queue: shadow of what was published
//!      ▲                                        │  step()
//!      │                                        ▼
//!   memory ◄──copies──  table + sanitizer  ──► TX engine ──► cable ──► far RX engine ──► far memory
//! ```
//! - [`EmulatedNic`] is a PCI function for its driver and a device for whoever steps it;
//! - [`connect`] plugs two together; [`cable`] has what can happen to frames in between, [`wire`] the seam;
//! - [`sanitizer`] names what a driver must not do; every report of an honest driver is empty;
//! - [`schedule`] steps a device from a thread of its own.
//!
//! A doorbell only records. All DMA happens in [`EmulatedNic::step`], on the thread that calls it; time is an
//! argument there, and chance a seed. A clock is read only for [`EmulatedNic::doorbell_time`], on which nothing here
//! depends. The one copy of a payload byte goes from the pages that the sender's descriptors name straight into the
//! receiver's buffers.
//!
//! The device is strict, not forgiving: it reaches only what its IOMMU table maps, in the direction it is mapped
//! for. It shares the facts of `pagewire-spec` with the driver and no logic, so one misreading of a datasheet
//! shows as a difference.
//!
//! Where the model is not the hardware, it says so:
//! - segments may pass whole between two NICs ([`Options::whole_segments`]): to an 82599's queue that coalesces, to
//!   an 82540EM that takes long packets. Their checksums are vouched for by the sending device, and RSCCTL.MAXDESC
//!   does not limit their descriptors;
//! - a packet is sent only when all of it is published; there is no pause, no priority, no VLAN, no header split;
//! - 64 of the 82599's 128 queue pairs work; interrupts are not throttled, and vectors above 15 have no causes.

mod base;
pub mod cable;
mod device;
mod e1000;
mod e1000e;
mod family;
mod function;
mod interrupt;
mod ixgbe;
mod memory;
pub mod offload;
mod queue;
mod receive;
mod registers;
pub mod sanitizer;
pub mod schedule;
mod transmit;
pub mod wire;

pub use function::{EmulatedBar, EmulatedNic, Model, Options, connect};
