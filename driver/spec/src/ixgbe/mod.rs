//! The Intel 82599, a 10 Gb/s controller on PCIe: 128 transmit and 128 receive queues.
//!
//! Sections are those of the *82599 10 GbE Controller Datasheet*, Intel 331520. [`registers`] lists the
//! registers, [`values`] their bits, [`descriptors`] the words of the rings. What drivers and models trip
//! over:
//!
//! - Arrays of 128 queues lie in two parts, and the first 16 elements of some arrays answer at an 82598
//!   address, too (rows named `_ALIAS`).
//! - Reset is `CTRL.RST` and `CTRL.LRST`; both clear themselves, then 10 ms of silence, then `EEC.AUTO_RD`,
//!   then `RDRXCTL.DMAIDONE` (§4.6.3).
//! - A queue is enabled with `RXDCTL.ENABLE` or `TXDCTL.ENABLE` and is so when the bit reads as 1; only
//!   then may its tail move (§4.6.7, §4.6.8). Transmit queues need `DMATXCTL.TE` first, which enables queue 0
//!   by itself.
//! - Reserved bits of some registers are 1 and must stay so: read, modify, write.
//! - Each transmit queue has two contexts, named by IDX.

pub mod descriptors;
pub mod registers;
pub mod values;

pub use descriptors::*;
pub use registers::*;
pub use values::*;

/// PCI device id of the 82599ES with SFI/SFP+.
pub const DEVICE_ID: u16 = 0x10fb;
/// Length of BAR 0 in bytes, as adapters of the family report it.
pub const BAR0_LEN: u32 = 0x8_0000;
/// Transmit queues, and receive queues.
pub const QUEUES: u32 = 128;
/// Receive queues that RSS can spread over without virtualization: a RETA entry has 4 bits (§7.1.2.8).
pub const RSS_QUEUES: u32 = 16;
/// Alignment of a descriptor ring's base in bytes (§8.2.3.8.1, §8.2.3.9.5).
pub const RING_BASE_ALIGN: u64 = 128;
/// The longest ring in bytes that is validated: 8192 descriptors (§8.2.3.8.3).
pub const RING_LEN_MAX: u32 = 0x2_0000;
/// Most bytes that one transmit descriptor may name here; the field DTALEN has 16 bits (§7.2.3.2.4).
pub const MAX_DATA_PER_DESCRIPTOR: u32 = 16_384;
/// The longest frame in bytes: 15.5 KiB, with its FCS.
pub const MAX_FRAME: u32 = 15_872;
/// The longest payload of one segmentation request: PAYLEN has 18 bits (§7.2.3.2.4).
pub const MAX_TSO_PAYLOAD: u32 = (1 << 18) - 1;
/// MSI-X vectors of a port.
pub const MSIX_VECTORS: u16 = 64;
/// Bytes of the RSS key; byte 0 is the low byte of [`RSSRK`] element 0.
pub const RSS_KEY_LEN: usize = 40;
/// Entries of the redirection table, four to a [`RETA`] element, entry 0 in its low byte.
pub const RETA_ENTRIES: usize = 128;
/// EEPROM words 0 to this one add up, with the sections they point to, to [`EEPROM_SUM`].
pub const EEPROM_CHECKSUM_WORD: u16 = 0x3f;
/// What the EEPROM's checksum comes to, modulo 2^16.
pub const EEPROM_SUM: u16 = 0xbaba;

/// Most data descriptors of one packet: 40 - WTHRESH - 2 (§7.2.1).
pub const fn max_descriptors_per_packet(wthresh: u32) -> u32 {
    38u32.saturating_sub(wthresh)
}
