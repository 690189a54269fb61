//! Registers and descriptors of three Ethernet controllers as facts: no I/O, no unsafe, no logic.
//!
//! Driver and emulator both read this crate and share nothing else, so a misreading of a datasheet in one
//! of them shows as a difference between them. The sources are:
//!
//! - [`e1000`]: the 82540EM. *PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's
//!   Manual*, Intel 317453, revision 4.0. Registers are section 13, descriptors sections 3.2 and 3.3.
//! - [`e1000e`]: the 82574L, a descendant of the 82540EM. *Intel 82574 GbE Controller Family Datasheet*, Intel
//!   317694, revision 3.4. Registers are section 10.2; what it kept of the 82540EM is told by [`e1000`].
//! - [`ixgbe`]: the 82599. *Intel 82599 10 GbE Controller Datasheet*, Intel 331520. Registers are section
//!   8.2.3, receive descriptors section 7.1, transmit descriptors section 7.2.
//!
//! Each family has the same rooms:
//!
//! - one [`Register`] constant a row (`e1000::CTRL`, `ixgbe::RDT`), all of them in `REGISTERS`, found by
//!   offset with `lookup`;
//! - register *values* as bitfields (`e1000::Ctrl`, `ixgbe::Srrctl`);
//! - descriptor words as bitfields: a descriptor is two little-endian 64-bit words, and each word that
//!   means something of its own is a type;
//! - limits: ring units, alignments, the most bytes of a descriptor, PCI ids.
//!
//! A bitfield's setter takes only values that fit: a debug build panics on one that does not, a release
//! build cuts it. `from_bits` keeps every bit, reserved ones too. `new` is 0 but for what a format fixes:
//! DTYP and DEXT of an extended transmit descriptor, and the reserved ones of HLREG0 and RDRXCTL.

#![forbid(unsafe_code)]

#[macro_use]
mod table;
pub mod e1000;
pub mod e1000e;
pub mod ixgbe;
mod markdown;

pub use markdown::markdown_table;
pub use table::{Access, Register, Split};

/// PCI vendor id of all controllers (Intel).
pub const VENDOR_ID: u16 = 0x8086;

/// Bytes of one descriptor, in every format of all families.
pub const DESCRIPTOR_LEN: usize = 16;

/// A ring's length register counts bytes and takes multiples of this, that is: rings have a multiple of 8
/// descriptors (82540EM §13.4.27 and §13.4.38; 82599 §8.2.3.8.3 and §8.2.3.9.7).
pub const RING_LEN_UNIT: u32 = 128;
