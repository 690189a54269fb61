//! The receive path.

use bitfield_struct::bitfield;

/// Value of [`RCTL`](crate::e1000::RCTL), receive control (§13.4.22).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rctl {
    __: bool,
    /// EN: receive. Set it when ring and filters are ready.
    pub en: bool,
    /// SBP: store bad packets.
    pub sbp: bool,
    /// UPE: unicast promiscuous.
    pub upe: bool,
    /// MPE: multicast promiscuous.
    pub mpe: bool,
    /// LPE: long packets, over 1522 bytes with FCS; a frame longer than its buffers spans descriptors.
    pub lpe: bool,
    /// LBM: loopback mode; 0 is none.
    #[bits(2)]
    pub lbm: u8,
    /// RDMTS: RXDMT0 when this part of the ring is free: 0 half, 1 a quarter, 2 an eighth.
    #[bits(2)]
    pub rdmts: u8,
    #[bits(2)]
    __: u8,
    /// MO: which 12 bits of the address index MTA: 0 is 47:36, 1 is 46:35, 2 is 45:34, 3 is 43:32.
    #[bits(2)]
    pub mo: u8,
    __: bool,
    /// BAM: accept broadcasts.
    pub bam: bool,
    /// BSIZE: receive buffer size: 2048, 1024, 512, 256 bytes; with `bsex` reserved, 16384, 8192, 4096.
    #[bits(2)]
    pub bsize: u8,
    /// VFE: VLAN filter on.
    pub vfe: bool,
    /// CFIEN: compare the CFI bit.
    pub cfien: bool,
    /// CFI: the value to compare with.
    pub cfi: bool,
    __: bool,
    /// DPF: discard pause frames.
    pub dpf: bool,
    /// PMCF: pass MAC control frames.
    pub pmcf: bool,
    __: bool,
    /// BSEX: buffer size extension: sizes of `bsize` times 16.
    pub bsex: bool,
    /// SECRC: strip the FCS.
    pub secrc: bool,
    #[bits(5)]
    __: u8,
}

impl Rctl {
    /// Receive buffer size in bytes, or `None` for the reserved code.
    pub const fn buffer_len(self) -> Option<u32> {
        match (self.bsex(), self.bsize()) {
            (true, 0) => None,
            (extended, code) => Some((2048 >> code) * if extended { 16 } else { 1 }),
        }
    }

    /// With the code of a buffer of `len` bytes, or `None` if there is no such size.
    pub const fn with_buffer_len(self, len: u32) -> Option<Self> {
        let (extended, code) = match len {
            256 => (false, 3),
            512 => (false, 2),
            1024 => (false, 1),
            2048 => (false, 0),
            4096 => (true, 3),
            8192 => (true, 2),
            16384 => (true, 1),
            _ => return None,
        };
        Some(self.with_bsex(extended).with_bsize(code))
    }
}

/// Value of [`RXDCTL`](crate::e1000::RXDCTL), receive descriptor control.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rxdctl {
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
    /// WTHRESH: write back when this many are done.
    #[bits(6)]
    pub wthresh: u8,
    #[bits(2)]
    __: u8,
    /// GRAN: thresholds count descriptors (1) or cache lines (0).
    pub gran: bool,
    #[bits(7)]
    __: u8,
}

/// Value of [`RXCSUM`](crate::e1000::RXCSUM), receive checksum control.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rxcsum {
    /// PCSS: where the packet checksum starts.
    pub pcss: u8,
    /// IPOFL: check IPv4 header checksums.
    pub ipofl: bool,
    /// TUOFL: check TCP and UDP checksums.
    pub tuofl: bool,
    /// IPV6OFL: check over IPv6, too. The 82540EM itself checks only over IPv4.
    pub ipv6ofl: bool,
    #[bits(21)]
    __: u32,
}

/// Value of [`RAH`](crate::e1000::RAH), the high part of a receive address (§13.5.3).
///
/// The six bytes of the address are RAL's four, low byte first, then these two. Write RAL before RAH.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rah {
    /// RAH: bytes 4 and 5 of the address, byte 4 low.
    pub address: u16,
    /// AS: 0 compares with destinations, 1 with sources.
    #[bits(2)]
    pub select: u8,
    #[bits(13)]
    __: u16,
    /// AV: the address takes part in filtering.
    pub av: bool,
}
