//! The Intel 82540EM, a 1 Gb/s controller on PCI: one transmit ring, one receive ring.
//!
//! Sections are those of the *Software Developer's Manual*, Intel 317453. [`registers`] lists the
//! registers but for the [`statistics`], [`values`] their bits, [`descriptors`] the words of the rings. What drivers and models trip
//! over:
//!
//! - Registers are 32 bits wide and 4-byte aligned in BAR 0, 128 KiB of memory.
//! - `CTRL.RST` clears itself; wait 1 µs before the next access and then for `EECD`/`EERD` to answer.
//! - Tail points at the first descriptor that software still owns; head = tail is an empty ring for the
//!   device, so that one descriptor always stays unused.
//! - There are two transmit contexts: one for segmentation, one for checksums alone; each context
//!   descriptor overwrites one of them.
//! - The statistics clear when read and do not wrap: they stick at all ones.

pub mod descriptors;
pub mod registers;
pub mod statistics;
pub mod values;

pub use descriptors::*;
pub use registers::*;
pub use statistics::*;
pub use values::*;

/// PCI device id of the 82540EM.
pub const DEVICE_ID: u16 = 0x100e;
/// Length of BAR 0 in bytes (§4.1).
pub const BAR0_LEN: u32 = 0x2_0000;
/// Alignment of a descriptor ring's base in bytes (§13.4.25, §13.4.36).
pub const RING_BASE_ALIGN: u64 = 16;
/// The longest ring in bytes: the length field is bits 19:7 (§13.4.27).
pub const RING_LEN_MAX: u32 = 0xf_ff80;
/// Most bytes that one transmit descriptor may name (§3.3.3, §3.3.7).
pub const MAX_DATA_PER_DESCRIPTOR: u32 = 16_288;
/// The longest frame in bytes, with its FCS (RCTL.LPE set).
pub const MAX_FRAME: u32 = 16_128;
/// The longest header that segmentation can replicate: HDRLEN has 8 bits (§3.3.6).
pub const MAX_TSO_HEADER: u32 = 255;
/// The longest TCP payload of one segmentation request: PAYLEN has 20 bits (§3.3.6).
pub const MAX_TSO_PAYLOAD: u32 = (1 << 20) - 1;
/// EEPROM word that holds the first two bytes of the MAC address, low byte first; two more words follow.
pub const EEPROM_MAC_WORD: u8 = 0;
/// EEPROM words 0 to this one add up to [`EEPROM_SUM`].
pub const EEPROM_CHECKSUM_WORD: u8 = 0x3f;
/// What the EEPROM's words 0 to 0x3f add up to, modulo 2^16.
pub const EEPROM_SUM: u16 = 0xbaba;
