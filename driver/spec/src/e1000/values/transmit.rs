//! The transmit path.

use bitfield_struct::bitfield;

/// Value of [`TCTL`](crate::e1000::TCTL), transmit control (§13.4.33).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Tctl {
    __: bool,
    /// EN: transmit.
    pub en: bool,
    __: bool,
    /// PSP: pad short packets to 64 bytes.
    pub psp: bool,
    /// CT: collision threshold; 0x0f is recommended.
    pub ct: u8,
    /// COLD: collision distance; 0x40 for full duplex, 0x200 for half duplex.
    #[bits(10)]
    pub cold: u16,
    /// SWXOFF: send an XOFF frame; clears itself.
    pub swxoff: bool,
    __: bool,
    /// RTLC: retransmit on late collision.
    pub rtlc: bool,
    /// NRTU: no retransmit on underrun (82544 only).
    pub nrtu: bool,
    #[bits(6)]
    __: u8,
}

/// Value of [`TIPG`](crate::e1000::TIPG), inter-packet gap (§13.4.34). Recommended for copper: 10, 8, 6.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Tipg {
    /// IPGT: gap between back-to-back frames.
    #[bits(10)]
    pub ipgt: u16,
    /// IPGR1: first part of the gap, half duplex.
    #[bits(10)]
    pub ipgr1: u16,
    /// IPGR2: whole gap, half duplex.
    #[bits(10)]
    pub ipgr2: u16,
    #[bits(2)]
    __: u8,
}

/// Value of [`TXDCTL`](crate::e1000::TXDCTL), transmit descriptor control.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Txdctl {
    /// PTHRESH: prefetch when fewer descriptors than this are on chip.
    #[bits(6)]
    pub pthresh: u8,
    #[bits(2)]
    __: u8,
    /// HTHRESH: and at least this many are ready in host memory.
    #[bits(6)]
    pub hthresh: u8,
    #[bits(2)]
    __: u8,
    /// WTHRESH: write back when this many are done. 0 writes back each descriptor with RS at once.
    #[bits(6)]
    pub wthresh: u8,
    #[bits(2)]
    __: u8,
    /// GRAN: thresholds count descriptors (1) or cache lines (0).
    pub gran: bool,
    /// LWTHRESH: TXD_LOW interrupt at this many times 8 descriptors left.
    #[bits(7)]
    pub lwthresh: u8,
}
