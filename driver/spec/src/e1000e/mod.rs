//! The Intel 82574L, a 1 Gb/s controller on PCI Express: two transmit rings, two receive rings.
//!
//! Sections are those of the *82574 GbE Controller Family Datasheet*, Intel 317694, revision 3.4. Where only
//! the group of a register could be checked, its section is that of the group: 10.2.2 general, 10.2.3 PCIe,
//! 10.2.4 interrupts, 10.2.5 receive, 10.2.6 transmit, 10.2.7 statistics, 10.2.8 wake-up.
//!
//! It is a descendant of the 82540EM ([`e1000`](crate::e1000)): registers that both have lie at the same
//! offsets, descriptors of its legacy formats (§7.1.4, §7.2.10) are the same words, and so are most values.
//! [`registers`] lists its own registers, [`values`] the values that differ; what is the same comes from there.
//! What drivers and models trip over:
//!
//! - `EERD` has its fields in other places, as the 82599 has them.
//! - Before a reset, DMA is ended with `CTRL.GIO_MASTER_DISABLE` and `STATUS` says when it has; afterwards
//!   `EECD.AUTO_RD` says that the EEPROM was read.
//! - `TXDCTL` bit 22 is reserved and must be one.
//! - `RXDCTL` of queue 1 takes every value that is written to that of queue 0 (§10.2.5.11).
//! - With MSI-X, reading `ICR` clears nothing: ones are written to it. Causes reach vectors through `IVAR`.
//! - Receive descriptors have the legacy format as long as `RFCTL.EXSTEN` is 0.

pub mod registers;
pub mod values;

pub use registers::*;
pub use values::*;

pub use crate::e1000::{
    BAR0_LEN, EEPROM_CHECKSUM_WORD, EEPROM_MAC_WORD, EEPROM_SUM, MAX_DATA_PER_DESCRIPTOR, MAX_FRAME,
    MAX_TSO_HEADER, MAX_TSO_PAYLOAD, RING_BASE_ALIGN, RING_LEN_MAX,
};

/// PCI device id of the 82574L.
pub const DEVICE_ID: u16 = 0x10d3;
/// MSI-X vectors (§10.2.4.9).
pub const MSIX_VECTORS: u16 = 5;
